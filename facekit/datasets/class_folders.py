"""Class folders: one folder a class, classes known by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.labels import EMOTIONS

__all__ = ["read_class_folders", "read_fer_folders"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def read_class_folders(
    folder: Path,
    classes: Sequence[str],
    splits: dict[str, str],
    *,
    name: str,
    aligned: str | None = None,
) -> Table:
    """Read ``<folder>/<split folder>/<class>/*`` into a table.

    Args:
        folder: Holds one folder a split.
        classes: Class names in the order of their labels; matched without case.
        splits: Folder name to "train", "val" or "test"; missing ones are skipped.
        name: Name of the source.
        aligned: Key of ``frame.ALIGNED_EYES``, or None to detect faces.

    Returns:
        Table with int64 labels of shape (n,), sorted by split folder, class and
        file name.

    Raises:
        DataError: No split, an unknown class folder, or no image.
    """
    paths: list[Path] = []
    labels: list[int] = []
    kept: list[str] = []
    known = {one.lower(): i for i, one in enumerate(classes)}
    for part, split in splits.items():
        if not (folder / part).is_dir():
            continue
        for group in sorted(p for p in (folder / part).iterdir() if p.is_dir()):
            label = known.get(group.name.lower())
            if label is None:
                raise DataError(
                    f"{folder / part} has a folder {group.name!r}; "
                    f"allowed are {', '.join(classes)}: rename or move it"
                )
            found = sorted(p for p in group.iterdir() if p.suffix.lower() in _SUFFIXES)
            paths += found
            labels += [label] * len(found)
            kept += [split] * len(found)
    if not paths:
        wanted = " or ".join(f"{part}/<class>/*.png" for part in splits)
        raise DataError(f"{folder} has no images: {wanted} is wanted, classes {', '.join(classes)}")
    return Table(
        name=name,
        ids=np.array([path.relative_to(folder).as_posix() for path in paths]),
        images=paths,
        labels=np.array(labels, np.int64),
        label_names=tuple(classes),
        split=np.array(kept),
        aligned=aligned,
    )


def read_fer_folders(folder: Path) -> Table:
    """FER-2013 as Kaggle's class folders, ``train/`` and ``test/``.

    Args:
        folder: Holds ``train`` and/or ``test`` with a folder for each emotion.

    Returns:
        Table named "fer" in the order of ``labels.EMOTIONS``.

    Raises:
        DataError: The layout is another.
    """
    splits = {"train": "train", "test": "test"}
    return read_class_folders(folder, EMOTIONS, splits, name="fer", aligned="fer")
