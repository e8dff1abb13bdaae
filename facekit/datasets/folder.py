"""Anybody's own labels: a folder of class folders.

::

    glasses/*.jpg …   no_glasses/*.jpg …           split by the tool, or
    train/glasses/*.jpg …   test/no_glasses/*.jpg … split by the user
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.class_folders import ClassFiles, list_classes, split_folders
from facekit.datasets.people import people_from_names, read_people
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError

__all__ = ["read_folder"]


def read_folder(
    folder: Path | str, *, people: Path | None = None, aligned: str | None = None
) -> Table:
    """Read class folders; the folder names are the classes.

    Args:
        folder: Holds one folder a class, or ``train``, ``val`` and ``test`` (any of
            them) with one folder a class inside.
        people: A csv with the columns ``file`` and ``person`` that says who is in
            each picture. Without it, names such as ``<person>__1.jpg`` or
            ``person_<id>_1.jpg`` say it.
        aligned: Key of ``frame.ALIGNED_EYES`` when the pictures are aligned crops;
            None to detect faces.

    Returns:
        Table named "folder" with int64 labels of shape (n,); ``label_names`` are
        sorted, and every row is "train" without split folders. Where some pictures
        say who is in them, every other one is a person of its own; with fewer than
        two people ``person`` is None.

    Raises:
        DataError: There are no pictures, fewer than two classes, or two spellings of
            one class; or the csv is damaged or names none of the pictures.
    """
    folder = Path(folder).expanduser()
    listed = list_classes(folder, split_folders(folder) or [(folder, "train")])
    names = _classes(folder, listed)
    place = {name: i for i, name in enumerate(names)}
    missing: tuple[str, ...] = ()
    if people is None:
        known = people_from_names(listed.ids)
    else:
        known, missing = read_people(people, listed.ids)
    return Table(
        name="folder",
        ids=np.array(listed.ids, np.str_),
        images=listed.paths,
        labels=np.array([place[name] for name in listed.classes], np.int64),
        label_names=names,
        split=np.array(listed.splits, "<U5"),
        person=_persons(listed.ids, known),
        aligned=aligned,
        issues=Issues(missing=missing, unlisted=listed.others),
    )


def _classes(folder: Path, listed: ClassFiles) -> tuple[str, ...]:
    names = sorted(set(listed.classes))
    if len(names) < 2:
        found = f"one class ({names[0]})" if names else "no pictures in class folders"
        raise DataError(
            f"{folder} has {found}; wanted are two classes or more, as <class>/*.jpg or "
            "train/<class>/*.jpg"
        )
    spelt: dict[str, str] = {}
    for name in names:
        other = spelt.setdefault(name.casefold(), name)
        if other != name:
            raise DataError(f"{folder} has the class folders {other!r} and {name!r}: spell one way")
    return tuple(names)


def _persons(ids: list[str], known: dict[str, str]) -> NDArray[np.str_] | None:
    persons = [known.get(name, f"of {name}") for name in ids]
    return np.array(persons, np.str_) if known and len(set(persons)) > 1 else None
