"""What a finished transfer leaves: bundle, card, report, predictions."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, Int64, UInt8
from facekit.bundle.bundle import POINTS, Bundle
from facekit.bundle.load import named_bundle
from facekit.bundle.write import BundleContents, draft_bundle, write_bundle
from facekit.datasets.registry import find_source
from facekit.evaluation.measures import answer_reliability
from facekit.evaluation.mistakes import most_confident_wrong_classes
from facekit.heads.head import Head, activate
from facekit.labels import EMOTIONS
from facekit.recipe.load import to_toml
from facekit.recipe.transfer import TransferRecipe
from facekit.report.card import measurements, model_card
from facekit.report.page import Thumbnail, write_page
from facekit.report.record import Measured, Origin, read_history, report_record, strict, write_json
from facekit.report.run import RunReport, run_page
from facekit.system.files import write_atomically
from facekit.system.sheet import csv_text
from facekit.workflows.evaluate.answers import (
    CLASS_HEADS,
    Answers,
    answer_classes,
    grouped,
    measure,
)
from facekit.workflows.evaluate.flips import flip_rates
from facekit.workflows.quantize import ship_int8
from facekit.workflows.run_folder import command_line
from facekit.workflows.taught import sketch
from facekit.workflows.transfer.data import ClassData

#: Of predictions.csv, before the probability of every class. Rows of one group (a
#: person's, copies of a picture) tell no more than one.
PREDICTION_COLUMNS: Final = ("id", "label", "answer", "group")


@dataclass(frozen=True)
class Results:
    """What was learned, measured, before anything is written.

    Attributes:
        contents: Of the bundle, card and all.
        draft: The bundle in memory.
        answers: What was measured: ``test`` where there is one, else validation
            (``val``), else every training row by a head that has not seen its group
            (``cv``).
        measured: The same, as numbers.
        rows: int array of shape (n,): the crops of the answers.
        held: Answers on validation, or by cross-validation, and their crops.
        metrics: Measures by split.
    """

    contents: BundleContents
    draft: Bundle
    answers: Answers
    measured: Measured
    rows: Int64
    held: tuple[Answers, Int64]
    metrics: dict[str, Any]


def measure_results(recipe: TransferRecipe, learned: Learned, data: ClassData) -> Results:
    """Measure what a rung hands over.

    Args:
        recipe: The resolved recipe.
        learned: Backbone and head.
        data: The classes.

    Returns:
        The numbers, and the bundle as it will be.
    """
    split = "val" if len(data.val) else "cv"
    name = CLASS_HEADS[0] if data.names == EMOTIONS else CLASS_HEADS[1]
    contents = _contents(recipe, learned, data, name, split)
    backbone = learned.bundle.backbone
    below = learned.bundle if contents.base else None
    draft = draft_bundle(contents, backbone=backbone, below=below)
    dataset = data.source.table.name
    rows = data.val if len(data.val) else data.train
    answers = _answers(draft, learned, data, split, rows)
    held = answers, rows
    measured = measure(answers, dataset=dataset, split=split, model=recipe.name)
    metrics = _named(split, measured.record)
    if len(data.test):
        split, rows = "test", data.test
        answers = _answers(draft, learned, data, split, rows)
        measured = measure(answers, dataset=dataset, split=split, model=recipe.name)
        metrics = _named(split, measured.record) | metrics
    metrics = strict(metrics)
    contents = replace(contents, metrics=metrics)
    draft = draft_bundle(contents, backbone=backbone, below=below)
    table = measurements(measured.record, measured.metrics.baselines, _printed_by(recipe, split))
    card = model_card(draft.manifest.model_dump(mode="json"), table)
    return Results(replace(contents, card=card), draft, answers, measured, rows, held, metrics)


def write_results(
    run: Path,
    recipe: TransferRecipe,
    learned: Learned,
    data: ClassData,
    results: Results,
    elsewhere: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``bundle/``, ``card.md``, ``predictions.csv``, ``report.html``, ``report.json``.

    Answers on validation are in ``validation.csv`` in any case. ``report.json`` comes
    last: with it the run is finished.

    Args:
        run: Run folder; faces shown stay in it.
        recipe: The resolved recipe.
        learned: What the rung hands over.
        data: The classes.
        results: The same, measured.
        elsewhere: Records of the result on other data, for ``report.json``.

    Returns:
        The bundle's folder.
    """
    _write_predictions(run / "validation.csv", *results.held, data)
    bundle = write_bundle(run / "bundle", results.contents)
    if not learned.base:
        ship_int8(bundle.folder, data.source, data.train, data.val)
    write_atomically(run / "card.md", (bundle.folder / "card.md").read_bytes())
    _write_predictions(run / "predictions.csv", results.answers, results.rows, data)
    report, record = _report(run, recipe, learned, bundle, data, results)
    write_page(run / "report.html", run_page(report))
    write_json(run / "report.json", {**record, **(elsewhere or {})})
    return bundle.folder


def _named(split: str, record: dict[str, Any]) -> dict[str, Any]:
    return {f"{split}_{key}": value for key, value in record["metrics"].items()}


def _printed_by(recipe: TransferRecipe, split: str) -> str:
    """What prints the numbers again: what is held out is known to the run alone."""
    if split != "test":
        return command_line()
    return f"facekit evaluate {recipe.data.source} --data DIR --model {recipe.name}"


def _contents(
    recipe: TransferRecipe, learned: Learned, data: ClassData, name: str, split: str
) -> BundleContents:
    manifest = learned.bundle.manifest
    heads: dict[str, Head] = {name: learned.head}
    base = _findable(learned)
    if learned.base and not base:  # a backbone out of some folder goes along
        heads = {**learned.bundle.heads, **heads}
    licences = find_source(recipe.data.source, "classes").licences
    place = np.searchsorted(data.source.rows, data.train)  # rows ascend
    training = {
        **provenance_of(recipe, data, learned),
        "taught": sketch(data.source.table.select(place)),
        "backbone": {k: v for k, v in manifest.training.items() if k != "taught"},
    }
    return BundleContents(
        name=recipe.name,
        version="1",
        frame=learned.bundle.frame,
        onnx=learned.bundle.graph.read_bytes(),
        family=manifest.backbone.family,
        config=manifest.backbone.config,
        parameters=manifest.backbone.parameters,
        macs=manifest.backbone.macs,
        heads=heads,
        head_metrics={
            **{key: entry.metrics for key, entry in manifest.heads.items()},
            name: {"train_majority": data.names[_usual(data)], "calibrated_on": split},
        },
        half=True,
        mirror=recipe.mirror,
        training=training,
        data_licences={**manifest.data_licences, **licences},
        base=base,
    )


def _usual(data: ClassData) -> int:
    """The commonest class of the training rows."""
    return int(np.bincount(data.labels[data.train], minlength=len(data.names)).argmax())


def _findable(learned: Learned) -> str:
    """The base's name where that name finds this very backbone from anywhere."""
    if not learned.base:
        return ""
    bundle = learned.bundle
    there = named_bundle(bundle.name)
    same = there is not None and there.resolve() == bundle.folder.resolve()
    return bundle.name if same else ""


def _answers(bundle: Bundle, learned: Learned, data: ClassData, split: str, rows: Int64) -> Answers:
    """Answers on rows; the backbone runs only where the rung has not kept them."""
    place = np.full(len(data.labels), -1, np.int64)
    place[data.source.rows] = np.arange(len(data.source.rows))
    if split in learned.logits:
        slope, offset = np.moveaxis(np.asarray(learned.head.calibration), 1, 0)
        chances = activate(learned.logits[split] * slope + offset, "softmax")
        answers = Answers(data.names, data.labels[rows], chances, _usual(data))
    else:
        table = data.source.table.select(place[rows])
        answers = answer_classes(bundle, data.crops, rows, table)
    return grouped(answers, data.groups[rows], data.source.table.person)


def _write_predictions(path: Path, answers: Answers, rows: Int64, data: ClassData) -> None:
    """Probabilities with all digits that count: what is decided on them is decided exactly."""
    told = data.source.cache.ids[rows], answers.labels, data.groups[rows], answers.probabilities
    lines = []
    for one, label, group, chances in zip(*told, strict=True):
        said = answers.names[int(chances.argmax())]
        lines.append((str(one), answers.names[label], said, str(group), *map(str, chances)))
    write_atomically(path, csv_text((*PREDICTION_COLUMNS, *answers.names), lines))


#: Crops timed one by one for the latency.
_TIMED: Final = 50
#: What was measured, for the page's second line.
_MEASURED: Final = {
    "test": "test images",
    "val": "validation images",
    "cv": "training images, each answered by a head that has not seen it",
}


def _report(
    run: Path,
    recipe: TransferRecipe,
    learned: Learned,
    bundle: Bundle,
    data: ClassData,
    results: Results,
) -> tuple[RunReport, dict[str, Any]]:
    """What the page shows, and the record beside it."""
    answers, measured, record = results.answers, results.measured, results.measured.record
    backbone = bundle.manifest.backbone
    parameters = backbone.parameters + learned.head.parameters
    provenance = provenance_of(recipe, data, learned)
    told = {"backbone sha256": backbone.sha256, **{k: str(v) for k, v in provenance.items()}}
    origin = Origin(command_line(), told, read_history(run / "metrics.jsonl"))
    flips = {}
    if recipe.rung != "frozen":  # there `evaluate` says it: a fit takes less time
        flips = flip_rates(bundle, answers.names, data.crops, results.rows)
    latency = _latency(bundle, data.crops[results.rows[:_TIMED]], list(bundle.manifest.heads))
    report = RunReport(
        title=recipe.name,
        subtitle=f"{len(data.names)} classes of {record['dataset']}, measured on "
        f"{record['n']:,} {_MEASURED[record['split']]}",
        measured=measured,
        reliability=answer_reliability(answers.labels, answers.probabilities),
        facts={
            "rung": recipe.rung,
            "parameters": f"{parameters:,}, of which {learned.trainable:,} were trained",
            "training": f"{learned.seconds:,.1f} seconds on {len(data.train):,} images",
            "one face": f"{latency:.1f} ms",
            **{f"another answer, {k}": f"{100 * v:.1f} %" for k, v in flips.items()},
        },
        mistakes=_mistakes(answers, data, results.rows),
        recipe=to_toml(recipe),
        origin=origin,
    )
    costs = {
        "parameters": parameters,
        "trainable": learned.trainable,
        "macs": backbone.macs,
        "seconds": round(learned.seconds, 2),
        "latency_ms": latency,
    }
    named = {"kind": "transfer", "name": recipe.name, "rung": recipe.rung}
    record = report_record(measured, origin, run=named, costs=costs)
    return report, record | ({"flips": flips} if flips else {})


def _mistakes(answers: Answers, data: ClassData, rows: Int64) -> list[Thumbnail]:
    return [
        Thumbnail(
            np.array(data.crops[rows[wrong.row]]),
            answers.names[wrong.answer],
            (f"{100 * wrong.probability:.0f} % sure", f"label: {answers.names[wrong.label]}"),
        )
        for wrong in most_confident_wrong_classes(answers.labels, answers.probabilities)
    ]


def _latency(bundle: Bundle, crops: UInt8, heads: list[str]) -> float:
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
    from facekit._version import __version__

    images = {"train": len(data.train), "val": len(data.val), "test": len(data.test)}
    return {
        "recipe": recipe.name,
        "rung": recipe.rung,
        "data": data.source.table.name,
        "labels": recipe.data.labels,
        "validation": recipe.data.validation,
        "images": images,
        "base": learned.bundle.name if learned.base else "none",
        **({"teachers": list(learned.teachers)} if learned.teachers else {}),
        "seconds": round(learned.seconds, 1),
        "facekit": __version__,
        "python": platform.python_version(),
        "command": command_line(),
    }


@dataclass(frozen=True)
class Learned:
    """What a rung hands over.

    Attributes:
        bundle: The backbone that the head reads: the frozen one, or the tuned one
            as a bundle without heads.
        head: Calibrated.
        base: Name of the frozen bundle; empty where the backbone is the recipe's own.
        seconds: Of training; features included.
        trainable: Numbers that were trained.
        logits: By split, float32 array of shape (n, k): uncalibrated answers on the
            rows of ``ClassData``, averaged over the views of prediction, where they
            are known already. Those of ``cv`` are of the training rows, each from a
            head that has not seen its group.
        teachers: Who taught beside the labels, in words.
    """

    bundle: Bundle
    head: Head
    base: str
    seconds: float
    trainable: int
    logits: Mapping[str, Float32] = field(default_factory=dict)
    teachers: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransferResult:
    """What a sitting left behind.

    Attributes:
        run: The run folder.
        rung: Which rung was trained; for ``auto`` the one that was kept.
        bundle: The bundle in it, None while the run is not finished.
        metrics: The last epoch's row, or the measures of the finished run.
        finished: Whether training reached its end.
    """

    run: Path
    rung: str
    bundle: Path | None
    metrics: dict[str, Any]
    finished: bool
