"""Class folders: one folder a class, perhaps inside one folder a split."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facekit.errors import DataError

__all__ = ["PICTURE_SUFFIXES", "SPLIT_FOLDERS", "ClassFiles", "list_classes", "split_folders"]

#: What is taken for a picture by its name. HEIC cannot be decoded, but its error
#: says so and what to do.
PICTURE_SUFFIXES: Final = frozenset(
    (".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg")
    + (".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
#: Folders that hold a split, in any case.
SPLIT_FOLDERS: Final[dict[str, str]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class ClassFiles:
    """Pictures in class folders, nothing opened.

    Attributes:
        ids: Paths relative to the folder, with forward slashes.
        paths: The files, in the same order.
        classes: Name of the class folder of each.
        splits: "train", "val" or "test" for each.
        others: Files beside them that are no pictures by their names.
    """

    ids: list[str]
    paths: list[Path]
    classes: list[str]
    splits: list[str]
    others: tuple[str, ...]


def split_folders(folder: Path) -> list[tuple[Path, str]]:
    """The folders that hold a split: those named so with class folders inside.

    Args:
        folder: Holds one folder a split, or one folder a class.

    Returns:
        Folder and split, in the order train, val, test; empty without any.

    Raises:
        DataError: The folder cannot be read.
    """
    found = [
        (path, SPLIT_FOLDERS[path.name.casefold()])
        for path in _folders(folder)
        if path.name.casefold() in SPLIT_FOLDERS and _folders(path)
    ]
    order = list(SPLIT_FOLDERS.values())
    return sorted(found, key=lambda pair: (order.index(pair[1]), pair[0].name))


def list_classes(folder: Path, parts: list[tuple[Path, str]]) -> ClassFiles:
    """List ``<part>/<class>/<picture>``; hidden files and folders are passed over.

    Args:
        folder: What the ids are relative to.
        parts: Folders of class folders and the split of each.

    Returns:
        Pictures sorted by part, class folder and file name.

    Raises:
        DataError: A folder cannot be read.
    """
    listed = ClassFiles([], [], [], [], ())
    others: list[str] = []
    for part, split in parts:
        for group in _folders(part):
            for path in _entries(group):
                name = path.relative_to(folder).as_posix()
                if path.suffix.lower() not in PICTURE_SUFFIXES:
                    others.append(name)
                    continue
                listed.ids.append(name)
                listed.paths.append(path)
                listed.classes.append(group.name)
                listed.splits.append(split)
    return ClassFiles(listed.ids, listed.paths, listed.classes, listed.splits, tuple(others))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name; nothing hidden."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder: {error.strerror or error}") from None
    return [folder / name for name in names]
