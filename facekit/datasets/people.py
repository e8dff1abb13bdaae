"""Who is in each picture: from a csv, or from file names."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from facekit.errors import DataError

__all__ = ["people_from_names", "read_people"]

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
    try:
        with path.expanduser().open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in cells] for cells in csv.reader(file) if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a csv: {error}") from error
    header = [name.casefold() for name in lines[0]] if lines else []
    if "file" not in header or "person" not in header:
        raise DataError(f"{path} has the columns {header[:6]}; wanted are file and person")
    columns = header.index("file"), header.index("person")
    rows = []
    for cells in lines[1:]:
        name, person = (cells[i] if i < len(cells) else "" for i in columns)
        if name and person:
            rows.append((name.replace("\\", "/").removeprefix("./"), person))
    return rows
