"""Open pictures with one class each, by the name of their source."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np

from facekit.datasets.celeba import require_splits
from facekit.datasets.excluded import leave_out, read_excluded
from facekit.datasets.table import Table
from facekit.errors import DataError, UsageError
from facekit.frame import ALIGNED_EYES
from facekit.workflows.sources import tell_issues

__all__ = ["CLASS_SOURCES", "listed_ids", "open_classes", "tell_left_out"]

#: Sources of pictures with one class each, and what their folder holds.
CLASS_SOURCES: Final[dict[str, str]] = {
    "fer": "train/<emotion>/*.png or test/<emotion>/*.png, or fer2013.csv",
    "ckplus": "<emotion>/S010_004_00000017.png",
    "folder": "<class>/*.jpg, or train/<class>/*.jpg and test/<class>/*.jpg",
    "tfrecord": "*.tfrecord",
}


def open_classes(
    dataset: str,
    data: Path | None,
    *,
    labels: str = "fer",
    votes: bool = False,
    people: Path | None = None,
    aligned: str | None = None,
    image_key: str = "image/encoded",
    label_key: str = "image/class/label",
    first_label: int = 0,
    splits: tuple[str, ...] | None = None,
    limit: int = 0,
) -> Table:
    """Read pictures with one class each.

    A table of what is missing, unreadable, unlisted or mislabelled goes to standard
    error.

    Args:
        dataset: Key of ``CLASS_SOURCES``.
        data: Its folder or file.
        labels: ``fer`` or ``ferplus``; of fer, as for ``read_fer``.
        votes: Fill ``soft`` beside FER-2013's own labels too.
        people: Csv that says who is in each picture; of folder.
        aligned: Key of ``frame.ALIGNED_EYES`` when the pictures are aligned crops;
            None detects faces in a folder and takes records as FER's crops.
        image_key: Feature with the encoded picture; of tfrecord.
        label_key: Feature with the label; of tfrecord.
        first_label: Number of the first class; of tfrecord.
        splits: Which of train, val and test to keep; None for all.
        limit: Keep so many images of each split, evenly spaced because rows come
            class by class; 0 keeps all.

    Returns:
        The table.

    Raises:
        UsageError: An argument is not allowed, or the folder is not given.
        DataError: The source cannot be used, or nothing of it is left.
    """
    if dataset not in CLASS_SOURCES:
        raise UsageError(f"dataset {dataset!r} is not among {', '.join(CLASS_SOURCES)}")
    if data is None:
        raise UsageError(f"--data is missing: name what holds {CLASS_SOURCES[dataset]}")
    if aligned is not None and aligned not in ALIGNED_EYES:
        raise UsageError(f"aligned {aligned!r} is not among {', '.join(ALIGNED_EYES)}")
    if splits is not None:
        require_splits(splits)
    if dataset == "fer":
        from facekit.datasets.fer import read_fer

        table = read_fer(data, labels=labels, votes=votes, splits=splits)
    elif dataset == "ckplus":
        from facekit.datasets.ckplus import read_ckplus

        table = read_ckplus(data)
    elif dataset == "folder":
        from facekit.datasets.folder import read_folder

        table = read_folder(data, people=people, aligned=aligned)
    else:
        from facekit.datasets.tfrecord import read_tfrecord

        keys = {"image_key": image_key, "label_key": label_key}
        table = read_tfrecord(data, **keys, first_label=first_label, aligned=aligned or "fer")
    tell_issues(table, data)
    return _keep(table, splits, limit)


def listed_ids(table: Table, path: Path) -> frozenset[str]:
    """Ids on a list that the table has; a list for the whole data serves a part of it.

    Args:
        table: Every split of a source, so that a list may name pictures of any.
        path: As for ``read_excluded``.

    Returns:
        The ids, at least one.

    Raises:
        DataError: The list cannot be read, or names nothing of the table.
    """
    ids = read_excluded(path)
    there = ids.intersection(table.ids.tolist())
    if not there:
        leave_out(table, ids)  # raises: says what is wrong with the ids
    return there


def tell_left_out(dataset: str, every: int, excluded: int, used: int) -> None:
    """Say on standard error why not every image counts.

    Args:
        dataset: Name of the source.
        every: How many there are.
        excluded: How many of them are on the list to leave out.
        used: How many count.
    """
    parts = [(excluded, "are on the list"), (every - excluded - used, "have no usable label")]
    told = [f"{count:,} {why}" for count, why in parts if count]
    if told:
        sys.stderr.write(f"{dataset}: {every:,} images, {' and '.join(told)}: left out\n")


def _keep(table: Table, splits: tuple[str, ...] | None, limit: int) -> Table:
    """Leave out other splits, then what is over the limit."""
    if splits is not None:
        table = table.select(np.isin(table.split, splits))
        if not len(table):
            raise DataError(f"{table.name} has no images of {' or '.join(splits)}")
    if limit:
        rows = [np.flatnonzero(table.split == split) for split in np.unique(table.split)]
        spaced = [
            part[np.arange(min(limit, len(part))) * len(part) // min(limit, len(part))]
            for part in rows
        ]
        table = table.select(np.sort(np.concatenate(spaced)))
    return table
