"""What a finished transfer leaves: bundle, card, report, predictions."""

from __future__ import annotations

import csv
import io
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.atomic import write_atomically
from facekit.bundle.bundle import POINTS, Bundle
from facekit.bundle.write import BundleContents, write_bundle
from facekit.bundle.zoo import find_bundle
from facekit.errors import BundleError
from facekit.evaluation.classification import answer_reliability
from facekit.evaluation.mistakes import most_confident_wrong_classes
from facekit.heads.head import Head, activate
from facekit.labels import EMOTIONS
from facekit.recipe.load import to_toml
from facekit.recipe.transfer import TransferRecipe
from facekit.report.card import measurements, model_card, write_card
from facekit.report.class_record import report_record_classes
from facekit.report.classes import ClassReport, class_page
from facekit.report.page import Thumbnail, write_page
from facekit.report.record import read_history, strict, write_json
from facekit.workflows.class_answers import (
    CLASS_HEADS,
    ClassAnswers,
    MeasuredClasses,
    answer_classes,
    measure_classes,
)
from facekit.workflows.class_data import ClassData
from facekit.workflows.learned import Learned

__all__ = ["write_results"]

#: Crops timed one by one for the latency.
_TIMED: Final = 50

_LICENCES: Final = {
    "fer": {
        "FER-2013": "images found by a web search, no licence stated: for research; weights "
        "trained on data released for non-commercial research"
    },
    "ckplus": {"CK+": "non-commercial research under a signed agreement"},
}


def write_results(
    run: Path, recipe: TransferRecipe, learned: Learned, data: ClassData
) -> tuple[Path, dict[str, Any]]:
    """Write ``bundle/``, ``card.md``, ``report.json``, ``report.html``, ``predictions.csv``.

    Measured is ``test`` where there is one, else validation, else every training
    row by a head that has not seen its group.

    Args:
        run: Run folder; faces shown stay in it.
        recipe: The resolved recipe.
        learned: What the rung hands over.
        data: The classes.

    Returns:
        The bundle's folder and the measures.
    """
    name = CLASS_HEADS[0] if data.names == EMOTIONS else CLASS_HEADS[1]
    contents = _contents(recipe, learned, data, name)
    bundle = write_bundle(run / "bundle", contents)
    split, rows = _measured_rows(data)
    answers = _answers(bundle, learned, data, split, rows)
    told = {"dataset": data.source.table.name, "split": split, "model": recipe.name}
    measured = measure_classes(answers, **told)
    metrics = {f"{split}_{key}": value for key, value in measured.record["metrics"].items()}
    if len(data.val):
        chosen = answers
        if split == "test":
            chosen = _answers(bundle, learned, data, "val", data.val)
            found = measure_classes(chosen, **told).record["metrics"]
            metrics |= {f"val_{key}": value for key, value in found.items()}
        _write_predictions(run / "validation.csv", chosen, data, data.val)
    contents = replace(contents, metrics=strict(metrics))
    command = f"facekit evaluate {recipe.data.source} --data DIR --model {recipe.name}"
    draft = write_bundle(run / "bundle", contents).manifest.model_dump(mode="json")
    card = model_card(draft, measurements(measured.record, measured.metrics.baselines, command))
    bundle = write_bundle(run / "bundle", replace(contents, card=card))
    write_card(run / "card.md", card)
    _write_predictions(run / "predictions.csv", answers, data, rows)
    _write_report(run, recipe, learned, bundle, answers, measured, data, rows)
    return bundle.folder, strict(metrics)


def _contents(
    recipe: TransferRecipe, learned: Learned, data: ClassData, name: str
) -> BundleContents:
    manifest = learned.bundle.manifest
    heads: dict[str, Head] = {name: learned.head}
    base = _findable(learned)
    if learned.base and not base:  # a backbone out of some folder goes along
        heads = {**learned.bundle.heads, **heads}
    training = {**_provenance(recipe, data, learned), "backbone": dict(manifest.training)}
    return BundleContents(
        name=recipe.name,
        version="1",
        frame=learned.bundle.frame,
        onnx=_graph(learned.bundle),
        family=manifest.backbone.family,
        config=manifest.backbone.config,
        parameters=manifest.backbone.parameters,
        macs=manifest.backbone.macs,
        heads=heads,
        head_metrics={
            **{key: entry.metrics for key, entry in manifest.heads.items()},
            name: {"train_majority": data.names[_usual(data)], "calibrated_on": "val"},
        },
        half=True,
        mirror=recipe.mirror,
        training=training,
        data_licences={**manifest.data_licences, **_LICENCES.get(data.source.table.name, {})},
        base=base,
    )


def _usual(data: ClassData) -> int:
    """The commonest class of the training rows."""
    return int(np.bincount(data.labels[data.train], minlength=len(data.names)).argmax())


def _findable(learned: Learned) -> str:
    """The base's name where that name finds this very backbone."""
    if not learned.base:
        return ""
    try:
        there = find_bundle(learned.bundle.name)
    except BundleError:
        return ""
    return learned.bundle.name if there == learned.bundle.folder else ""


def _graph(bundle: Bundle) -> bytes:
    return (bundle.folder / bundle.manifest.backbone.file).read_bytes()


def _measured_rows(data: ClassData) -> tuple[str, NDArray[np.int64]]:
    if len(data.test):
        return "test", data.test
    return ("val", data.val) if len(data.val) else ("train", data.train)


def _answers(
    bundle: Bundle, learned: Learned, data: ClassData, split: str, rows: NDArray[np.int64]
) -> ClassAnswers:
    """Answers on rows; the backbone runs only where the rung has not kept them."""
    place = np.full(len(data.labels), -1, np.int64)
    place[data.source.rows] = np.arange(len(data.source.rows))
    groups = data.groups[rows]
    if split in learned.logits:
        slope, offset = np.moveaxis(np.asarray(learned.head.calibration), 1, 0)
        chances = activate(learned.logits[split] * slope + offset, "softmax")
        answers = ClassAnswers(data.names, data.labels[rows], chances, _usual(data))
    else:
        table = data.source.table.select(place[rows])
        answers = answer_classes(bundle, data.crops, rows, table)
    several = len(np.unique(groups)) < len(groups)
    unit = "person" if data.source.table.person is not None else "picture and its copies"
    return replace(answers, groups=groups if several else None, unit=unit)


def _write_predictions(
    path: Path, answers: ClassAnswers, data: ClassData, rows: NDArray[np.int64]
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("id", "label", "answer", *answers.names))
    ids = data.source.cache.ids[rows]
    for one, label, chances in zip(ids, answers.labels, answers.probabilities, strict=True):
        said = answers.names[int(chances.argmax())]
        writer.writerow((one, answers.names[label], said, *(f"{p:.4f}" for p in chances)))
    write_atomically(path, buffer.getvalue())


def _write_report(
    run: Path,
    recipe: TransferRecipe,
    learned: Learned,
    bundle: Bundle,
    answers: ClassAnswers,
    measured: MeasuredClasses,
    data: ClassData,
    rows: NDArray[np.int64],
) -> None:
    manifest = bundle.manifest
    parameters = manifest.backbone.parameters + learned.head.parameters
    history = read_history(run / "metrics.jsonl")
    provenance = {
        "backbone sha256": manifest.backbone.sha256,
        **{key: str(value) for key, value in _provenance(recipe, data, learned).items()},
    }
    shared: dict[str, Any] = {"history": history, "provenance": provenance, "command": _command()}
    latency = _latency(bundle, data.crops[rows[:_TIMED]], list(manifest.heads))
    write_json(
        run / "report.json",
        report_record_classes(
            measured.record,
            measured.metrics,
            measured.intervals,
            name=recipe.name,
            rung=recipe.rung,
            parameters=parameters,
            trainable=learned.trainable,
            macs=manifest.backbone.macs,
            seconds=round(learned.seconds, 2),
            latency_ms=latency,
            **shared,
        ),
    )
    record = measured.record
    report = ClassReport(
        title=recipe.name,
        subtitle=f"{len(data.names)} classes on {record['n']:,} images of "
        f"{record['dataset']}/{record['split']}",
        metrics=measured.metrics,
        intervals=measured.intervals,
        reliability=answer_reliability(answers.labels, answers.probabilities),
        facts={
            "rung": recipe.rung,
            "parameters": f"{parameters:,}, of which {learned.trainable:,} were trained",
            "training": f"{learned.seconds:,.1f} seconds on {len(data.train):,} images",
            "one face": f"{latency:.1f} ms",
        },
        mistakes=_mistakes(answers, data, rows),
        recipe=to_toml(recipe),
        **shared,
    )
    write_page(run / "report.html", class_page(report))


def _mistakes(answers: ClassAnswers, data: ClassData, rows: NDArray[np.int64]) -> list[Thumbnail]:
    return [
        Thumbnail(
            np.array(data.crops[rows[wrong.row]]),
            answers.names[wrong.answer],
            (f"{100 * wrong.probability:.0f} % sure", f"label: {answers.names[wrong.label]}"),
        )
        for wrong in most_confident_wrong_classes(answers.labels, answers.probabilities)
    ]


def _latency(bundle: Bundle, crops: NDArray[np.uint8], heads: list[str]) -> float:
    """Milliseconds a crop, one at a time, all heads but the points; the median."""
    heads = [name for name in heads if name != POINTS]
    taken = []
    for crop in crops:
        begun = time.perf_counter()
        bundle.scores(crop[None], heads)
        taken.append(time.perf_counter() - begun)
    return round(1000 * float(np.median(taken)), 3)


def _provenance(recipe: TransferRecipe, data: ClassData, learned: Learned) -> dict[str, Any]:
    from facekit import __version__

    images = {"train": len(data.train), "val": len(data.val), "test": len(data.test)}
    return {
        "recipe": recipe.name,
        "rung": recipe.rung,
        "data": data.source.table.name,
        "labels": recipe.data.labels,
        "validation": recipe.data.validation,
        "images": images,
        "base": learned.base or "none",
        "seconds": round(learned.seconds, 1),
        "facekit": __version__,
        "python": platform.python_version(),
        "command": _command(),
    }


def _command() -> str:
    """The command line, with the last name of every absolute path alone."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["facekit", *words])
