"""Evaluate a bundle's classes: FER-2013, CK+, or anybody's own class folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import DEFAULT, list_bundles, load_bundle
from facekit.datasets.sources import open_classes
from facekit.datasets.splits import draw_even, joined_groups
from facekit.datasets.table import Table
from facekit.errors import BundleError, DataError, UsageError
from facekit.evaluation.measures import (
    AttributeIntervals,
    AttributeMetrics,
    ClassEvaluation,
    Evaluation,
    attribute_intervals,
    attribute_metrics,
)
from facekit.labels import ATTRIBUTES
from facekit.recipe.load import nearest
from facekit.report.record import evaluation_record
from facekit.workflows.copies import copy_groups
from facekit.workflows.evaluate.answers import (
    CLASS_HEADS,
    answer_classes,
    grouped,
    known_classes,
    measure_classes,
)
from facekit.workflows.sources import (
    crop_source,
    listed_attributes,
    listed_ids,
    open_table,
    tell_left_out,
    without,
)

#: Data sets of classes that exclude each other.
CLASS_DATASETS: Final = ("fer", "ckplus", "folder", "tfrecord")
#: Bundles to take where none is named: the first that has the head.
_DEFAULTS: Final = (DEFAULT, "fer-frozen", "fer-full")


def evaluate_classes(
    dataset: str,
    data: Path | None,
    *,
    split: str = "test",
    model: str | Path | None = None,
    labels: str = "fer",
    exclude: Path | None = None,
    people: Path | None = None,
    aligned: str | None = None,
    sample: int = 0,
    allow_missing: bool = False,
    cache_root: Path | None = None,
) -> dict[str, Any]:
    """Measure a bundle's classes on one partition; no other is cropped.

    Images without a label among the model's classes (CK+'s contempt, say) are
    left out; standard error says how many. Classes that the data lack stay
    possible answers.

    Args:
        dataset: ``fer``, ``ckplus``, ``folder`` or ``tfrecord`` (labels by their names,
            else numbered as the model's classes).
        data: Its folder.
        split: train, val or test.
        model: Name or folder of a bundle; None for the shipped one.
        labels: ``fer`` or ``ferplus`` (the emotion with most votes).
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        people: For ``folder``: a csv that says who is in each picture.
        aligned: For ``folder``: ``fer`` or ``celeba`` when its faces lie as in that
            data set; None to detect faces.
        sample: Measure on so many of the images, as even over classes and people as
            they can be; 0 takes all.
        allow_missing: Leave out images that are missing or unreadable; of a
            ``folder`` they always are. Standard error says which.
        cache_root: Folder for crops; None for the one in the user's home.

    Returns:
        See ``report.class_record.class_record``.

    Raises:
        FacekitError: The data or the bundle cannot be used.
    """
    everything = exclude is not None  # a list may name pictures of any split
    own = dataset in ("folder", "tfrecord")  # classes of anybody's own, of no shipped bundle
    bundle = load_bundle(model if model is not None or own else _default())
    table = open_classes(
        dataset,
        data,
        labels=labels,
        people=people,
        aligned=aligned,
        classes=_numbered(bundle) if dataset == "tfrecord" else (),
        splits=None if everything else (split,),
    )
    gone = frozenset[str]() if exclude is None else listed_ids(table, exclude)
    table = _only(table, split)
    opened = crop_source(
        table,
        bundle.frame,
        allow_missing=allow_missing or dataset == "folder",
        excluded=gone,
        cache_root=cache_root,
        bundle=bundle,
    )
    left = without(opened, gone)
    left = replace(left, table=known_classes(bundle, left.table))
    unlabelled = int((left.table.labels < 0).sum())
    tell_left_out(dataset, len(opened.table), len(opened.table) - len(left.table), unlabelled)
    if sample:
        drawn = draw_even(left.table, sample)
        left = replace(left, table=left.table.select(drawn), rows=left.rows[drawn])
    known = left.table.labels >= 0
    groups = joined_groups(left.table, copy_groups(left))
    answers = answer_classes(bundle, left.cache.crops, left.rows, left.table)
    answers = grouped(answers, groups[known], left.table.person)
    return measure_classes(answers, dataset=dataset, split=split, model=bundle.name).record


def _only(table: Table, split: str) -> Table:
    chosen = table.split == split
    if not chosen.any():
        have = ", ".join(np.unique(table.split).tolist())
        raise DataError(f"{table.name} has no images of {split} (it has: {have}): name another")
    return table.select(chosen)


def _numbered(bundle: Bundle) -> tuple[str, ...]:
    """The classes in the order that a record's numbers have where it has no names."""
    heads = (bundle.heads[name].labels for name in reversed(CLASS_HEADS) if name in bundle.heads)
    return next(heads, ())


def _default() -> str:
    """The first usual bundle that tells emotions, by its manifest alone."""
    heads = {b.name: b.manifest.heads for b in list_bundles() if b.manifest is not None}
    return next((name for name in _DEFAULTS if CLASS_HEADS[0] in heads.get(name, {})), DEFAULT)


# Evaluate a bundle on one partition: CelebA here, classes in ``evaluate_classes``.

#: Rounds of the bootstrap behind every interval.
ROUNDS = 1000


@dataclass(frozen=True)
class AttributeAnswers:
    """Labels beside a bundle's answers, row by row.

    Attributes:
        labels: int8 array of shape (n, 40): 1, 0, -1 for unknown.
        probabilities: float array of shape (n, 40) in [0, 1].
        thresholds: float array of shape (40,).
        majority: The training data's majority, int8 (40,), or None if unknown.
        persons: str array of shape (n,), or None.
    """

    labels: NDArray[np.int8]
    probabilities: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    majority: NDArray[np.int8] | None
    persons: NDArray[np.str_] | None


@dataclass(frozen=True)
class Measured:
    """Answers turned into numbers.

    Attributes:
        metrics: Every measure of every attribute.
        intervals: Their 95 % intervals.
        record: Both as ``facekit evaluate --json`` prints them.
    """

    metrics: AttributeMetrics
    intervals: AttributeIntervals
    record: dict[str, Any]


@overload
def evaluate(
    dataset: Literal["celeba"] = ...,
    data: Path | str | None = ...,
    *,
    split: str = ...,
    source: str = ...,
    model: str | Path | None = ...,
    allow_missing: bool = ...,
    exclude: Path | str | None = ...,
) -> Evaluation: ...
@overload
def evaluate(
    dataset: Literal["fer", "ckplus", "folder", "tfrecord"],
    data: Path | str,
    *,
    split: str = ...,
    model: str | Path | None = ...,
    allow_missing: bool = ...,
    labels: str = ...,
    exclude: Path | str | None = ...,
    people: Path | str | None = ...,
    aligned: str | None = ...,
    sample: int = ...,
) -> ClassEvaluation: ...
def evaluate(
    dataset: str = "celeba",
    data: Path | str | None = None,
    *,
    split: str = "test",
    source: str = "celeba",
    model: str | Path | None = None,
    allow_missing: bool = False,
    labels: str = "fer",
    exclude: Path | str | None = None,
    people: Path | str | None = None,
    aligned: str | None = None,
    sample: int = 0,
) -> Evaluation | ClassEvaluation:
    """Evaluate a bundle; the same as ``facekit evaluate DATASET``.

    Args:
        dataset: ``celeba`` (40 attributes), ``fer`` or ``ckplus`` (emotions), or
            ``folder`` or ``tfrecord`` (anybody's own classes).
        data: Folder of the data set; with ``source="tfds"`` the TFDS data folder.
        split: train, val or test.
        source: ``celeba`` (a folder) or ``tfds`` (TensorFlow Datasets' ``celeb_a``).
        model: Name or folder of a bundle; None for the shipped one.
        allow_missing: Leave out images that are missing or unreadable.
        labels: Of FER-2013: ``fer``, or ``ferplus`` for the most voted emotion.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        people: For ``folder``: a csv that says who is in each picture.
        aligned: For ``folder``: ``fer`` or ``celeba`` when its faces lie as in that
            data set; None to detect faces.
        sample: Of classes: measure on so many images, even over classes and people;
            0 takes all.

    Returns:
        The numbers; ``record()`` gives them in JSON's own types.

    Raises:
        UsageError: ``dataset`` or ``source`` is another name.
        FacekitError: With one line for the user.
    """
    for what, given, known in (
        ("data set", dataset, ("celeba", *CLASS_DATASETS)),
        ("source", source, ("celeba", "tfds")),
    ):
        if given not in known:
            raise UsageError(f"{what} {given!r} is not known{nearest(given, known)}")
    folder, listed, told = (None if p is None else Path(p) for p in (data, exclude, people))
    shared: dict[str, Any] = {"split": split, "model": model, "allow_missing": allow_missing}
    shared["exclude"] = listed
    if dataset == "celeba":
        return Evaluation(**evaluate_celeba(folder, source=source, **shared))
    more: dict[str, Any] = {"labels": labels, "people": told, "aligned": aligned}
    more["sample"] = sample
    return ClassEvaluation(**evaluate_classes(dataset, folder, **shared, **more))


def evaluate_celeba(
    data: Path | None,
    *,
    split: str = "test",
    model: str | Path | None = None,
    allow_missing: bool = False,
    exclude: Path | None = None,
    source: str = "celeba",
    cache_root: Path | None = None,
) -> dict[str, Any]:
    """Measure the 40 attributes on one partition; no other is touched.

    Args:
        data: CelebA folder (TFDS data folder for source ``tfds``).
        split: train, val or test.
        model: Name or folder of a bundle; None for the shipped one.
        allow_missing: Leave out images that are missing or unreadable.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        source: ``celeba`` or ``tfds``.
        cache_root: Folder for crops; None for the one in the user's home.

    Returns:
        See ``report.record.evaluation_record``.

    Raises:
        FacekitError: The data or the bundle cannot be used.
    """
    bundle = load_bundle(model)
    table = open_table(data, source, (split,), allow_missing=allow_missing)
    gone = listed_attributes(table, data, source, exclude)
    opened = crop_source(
        table, bundle.frame, allow_missing=allow_missing, excluded=gone, cache_root=cache_root
    )
    left = without(opened, gone)
    tell_left_out("celeba", len(opened.table), len(opened.table) - len(left.table))
    answers = answer(bundle, left.cache.crops, left.places(split), left.table)
    return measure(answers, dataset="celeba", split=split, model=bundle.name).record


def answer(
    bundle: Bundle, crops: NDArray[np.uint8], places: NDArray[np.int64], table: Any
) -> AttributeAnswers:
    """Read the attribute head for rows of a crop cache.

    Args:
        bundle: Must have a head ``attributes``.
        crops: uint8 RGB array of shape (m, side, side, 3).
        places: int array of shape (n,), the crops of the table's rows in order.
        table: The n rows.

    Returns:
        Labels beside answers.

    Raises:
        BundleError: The bundle has no such head.
    """
    head = bundle.heads.get("attributes")
    if head is None or head.labels != ATTRIBUTES:
        raise BundleError(
            f"{bundle.name} has no head for the 40 attributes (its heads: "
            f"{', '.join(bundle.heads) or 'none'}): name another --model"
        )
    scores = [
        bundle.scores(crops[places[i : i + 1024]], ["attributes"])["attributes"]
        for i in range(0, len(places), 1024)
    ]
    known = bundle.manifest.heads["attributes"].metrics.get("train_majority")
    return AttributeAnswers(
        np.asarray(table.labels, np.int8),
        np.concatenate(scores),
        np.full(len(ATTRIBUTES), 0.5, np.float32) if head.thresholds is None else head.thresholds,
        None if known is None else np.asarray(known, np.int8),
        table.person,
    )


def measure(
    answers: AttributeAnswers, *, dataset: str, split: str, model: str, rounds: int = ROUNDS
) -> Measured:
    """Metrics and intervals of answers.

    Args:
        answers: From ``answer``.
        dataset: Name of the data.
        split: Partition measured.
        model: Name of the bundle.
        rounds: Bootstrap rounds; people are resampled whole where they are known.

    Returns:
        The numbers and their record.
    """
    given = (answers.labels, answers.probabilities, answers.thresholds, answers.majority)
    metrics = attribute_metrics(*given)
    intervals = attribute_intervals(*given, persons=answers.persons, rounds=rounds)
    record = evaluation_record(metrics, intervals, dataset=dataset, split=split, model=model)
    return Measured(metrics, intervals, record)
