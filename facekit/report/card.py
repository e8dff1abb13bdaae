"""card.md: what a bundle is, what it learned from, how good and how limited.

Everything is taken from the manifest and from measurements that carry the
command that made them; nothing is claimed that is not in there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from importlib.resources import files
from typing import Any, Final

from facekit.report.page import markdown_rows

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
#: One more limit of what saw CelebA.
_CELEBA: Final = """\
- CelebA shows celebrities at public events and is unbalanced in age, skin tone and region."""


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


def model_card(manifest: Mapping[str, Any], results: Sequence[Measurement]) -> str:
    """Write a model card in Markdown: ``card.md`` beside this file, filled in.

    Args:
        manifest: The bundle's manifest as plain mappings (format 1: "name",
            "version", "created", "frame", "preprocessing", "parts",
            "backbone", "heads", "training", "data_licences"). "training" may
            hold anything; its entries are listed as they are.
        results: Rows of the table of measurements.

    Returns:
        Markdown ending with a line break.
    """
    sources = " ".join(manifest["data_licences"]).lower()
    template = files("facekit.report").joinpath("card.md").read_text(encoding="utf-8")
    text = template.format(
        manifest=manifest,
        names=", ".join(manifest["heads"]) or "none yet",
        note=_training_note(manifest),
        interface=_rows(("what", "value"), _interface(manifest)),
        measured=_measured(results),
        training=_rows(("what", "value"), _training(manifest)),
        heads=_rows(("head", "kind", "reads", "sha256"), _heads(manifest)),
        limits=_CELEBA if _research_only(manifest) and "celeba" in sources else "",
    )
    return re.sub(r"\n{3,}", "\n\n", text)  # an empty block leaves no hole


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
    return _rows(columns, [(*astuple(one)[:-1], f"`{one.command}`") for one in results])


def _training(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    given = {k: v for k, v in manifest["training"].items() if k != "taught"}  # hashes
    told = [(key, _plain(value)) for key, value in given.items()]
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


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_rows(columns, rows, words=len(columns)).rstrip("\n") if rows else ""
