"""Evaluate a bundle's classes: FER-2013, CK+, or anybody's own class folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.bundle.zoo import DEFAULT, list_bundles, load_bundle
from facekit.datasets.holdout import joined_groups
from facekit.datasets.sample import draw_even
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.workflows.class_answers import (
    CLASS_HEADS,
    answer_classes,
    grouped,
    known_classes,
    measure_classes,
)
from facekit.workflows.class_sources import open_classes
from facekit.workflows.copies import copy_groups
from facekit.workflows.exclusion import listed_ids, tell_left_out, without
from facekit.workflows.sources import crop_source

__all__ = ["CLASS_DATASETS", "evaluate_classes"]

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
