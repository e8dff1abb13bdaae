"""What a finished transfer leaves: bundle, card, report, predictions."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.atomic import write_atomically
from facekit.bundle.bundle import Bundle
from facekit.bundle.write import BundleContents, write_bundle
from facekit.bundle.zoo import named_bundle
from facekit.heads.activation import activate
from facekit.heads.head import Head
from facekit.labels import EMOTIONS
from facekit.recipe.transfer import TransferRecipe
from facekit.report.card import measurements, model_card, write_card
from facekit.report.record import strict
from facekit.workflows.class_answers import (
    CLASS_HEADS,
    ClassAnswers,
    answer_classes,
    grouped,
    measure_classes,
)
from facekit.workflows.class_data import ClassData
from facekit.workflows.class_report import provenance_of, write_report
from facekit.workflows.command_line import command_line
from facekit.workflows.learned import Learned

__all__ = ["PREDICTION_COLUMNS", "write_results"]

#: Of predictions.csv, before the probability of every class. Rows of one group (a
#: person's, copies of a picture) tell no more than one.
PREDICTION_COLUMNS: Final = ("id", "label", "answer", "group")
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
    """Write ``bundle/``, ``card.md``, ``predictions.csv``, ``report.html``, ``report.json``.

    Measured is ``test`` where there is one, else validation (``val``), else every
    training row by a head that has not seen its group (``cv``). The last two are in
    ``validation.csv`` in any case. ``report.json`` comes last: with it the run is
    finished.

    Args:
        run: Run folder; faces shown stay in it.
        recipe: The resolved recipe.
        learned: What the rung hands over.
        data: The classes.

    Returns:
        The bundle's folder and the measures.
    """
    split = "val" if len(data.val) else "cv"
    name = CLASS_HEADS[0] if data.names == EMOTIONS else CLASS_HEADS[1]
    contents = _contents(recipe, learned, data, name, split)
    bundle = write_bundle(run / "bundle", contents)
    rows = data.val if len(data.val) else data.train
    answers = _answers(bundle, learned, data, split, rows)
    _write_predictions(run / "validation.csv", answers, data, rows)
    told = data.source.table.name, recipe.name
    measured = measure_classes(answers, dataset=told[0], split=split, model=told[1])
    metrics = _named(split, measured.record)
    if len(data.test):
        split, rows = "test", data.test
        answers = _answers(bundle, learned, data, split, rows)
        measured = measure_classes(answers, dataset=told[0], split=split, model=told[1])
        metrics = _named(split, measured.record) | metrics
    contents = replace(contents, metrics=strict(metrics))
    draft = write_bundle(run / "bundle", contents).manifest.model_dump(mode="json")
    baselines = measured.metrics.baselines
    card = model_card(draft, measurements(measured.record, baselines, _printed_by(recipe, split)))
    bundle = write_bundle(run / "bundle", replace(contents, card=card))
    write_card(run / "card.md", card)
    _write_predictions(run / "predictions.csv", answers, data, rows)
    write_report(run, recipe, learned, bundle, answers, measured, data, rows)
    return bundle.folder, strict(metrics)


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
    training = {**provenance_of(recipe, data, learned), "backbone": dict(manifest.training)}
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
        data_licences={**manifest.data_licences, **_LICENCES.get(data.source.table.name, {})},
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


def _answers(
    bundle: Bundle, learned: Learned, data: ClassData, split: str, rows: NDArray[np.int64]
) -> ClassAnswers:
    """Answers on rows; the backbone runs only where the rung has not kept them."""
    place = np.full(len(data.labels), -1, np.int64)
    place[data.source.rows] = np.arange(len(data.source.rows))
    if split in learned.logits:
        slope, offset = np.moveaxis(np.asarray(learned.head.calibration), 1, 0)
        chances = activate(learned.logits[split] * slope + offset, "softmax")
        answers = ClassAnswers(data.names, data.labels[rows], chances, _usual(data))
    else:
        table = data.source.table.select(place[rows])
        answers = answer_classes(bundle, data.crops, rows, table)
    return grouped(answers, data.groups[rows], data.source.table.person)


def _write_predictions(
    path: Path, answers: ClassAnswers, data: ClassData, rows: NDArray[np.int64]
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*PREDICTION_COLUMNS, *answers.names))
    told = data.source.cache.ids[rows], answers.labels, data.groups[rows], answers.probabilities
    for one, label, group, chances in zip(*told, strict=True):
        said = answers.names[int(chances.argmax())]
        row = one, answers.names[label], said, group
        writer.writerow((*row, *(f"{p:.4f}" for p in chances)))
    write_atomically(path, buffer.getvalue())
