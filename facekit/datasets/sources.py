"""Open pictures with one class each, by the name of their source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from facekit.datasets.celeba import require_splits
from facekit.datasets.table import Table, tell_issues
from facekit.errors import DataError, UsageError
from facekit.frame import ALIGNED_EYES

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
    classes: tuple[str, ...] = (),
    splits: tuple[str, ...] | None = None,
    limit: int = 0,
    tell: bool = True,
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
        classes: Their names in the order of the labels; of tfrecord; none takes the
            names in the records, and FER-2013's seven emotions where they have none.
        splits: Which of train, val and test to keep; None for all.
        limit: Keep so many images of each split, evenly spaced because rows come
            class by class; 0 keeps all.
        tell: Whether to say what is missing; False leaves it to the caller.

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

        table = read_tfrecord(
            data,
            classes=classes or None,
            image_key=image_key,
            label_key=label_key,
            first_label=first_label,
            aligned=aligned or "fer",
        )
    if tell:
        tell_issues(table, data)
    return _keep(table, splits, limit)


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
