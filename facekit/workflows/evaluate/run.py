"""Evaluate a bundle's classes: FER-2013, CK+, or anybody's own class folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import DEFAULT, list_bundles, load_bundle
from facekit.datasets.registry import SOURCES, find_source, names
from facekit.datasets.sources import open_attributes, open_classes
from facekit.datasets.splits import draw_even, joined_groups
from facekit.datasets.table import Table
from facekit.errors import DataError, UsageError, nearest
from facekit.evaluation.measures import Evaluation
from facekit.workflows.evaluate.answers import (
    CLASS_HEADS,
    answer_attributes,
    answer_classes,
    grouped,
    known_classes,
    measure,
)
from facekit.workflows.evaluate.flips import flip_rates
from facekit.workflows.sources import (
    Source,
    copy_groups,
    crop_source,
    listed_attributes,
    listed_ids,
    tell_conflicts,
    tell_left_out,
    without,
)
from facekit.workflows.taught import count_taught

#: Bundles to take where none is named: the first that has the head.
_DEFAULTS: Final = (DEFAULT, "fer-frozen", "fer-full-distilled")


def crop_classes(
    bundle: Bundle,
    dataset: str,
    table: Table,
    *,
    excluded: frozenset[str] = frozenset(),
    allow_missing: bool = False,
) -> Source:
    """Crop pictures for a bundle; standard error says how many are left out.

    Args:
        bundle: Whose frame and classes count.
        dataset: Name of the source.
        table: Rows of one partition.
        excluded: Ids to leave out.
        allow_missing: As for ``evaluate``.

    Returns:
        Rows that can be measured; labels that the bundle does not know are -1.
    """
    opened = crop_source(
        table,
        bundle.frame,
        allow_missing=allow_missing or find_source(dataset, "classes").lenient,
        excluded=excluded,
        bundle=bundle,
    )
    left = without(opened, excluded)
    left = replace(left, table=known_classes(bundle, left.table))
    unlabelled = int((left.table.labels < 0).sum())
    tell_left_out(dataset, len(opened.table), len(opened.table) - len(left.table), unlabelled)
    if unlabelled == len(left.table):
        raise DataError(f"{dataset}: no image has a label that the model {bundle.name} knows")
    tell_conflicts(left)
    return left


def measure_classes(
    bundle: Bundle, dataset: str, source: Source, *, split: str = "test", sample: int = 0
) -> dict[str, Any]:
    """The record of a bundle's classes on pictures from ``crop_classes``.

    Args:
        bundle: Written or not.
        dataset: Name of the source.
        source: Its pictures.
        split: Name of the partition.
        sample: So many of them, even over classes and people; 0 takes all.
    """
    if sample:
        drawn = draw_even(source.table, sample)
        source = replace(source, table=source.table.select(drawn), rows=source.rows[drawn])
    known = source.table.labels >= 0
    groups = joined_groups(source.table, copy_groups(source))
    crops = source.cache.crops
    answers = answer_classes(bundle, crops, source.rows, source.table)
    answers = grouped(answers, groups[known], source.table.person)
    record = measure(answers, dataset=dataset, split=split, model=bundle.name).record
    record["flips"] = flip_rates(bundle, answers.names, crops, source.rows[known])
    taught = count_taught(bundle.manifest.training, source.table.select(known), split)
    return record if taught is None else {**record, "taught": taught}


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
) -> Evaluation:
    """Evaluate a bundle; the same as ``facekit evaluate DATASET``.

    Only one partition is read. Images without a label among the model's classes
    (CK+'s contempt, say) are left out; standard error says how many. Classes that
    the data lack stay possible answers.

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
        ("data set", dataset, ("celeba", *names("classes"))),
        ("source", source, names("attributes")),
    ):
        if given not in known:
            raise UsageError(f"{what} {given!r} is not known{nearest(given, known)}")
    folder, listed, told = (None if p is None else Path(p) for p in (data, exclude, people))
    if dataset == "celeba":
        return Evaluation(**_celeba(folder, split, source, model, listed, allow_missing))
    bundle = load_bundle(model if model is not None or SOURCES[dataset].own else _default())
    table = open_classes(
        dataset,
        folder,
        labels=labels,
        people=told,
        aligned=aligned,
        classes=_numbered(bundle),
        splits=None if listed else (split,),  # a list may name pictures of any split
    )
    gone = listed_ids(table, listed) if listed else frozenset[str]()
    cropped = crop_classes(
        bundle, dataset, _only(table, split), excluded=gone, allow_missing=allow_missing
    )
    return Evaluation(**measure_classes(bundle, dataset, cropped, split=split, sample=sample))


def _celeba(
    data: Path | None,
    split: str,
    source: str,
    model: str | Path | None,
    exclude: Path | None,
    allow_missing: bool,
) -> dict[str, Any]:
    """Measure the 40 attributes on one partition; no other is touched."""
    bundle = load_bundle(model)
    table = open_attributes(source, data, (split,), allow_missing=allow_missing)
    gone = listed_attributes(table, data, source, exclude)
    opened = crop_source(table, bundle.frame, allow_missing=allow_missing, excluded=gone)
    left = without(opened, gone)
    tell_left_out("celeba", len(opened.table), len(opened.table) - len(left.table))
    answers = answer_attributes(bundle, left.cache.crops, left.places(split), left.table)
    record = measure(answers, dataset="celeba", split=split, model=bundle.name).record
    taught = count_taught(bundle.manifest.training, left.table, split)
    return record if taught is None else {**record, "taught": taught}
