"""The report of a finished transfer: ``report.html`` and ``report.json``."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import POINTS, Bundle
from facekit.evaluation.classification import answer_reliability
from facekit.evaluation.mistakes import most_confident_wrong_classes
from facekit.recipe.load import to_toml
from facekit.recipe.transfer import TransferRecipe
from facekit.report.class_record import report_record_classes
from facekit.report.classes import ClassReport, class_page
from facekit.report.page import Thumbnail, write_page
from facekit.report.record import read_history, write_json
from facekit.workflows.class_answers import ClassAnswers, MeasuredClasses
from facekit.workflows.class_data import ClassData
from facekit.workflows.command_line import command_line
from facekit.workflows.learned import Learned

__all__ = ["provenance_of", "write_report"]

#: Crops timed one by one for the latency.
_TIMED: Final = 50
#: What was measured, for the page's second line.
_MEASURED: Final = {
    "test": "test images",
    "val": "validation images",
    "cv": "training images, each answered by a head that has not seen it",
}


def write_report(
    run: Path,
    recipe: TransferRecipe,
    learned: Learned,
    bundle: Bundle,
    answers: ClassAnswers,
    measured: MeasuredClasses,
    data: ClassData,
    rows: NDArray[np.int64],
) -> None:
    """Write the page, then the record.

    Args:
        run: Run folder with ``metrics.jsonl`` in it.
        recipe: The resolved recipe.
        learned: What the rung handed over.
        bundle: The finished bundle.
        answers: What was measured.
        measured: The same, as numbers.
        data: The classes.
        rows: int array of shape (n,): the crops of the answers.
    """
    manifest = bundle.manifest
    parameters = manifest.backbone.parameters + learned.head.parameters
    history = read_history(run / "metrics.jsonl")
    provenance = {
        "backbone sha256": manifest.backbone.sha256,
        **{key: str(value) for key, value in provenance_of(recipe, data, learned).items()},
    }
    shared: dict[str, Any] = {
        "history": history,
        "provenance": provenance,
        "command": command_line(),
    }
    latency = _latency(bundle, data.crops[rows[:_TIMED]], list(manifest.heads))
    record = measured.record
    report = ClassReport(
        title=recipe.name,
        subtitle=f"{len(data.names)} classes of {record['dataset']}, measured on "
        f"{record['n']:,} {_MEASURED[record['split']]}",
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


def provenance_of(recipe: TransferRecipe, data: ClassData, learned: Learned) -> dict[str, Any]:
    """Where a run's bundle comes from, for its manifest and its report."""
    from facekit import __version__

    images = {"train": len(data.train), "val": len(data.val), "test": len(data.test)}
    return {
        "recipe": recipe.name,
        "rung": recipe.rung,
        "data": data.source.table.name,
        "labels": recipe.data.labels,
        "validation": recipe.data.validation,
        "images": images,
        "base": learned.bundle.name if learned.base else "none",
        "seconds": round(learned.seconds, 1),
        "facekit": __version__,
        "python": platform.python_version(),
        "command": command_line(),
    }
