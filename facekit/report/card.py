"""card.md: what a bundle is, what it learned from, how good and how limited.

Everything is taken from the manifest and from measurements that carry the
command that made them; nothing is claimed that is not in there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facekit.system.files import write_atomically

#: Said of every bundle whose weights saw CelebA, FER-2013 or the like.
RESEARCH_NOTE: Final = "trained on data released for non-commercial research"

_TITLES: Final = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mean_accuracy": "mean accuracy of the attributes",
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
    "ece": "calibration error (lower is better)",
}
_LIMITS: Final = """\
- Labels are the opinions of annotators, not facts about people. Several attributes \
(attractive, young, big nose, pale skin) are matters of taste, and some labels are wrong.
- The numbers above hold for people and photos like those they were measured on. Error rates \
for other ages, skin tones, regions and cameras are unknown until they are measured there.
- Probabilities were calibrated on validation images of the training data and drift elsewhere.
- One upright face, brought into the frame, is assumed: profiles, masks and tiny faces give \
answers that mean little."""
_CELEBA: Final = """\
- CelebA shows celebrities at public events and is unbalanced in age, skin tone and region."""
_ETHICS: Final = """\
- Not for decisions about people: hiring, credit, policing, borders, medicine.
- An attribute such as "Male" is how annotators read a photo and says nothing about identity; \
an expression is not a feeling.
- Face data is personal, and biometric once it is used to recognise someone. Ask people first; \
in many places the law demands it."""


@dataclass(frozen=True)
class Measurement:
    """One number and where it comes from.

    Attributes:
        name: What was measured.
        value: As text, with its unit.
        interval: 95 % interval as text, or empty.
        baseline: The same measure of a trivial answer, as text, or empty.
        data: On what it was measured.
        command: What prints it again.
    """

    name: str
    value: str
    interval: str
    baseline: str
    data: str
    command: str


def measurements(
    record: Mapping[str, Any], baselines: Mapping[str, float | None], command: str
) -> list[Measurement]:
    """The headline rows of a card.

    Args:
        record: From `evaluation_record` or `class_record`.
        baselines: ``AttributeMetrics.baselines``, or {} for none.
        command: What prints the record again.

    Returns:
        One row a measure; those that could not be taken are left out.
    """
    data = f"{record['dataset']} {record['split']}, {record['n']:,} images"
    out = []
    for name, title in _TITLES.items():
        value = record["metrics"].get(name)
        if value is None:
            continue
        pair = record["intervals"].get(name)
        interval = f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %" if pair else ""
        base = baselines.get(name)
        usual = "" if base is None or math.isnan(base) else f"{100 * base:.1f} %"
        out.append(Measurement(title, f"{100 * value:.1f} %", interval, usual, data, command))
    return out


def model_card(
    manifest: Mapping[str, Any],
    results: Sequence[Measurement],
    *,
    summary: str = "",
    limits: Sequence[str] = (),
) -> str:
    """Write a model card in Markdown.

    Args:
        manifest: The bundle's manifest as plain mappings (format 1: "name",
            "version", "created", "frame", "preprocessing", "parts",
            "backbone", "heads", "training", "data_licences"). "training" may
            hold anything; its entries are listed as they are.
        results: Rows of the table of measurements.
        summary: What the bundle is for, one sentence; empty for a general one.
        limits: Further known limits, a sentence each.

    Returns:
        Markdown ending with a line break.
    """
    blocks = [
        f"# {manifest['name']}",
        summary or _summary(manifest),
        f"Version {manifest['version']}, made {manifest['created']}. {_training_note(manifest)}",
        "## What it takes and gives",
        _rows(("what", "value"), _interface(manifest)),
        "## Measured",
        _measured(results),
        "## Trained on",
        _rows(("what", "value"), _training(manifest)),
        "## Heads",
        _rows(("head", "kind", "reads", "sha256"), _heads(manifest)),
        "## Limits",
        _limits(manifest, limits),
        "## Before you use it",
        _ETHICS,
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def write_card(path: Path, text: str) -> None:
    """Write a card; whole or not at all."""
    write_atomically(path, text)


def _summary(manifest: Mapping[str, Any]) -> str:
    heads = ", ".join(manifest["heads"]) or "none yet"
    return (
        "A face backbone that turns an aligned crop into an embedding with named parts, and "
        f"small heads that read it: {heads}. Runs on ONNX Runtime, without TensorFlow."
    )


def _research_only(manifest: Mapping[str, Any]) -> bool:
    return any("non-commercial" in text.lower() for text in manifest["data_licences"].values())


def _training_note(manifest: Mapping[str, Any]) -> str:
    if not _research_only(manifest):
        return "The data it was trained on is listed below."
    return f"**The weights were {RESEARCH_NOTE}**; whether that suits your use is yours to judge."


def _interface(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    frame, backbone, given = manifest["frame"], manifest["backbone"], manifest["preprocessing"]
    parts = "; ".join(
        f"`{name}` {' x '.join(map(str, shape))}" for name, shape in manifest["parts"].items()
    )
    side = frame["side"]
    size = f"{backbone['parameters']:,} parameters, {backbone['macs'] / 1e6:.1f} M multiply-adds"
    return [
        ("input", f"{given['dtype']} {given['layout']} {given['colour']}, {side} x {side} px"),
        ("eye line", f"{100 * frame['eye_y']:.0f} % from the top"),
        ("eye distance", f"{100 * frame['eye_distance']:.0f} % of the side"),
        ("embedding", parts),
        ("network", f"{backbone['family']}, {size}"),
        ("backbone sha256", f"`{backbone['sha256']}`"),
    ]


def _measured(results: Sequence[Measurement]) -> str:
    if not results:
        return "Nothing has been measured yet."
    columns = ("measure", "value", "95 % interval", "majority baseline", "data", "command")
    return _rows(
        columns,
        [(r.name, r.value, r.interval, r.baseline, r.data, f"`{r.command}`") for r in results],
    )


def _training(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    told = [(key, _plain(value)) for key, value in manifest["training"].items()]
    return [*manifest["data_licences"].items(), *told]


def _heads(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (name, head["kind"], ", ".join(head["parts"]), f"`{head['sha256'][:16]}…`")
        for name, head in manifest["heads"].items()
    ]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _limits(manifest: Mapping[str, Any], more: Sequence[str]) -> str:
    real = _research_only(manifest) and any(
        "celeba" in k.lower() for k in manifest["data_licences"]
    )
    return "\n".join([_LIMITS, *([_CELEBA] if real else []), *(f"- {line}" for line in more)])


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in row)} |" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
