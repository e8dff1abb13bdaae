"""Anybody's own labels: a folder of class folders.

::

    glasses/*.jpg …   no_glasses/*.jpg …           split by the tool, or
    train/glasses/*.jpg …   test/no_glasses/*.jpg … split by the user
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from facekit.arrays import Int64, Str
from facekit.datasets.lists import read_rows
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError
from facekit.labels import EMOTIONS, emotion_index
from facekit.system.files import PICTURE_SUFFIXES
from facekit.system.inputs import is_hidden
from facekit.system.terminal import tell


def read_folder(
    folder: Path | str, *, people: Path | None = None, aligned: str | None = None
) -> Table:
    """Read class folders; the folder names are the classes.

    Args:
        folder: Holds one folder a class, or ``train``, ``val`` and ``test`` (any of
            them) with one folder a class inside.
        people: A csv with the columns ``file`` and ``person`` that says who is in
            each picture. Without it, names such as ``<person>__1.jpg`` or
            ``person_<id>_1.jpg`` say it, unless they say no more than the class.
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
        known = _known_people(folder, listed)
    else:
        known, missing = read_people(people, listed.ids)
        if len(known) < len(listed.ids):
            alone = len(listed.ids) - len(known)
            tell(f"{people} does not name {alone:,} images: each counts as a person of its own")
    labels = np.array([place[name] for name in listed.classes], np.int64)
    issues = Issues(missing=missing, unlisted=listed.others)
    person = _persons(listed.ids, known)
    return listed.table("folder", labels, names, person=person, aligned=aligned, issues=issues)


def _classes(folder: Path, listed: ClassFiles) -> tuple[str, ...]:
    names = sorted(set(listed.classes))
    if len(names) < 2:
        found = f"one class ({names[0]})" if names else "no pictures in class folders"
        elsewhere = [
            name for name in listed.others if Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
        if elsewhere:
            found += f" ({len(elsewhere):,} elsewhere, such as {elsewhere[0]})"
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


def _known_people(folder: Path, listed: ClassFiles) -> dict[str, str]:
    """The people that file names tell; standard error says whether they are taken."""
    told = people_from_names(listed.ids)
    classes = dict(zip(listed.ids, listed.classes, strict=True))
    known = {name: one for name, one in told.items() if one.casefold() != classes[name].casefold()}
    each: dict[str, set[str]] = {}
    for name, group in classes.items():
        each.setdefault(group, set()).add(known.get(name, f"of {name}"))
    if all(len(people) == 1 for people in each.values()):
        known = {}
    for names, what in (
        (known, f"tell {len(set(known.values())):,} people"),
        ({name: one for name, one in told.items() if name not in known}, "tell no people"),
    ):
        if names:
            name, one = next(iter(names.items()))
            tell(
                f"{folder}: the names of {len(names):,} files {what} ({one!r} in {name}); "
                "a csv says it better: --people"
            )
    return known


def _persons(ids: list[str], known: dict[str, str]) -> Str | None:
    persons = [known.get(name, f"of {name}") for name in ids]
    return np.array(persons, np.str_) if known and len(set(persons)) > 1 else None


# Class folders: one folder a class, perhaps inside one folder a split.
#: Folders that hold a split, in any case.
SPLIT_FOLDERS: Final[dict[str, str]] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test", "dev": "val", "publictest": "val", "privatetest": "test",
}  # fmt: skip


@dataclass(frozen=True)
class ClassFiles:
    """Pictures in class folders, nothing opened.

    Attributes:
        ids: Paths relative to the folder, with forward slashes.
        paths: The files, in the same order.
        classes: Name of the class folder of each.
        splits: "train", "val" or "test" for each.
        others: Files beside them that are no pictures by their names, and pictures
            elsewhere: deeper, beside the class folders, or in folders of no split.
    """

    ids: list[str]
    paths: list[Path]
    classes: list[str]
    splits: list[str]
    others: tuple[str, ...]

    def table(
        self, name: str, labels: Int64, label_names: tuple[str, ...], **changes: Any
    ) -> Table:
        """A table of these files, with what only some sources know as ``changes``."""
        given = {"issues": Issues(unlisted=self.others), **changes}
        ids, splits = np.array(self.ids, np.str_), np.array(self.splits, "<U5")
        return Table(name, ids, self.paths, labels, label_names, splits, **given)

    def emotions(self, folder: Path, also: frozenset[str] = frozenset()) -> Int64:
        """Places of the classes among ``EMOTIONS``; -1 for what is allowed besides.

        Raises:
            DataError: A class is neither; ``folder`` is named.
        """
        known: dict[str, int] = {}
        for name in sorted(set(self.classes)):
            try:
                known[name] = -1 if name.casefold() in also else emotion_index(name)
            except KeyError:
                more = " and contempt" if also else ""
                raise DataError(
                    f"{folder} has a class folder {name!r}; allowed are "
                    f"{', '.join(EMOTIONS)}{more}: rename or move it"
                ) from None
        return np.array([known[name] for name in self.classes], np.int64)


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


def list_classes(
    folder: Path, parts: list[tuple[Path, str]], splits: Sequence[str] | None = None
) -> ClassFiles:
    """List ``<part>/<class>/<picture>``; hidden files and folders are passed over.

    Standard error names class folders without pictures. Spellings of a class that look
    the same (composed or not, as file systems differ) are one.

    Args:
        folder: What the ids are relative to.
        parts: Folders of class folders and the split of each.
        splits: Which of them to list; None for all.

    Returns:
        Pictures sorted by part, class folder and file name.

    Raises:
        DataError: A folder cannot be read.
    """
    listed = ClassFiles([], [], [], [], ())
    others: list[str] = []
    empty: list[str] = []
    read = [part for part, split in parts if splits is None or split in splits]
    for part, split in parts:
        for group in _folders(part) if part in read else ():
            before, label = len(listed.ids), _class_name(group)
            below = group.relative_to(folder).as_posix()
            for path in _entries(group):
                name = f"{below}/{path.name}"
                if not _is_picture(path):
                    others += list(_pictures_in(path, folder)) or [name]
                    continue
                listed.ids.append(name)
                listed.paths.append(path)
                listed.classes.append(label)
                listed.splits.append(split)
            if len(listed.ids) == before:
                empty.append(below)
    roots = [path for path, _ in parts]
    loose = [path for part in read for path in _entries(part) if not path.is_dir()]
    if folder not in roots:
        loose += [path for path in _entries(folder) if path not in roots]
    others += [name for path in loose for name in _pictures_in(path, folder)]
    if empty and listed.ids:  # without any, the error says so
        tell(f"{folder}: no picture in {', '.join(empty[:3])}{', …' if len(empty) > 3 else ''}")
    return ClassFiles(listed.ids, listed.paths, listed.classes, listed.splits, tuple(others))


def _class_name(group: Path) -> str:
    """As it is shown and learned: composed, and what is no UTF-8 escaped."""
    name = os.fsencode(group.name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", name)


def _is_picture(path: Path) -> bool:
    """By its name, unless a folder, a pipe or a device has that name."""
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a broken link, say: why is told where it is read
        return True


def _pictures_in(path: Path, folder: Path) -> Iterator[str]:
    """Pictures at any depth, relative to a folder; the path itself where it is one."""
    if not path.is_dir():
        files = [path]
    else:
        files = []
        for place, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            files += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
    yield from (file.relative_to(folder).as_posix() for file in files if _is_picture(file))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name; nothing hidden."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not is_hidden(entry.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder: {error.strerror or error}") from None
    return [folder / name for name in names]


# Who is in each picture: from a csv, or from file names.

#: ``anna__1.jpg`` is of anna, ``person_7_1.jpg`` of person_7.
_NAMED: Final = re.compile(r"(?P<person>.+?)__.|(?P<number>person_[^_.\- ]+)", re.IGNORECASE)


def people_from_names(ids: Sequence[str]) -> dict[str, str]:
    """The people that file names tell.

    Args:
        ids: Paths with forward slashes; only the last part is looked at.

    Returns:
        Person by id, for those names that tell one.
    """
    found: dict[str, str] = {}
    for name in ids:
        match = _NAMED.match(PurePosixPath(name).name)
        if match:
            found[name] = match["person"] or match["number"]
    return found


def read_people(path: Path, ids: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The people that a csv tells.

    Args:
        path: Columns ``file`` and ``person``. A file is an id, or the last part of
            one where only one id has it; rows with a blank person tell nothing.
        ids: Paths with forward slashes.

    Returns:
        Person by id, and the files of the csv that are none of the ids.

    Raises:
        DataError: The csv cannot be read, lacks a column, names one picture twice
            with different people, or none of the pictures.
    """
    by_name: dict[str, list[str]] = {}
    for name in ids:
        by_name.setdefault(PurePosixPath(name).name, []).append(name)
    known = set(ids)
    found: dict[str, str] = {}
    missing: list[str] = []
    for file, person in _rows(path):
        also = by_name.get(file, [])
        if file not in known and len(also) > 1:
            raise DataError(f"{path}: {file!r} may be {also[0]} or {also[1]}: write the whole path")
        name = file if file in known else next(iter(also), "")
        if not name:
            missing.append(file)
        elif found.setdefault(name, person) != person:
            raise DataError(
                f"{path}: {file!r} is {found[name]!r} in one row, {person!r} in another"
            )
    if not found:
        raise DataError(
            f"{path} names none of the {len(ids):,} pictures; files are written like {ids[0]}"
        )
    return found, tuple(missing)


def _rows(path: Path) -> list[tuple[str, str]]:
    """File and person of each row that has both."""
    lines = read_rows(path.expanduser())
    header = [name.casefold() for name in next(lines, (0, []))[1]]
    if "file" not in header or "person" not in header:
        shown = [name[:40] for name in header[:6]]
        raise DataError(f"{path} has the columns {shown}; wanted are file and person")
    columns = header.index("file"), header.index("person")
    rows = []
    for _, cells in lines:
        name, person = (cells[i] if i < len(cells) else "" for i in columns)
        if name and person:
            rows.append((name.replace("\\", "/").removeprefix("./"), person))
    return rows
