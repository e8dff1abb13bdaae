"""Open a data set by its name: rows of some splits, and what is odd about it told."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np

from facekit.datasets.celeba import require_splits
from facekit.datasets.registry import find_source
from facekit.datasets.table import Table, tell_issues
from facekit.errors import DataError, UsageError
from facekit.frame import ALIGNED_EYES


class ClassOptions(TypedDict, total=False):
    """How sources of classes are read; each takes what its entry in ``SOURCES`` says.

    Attributes:
        labels: ``fer`` or ``ferplus``; of fer, as for ``read_fer``.
        votes: Fill ``soft`` beside FER-2013's own labels too.
        people: Csv that says who is in each picture; of folder.
        aligned: Key of ``frame.ALIGNED_EYES`` when the pictures are aligned crops;
            None detects faces in a folder and takes records as FER's crops.
        image_key: Feature with the encoded picture; of tfrecord.
        label_key: Feature with the label; of tfrecord.
        first_label: Number of the first class; of tfrecord.
        classes: Their names in the order of the labels; of tfrecord; none takes the
            names in the records, and FER-2013's seven emotions where they have none.
    """

    labels: str
    votes: bool
    people: Path | None
    aligned: str | None
    image_key: str
    label_key: str
    first_label: int
    classes: tuple[str, ...]


def open_classes(
    dataset: str,
    data: Path | None,
    *,
    splits: tuple[str, ...] | None = None,
    limit: int = 0,
    tell: bool = True,
    **options: Unpack[ClassOptions],
) -> Table:
    """Read pictures with one class each.

    A table of what is missing, unreadable, unlisted or mislabelled goes to standard
    error.

    Args:
        dataset: A source of classes in ``SOURCES``; each takes what its entry says.
        data: Its folder or file.
        splits: Which of train, val and test to keep; None for all.
        limit: Keep so many images of each split, evenly spaced because rows come
            class by class; 0 keeps all.
        tell: Whether to say what is missing; False leaves it to the caller.
        options: What some sources ask besides; see ``ClassOptions``.

    Returns:
        The table.

    Raises:
        UsageError: An argument is not allowed, or the folder is not given.
        DataError: The source cannot be used, or nothing of it is left.
    """
    source = find_source(dataset, "classes")
    aligned = options.get("aligned")
    if aligned is not None and aligned not in ALIGNED_EYES:
        raise UsageError(f"aligned {aligned!r} is not among {', '.join(ALIGNED_EYES)}")
    if splits is not None:
        require_splits(splits)
    table = source.read(data, {**options, "splits": splits})
    if tell:
        tell_issues(table, data)
    return _keep(table, splits, limit)


def open_attributes(
    dataset: str,
    data: Path | None,
    splits: tuple[str, ...],
    *,
    allow_missing: bool = False,
    limit: int = 0,
) -> Table:
    """Read the rows of some splits; no other split is touched.

    A table of what is missing, unreadable or unlisted goes to standard error.

    Args:
        dataset: A source of attributes in ``SOURCES``: ``celeba`` or ``tfds``.
        data: Its folder; TFDS needs none.
        splits: Which of train, val and test.
        allow_missing: Leave out images that are missing or unreadable.
        limit: Keep the first images of each split only; 0 keeps all.

    Returns:
        The table.

    Raises:
        UsageError: A folder is needed and none is given.
        DataError: The source cannot be used.
    """
    source = find_source(dataset, "attributes")
    table = source.read(data, {"splits": splits, "allow_missing": allow_missing})
    tell_issues(table, data)
    if limit:
        kept = [np.flatnonzero(table.split == split)[:limit] for split in splits]
        table = table.select(np.sort(np.concatenate(kept)))
    return table


def _keep(table: Table, splits: tuple[str, ...] | None, limit: int) -> Table:
    """Leave out other splits, then what is over the limit."""
    if splits is not None:
        have = ", ".join(np.unique(table.split).tolist())
        table = table.select(np.isin(table.split, splits))
        if not len(table):
            raise DataError(
                f"{table.name} has no images of {' or '.join(splits)} (it has: {have}): "
                "name another folder or another split"
            )
    if limit:
        rows = [np.flatnonzero(table.split == split) for split in np.unique(table.split)]
        spaced = [
            part[np.arange(min(limit, len(part))) * len(part) // min(limit, len(part))]
            for part in rows
        ]
        table = table.select(np.sort(np.concatenate(spaced)))
    return table
