"""The int8 graph of a bundle: made, measured against the float one, and put into it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, Int64, Str
from facekit.bundle.bundle import IDENTITY, Bundle, identity_vectors
from facekit.bundle.int8 import INT8, to_int8
from facekit.bundle.load import find_bundle, load_bundle
from facekit.bundle.manifest import Int8Entry
from facekit.bundle.session import OnnxBackbone
from facekit.bundle.write import add_int8
from facekit.datasets.sources import open_attributes, open_classes
from facekit.errors import DataError, FacekitError, UsageError
from facekit.evaluation.measures import attribute_metrics, class_metrics
from facekit.evaluation.verification import FMRS, verification_metrics
from facekit.evaluation.weighted import WeightedAttributes, WeightedClasses
from facekit.system.terminal import tell
from facekit.workflows.evaluate.answers import (
    Answers,
    answer_attributes,
    answer_classes,
    known_classes,
)
from facekit.workflows.sources import Source, crop_source

#: Training crops that show the ranges of the activations; more changed nothing.
CROPS: Final = 512
#: With fewer, ranges are guessed, and a run leaves the graph out.
FEWEST: Final = 256
#: The int8 graph predicts by default where it loses less, in points; of who somebody is,
#: too, where the backbone says that.
MARK: Final = 0.1
#: Measured images at most of which all pairs are compared.
_COMPARED: Final = 4_000
_FMR: Final = next(iter(FMRS))
#: Where its part of card.md begins.
_TITLE: Final = "\n## The second graph\n"


def quantize(model: str | Path, data: Path, *, dataset: str = "celeba") -> Bundle:
    """Give a bundle an int8 graph, or a new one; `facekit models quantize`.

    Args:
        model: Name or folder of a bundle with its own backbone.
        data: Folder of the data set.
        dataset: ``celeba``, or a source of classes such as ``fer``. Training images
            calibrate; all others measure.

    Returns:
        The bundle, read back.

    Raises:
        UsageError: The backbone lies in another bundle.
        DataError: The data cannot be used, or are too few.
        FacekitError: With one line for the user.
    """
    folder = find_bundle(model)
    bundle = load_bundle(folder)
    if bundle.manifest.base is not None:
        base = bundle.manifest.base.name
        raise UsageError(f"{folder} reads the backbone of {base}: quantise that one")
    if dataset == "celeba":
        table = open_attributes(dataset, data, ("train", "val"))
    else:
        table = known_classes(bundle, open_classes(dataset, data, splits=None))
    source = crop_source(table, bundle.frame, bundle=bundle)
    rows = {one: source.rows[(source.table.split == "train") == one] for one in (True, False)}
    if len(rows[True]) < FEWEST or not len(rows[False]):
        raise DataError(
            f"{data} has {len(rows[True]):,} training images and {len(rows[False]):,} others: "
            f"{FEWEST} are needed to calibrate, and others to measure"
        )
    return quantize_bundle(folder, source, rows[True], rows[False])


def ship_int8(folder: Path, source: Source, train: Int64, held: Int64) -> None:
    """As ``quantize_bundle``, at the end of a training, which it must not cost."""
    try:
        quantize_bundle(folder, source, train, held)
    except FacekitError as error:
        tell(f"facekit: {folder} has no int8 graph: {error}")


def quantize_bundle(folder: Path, source: Source, train: Int64, held: Int64) -> Bundle:
    """Make the int8 graph of a written bundle, measure it and put it in.

    Args:
        folder: The bundle; it has its own backbone.
        source: Table and crops.
        train: Positions in the crop cache of those that may calibrate.
        held: The same of those that measure.

    Returns:
        The bundle, read back; as it is where there are fewer than ``FEWEST`` images to
        calibrate with, or none to measure on.
    """
    bundle = load_bundle(folder)
    if len(train) < FEWEST or not len(held):
        return bundle
    drawn = np.random.default_rng(0).choice(train, min(CROPS, len(train)), replace=False)
    graph = to_int8(bundle.graph, source.cache.crops[np.sort(drawn)])
    trial = replace(bundle, backbone=OnnxBackbone(graph, name=INT8), precision="int8")
    loss, facts = measure_loss(bundle, trial, source, held)
    splits = "/".join(np.unique(source.table.split[np.isin(source.rows, held)]).tolist())
    facts |= {
        "calibrated_on": f"{len(drawn)} training images of {source.table.name}",
        "measured_on": f"{len(held)} images of {source.table.name} {splits}",
    }
    made = Int8Entry(
        file=INT8,
        sha256=hashlib.sha256(graph).hexdigest(),
        default=max(loss.values()) < MARK and (_FMR in loss or IDENTITY not in bundle.parts),
        loss=loss,
        facts=facts,
    )
    card = (folder / "card.md").read_text(encoding="utf-8").split(_TITLE)[0]
    return add_int8(folder, graph, made, card.rstrip("\n") + "\n" + _TITLE + _told(made))


def measure_loss(
    bundle: Bundle, trial: Bundle, source: Source, held: Int64
) -> tuple[dict[str, float], dict[str, Any]]:
    """What prediction with another graph of the same network loses.

    Args:
        bundle: With the float graph.
        trial: With the other.
        source: Table and crops.
        held: Positions in the crop cache of what is measured on.

    Returns:
        Points lost, of every answer that the data have labels for and of FNMR at FMR
        1 % (faces read by ``trial`` against others read by ``bundle``, as enrolments
        are); and further numbers.
    """
    table = source.table.select(np.searchsorted(source.rows, held))
    attributes = np.ndim(table.labels) == 2
    answer = answer_attributes if attributes else answer_classes
    given = source.cache.crops, held, table
    before, after = (_accuracy(answer(one, *given)) for one in (bundle, trial))
    loss = {"attributes" if attributes else "accuracy": round(100 * (before - after), 3)}
    if IDENTITY not in bundle.parts:
        return loss, {}
    few = slice(None, None, -(-len(held) // _COMPARED))
    kept, read = (identity_vectors(one, source.cache.crops[held[few]]) for one in (bundle, trial))
    cosines = (kept * read).sum(1)
    least, mean = round(float(cosines.min()), 5), round(float(cosines.mean()), 5)
    facts: dict[str, Any] = {"identity_cosine": mean, "identity_cosine_least": least}
    rates = None if table.person is None else _rates(kept, read, table.person[few])
    if rates is not None:
        loss[_FMR] = round(100 * (rates[1] - rates[0]), 3)
        facts[f"float_{_FMR}"] = round(rates[0], 5)
    return loss, facts


def _rates(kept: Float32, read: Float32, person: Str) -> tuple[float, float] | None:
    """FNMR at FMR 1 % of every face against every other; None where nobody has two."""
    same = person[:, None] == person[None]
    own = np.eye(len(person), dtype=bool)
    if same.all() or not (same & ~own).any():
        return None
    before, after = (
        verification_metrics(alike[same & ~own], alike[~same])[_FMR]
        for alike in (kept @ kept.T, read @ kept.T)
    )
    return before, after


def _accuracy(answers: Answers) -> float:
    given = answers.labels, answers.probabilities
    if answers.exclusive:
        classes = WeightedClasses(*given, answers.majority)
        return class_metrics(classes, answers.names).means["accuracy"]
    attributes = WeightedAttributes(*given, answers.thresholds, answers.majority, answers.names)
    return attribute_metrics(attributes).means["mean_accuracy"]


def _told(made: Int8Entry) -> str:
    """Its part of card.md."""
    lost: dict[str, Any] = {f"points lost, {k}": f"{v:z.2f}" for k, v in made.loss.items()}
    rows = {
        "used by `facekit predict`": "by default" if made.default else "with --precision int8",
        **lost,
        **made.facts,
    }
    lines = "".join(f"| {name.replace('_', ' ')} | {value} |\n" for name, value in rows.items())
    return (
        f"\n`{made.file}`: the same network in int8, for prediction alone; heads and enrolments "
        "are fitted with the float graph, whose hash is their key.\n\n"
        f"| what | value |\n| --- | --- |\n{lines}"
    )
