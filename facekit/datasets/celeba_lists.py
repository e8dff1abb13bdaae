"""The text and csv lists that come with CelebA, parsed and checked."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES

__all__ = ["read_attributes", "read_identities", "read_partitions"]

_PARTS = {"0": "train", "1": "val", "2": "test"}


def read_attributes(path: Path, *, allow_short: bool = False) -> tuple[list[str], NDArray[np.int8]]:
    """Read ``list_attr_celeba.txt`` or ``.csv``; columns are matched by name.

    A file that holds -1 anywhere uses CelebA's own coding (1 yes, -1 no, 0
    unknown); one without uses 1 yes, 0 no.

    Args:
        path: The list; its suffix tells the layout.
        allow_short: Accept a text list with fewer rows than its first line says.

    Returns:
        n file names in the order of the list, and an int8 array of shape
        (n, 40) in the order of ``ATTRIBUTES`` with 1, 0 and -1 for unknown.

    Raises:
        DataError: A column is missing, a row is malformed or named twice, or
            the list is shorter than it says.
    """
    rows = _rows(path)
    count, header = _head(path, rows)
    pick = _columns(path, header)
    names: list[str] = []
    cells: list[str] = []
    for row in rows:
        if len(row) != len(header) + 1:
            raise DataError(
                f"{path}: image {row[0]!r} has {len(row) - 1} values, its header names "
                f"{len(header)}; the list is damaged, fetch it again"
            )
        names.append(row[0])
        cells.append(" ".join(pick(row)))
    values = _numbers(path, names, cells)
    if count is not None and count != len(names) and not allow_short:
        raise DataError(
            f"{path}: its first line says {count:,} images, it lists {len(names):,}; "
            "fetch it again, or pass --allow-missing to use what is listed"
        )
    _refuse_twice(path, names)
    return names, values


def read_partitions(path: Path) -> dict[str, str]:
    """Read ``list_eval_partition.txt`` or ``.csv``.

    Args:
        path: The list; its suffix tells the layout.

    Returns:
        File name to "train", "val" or "test".

    Raises:
        DataError: A value is not 0, 1 or 2.
    """
    pairs = _pairs(path)
    odd = sorted(set(pairs.values()) - set(_PARTS))
    if odd:
        raise DataError(f"{path}: partition {odd[0]!r} is not 0 (train), 1 (val) or 2 (test)")
    return {name: _PARTS[value] for name, value in pairs.items()}


def read_identities(path: Path) -> dict[str, str]:
    """Read ``identity_CelebA.txt`` or ``.csv``.

    Args:
        path: The list; its suffix tells the layout.

    Returns:
        File name to the person's number, as text.

    Raises:
        DataError: A row does not have two fields.
    """
    return _pairs(path)


def _rows(path: Path) -> Iterator[list[str]]:
    """Non-empty rows, split at commas (csv) or white space (txt)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                for row in csv.reader(file):
                    if row:
                        yield [cell.strip() for cell in row]
            else:
                for line in file:
                    cells = line.split()
                    if cells:
                        yield cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a text list: {error}") from error


def _head(path: Path, rows: Iterator[list[str]]) -> tuple[int | None, list[str]]:
    """The number of rows, if the list says it, and the names of the columns."""
    first = next(rows, [])
    count = None
    if len(first) == 1 and first[0].isdecimal():
        count, first = int(first[0]), next(rows, [])
    if path.suffix.lower() == ".csv" and first:
        first = first[1:]  # a csv names the column of file names too
    return count, first


def _columns(path: Path, header: list[str]) -> Callable[[list[str]], Sequence[str]]:
    """A function that picks the 40 attributes from a row, in our order."""
    missing = [name for name in ATTRIBUTES if header.count(name) != 1]
    if missing:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DataError(
            f"{path}: the header must name each of the 40 attributes once, "
            f"{missing[0]}{more} is not; use CelebA's own list"
        )
    return itemgetter(*(header.index(name) + 1 for name in ATTRIBUTES))


def _numbers(path: Path, names: list[str], cells: list[str]) -> NDArray[np.int8]:
    """Cells to 1, 0 and -1 for unknown."""
    shape = (len(names), len(ATTRIBUTES))
    try:
        with warnings.catch_warnings():  # text that is no number only warns
            warnings.simplefilter("error", DeprecationWarning)
            raw = np.fromstring(" ".join(cells), dtype=np.int16, sep=" ").reshape(shape)
    except (ValueError, DeprecationWarning):
        raw = np.full(shape, 9, np.int16)
    if not np.isin(raw, (-1, 0, 1)).all():
        allowed = {"-1", "0", "1", "+1"}
        row = next((i for i, cell in enumerate(cells) if not set(cell.split()) <= allowed), 0)
        raise DataError(f"{path}: the values of {names[row]!r} are not all 1, -1 or 0")
    if (raw == -1).any():
        return np.where(raw == 1, 1, np.where(raw == -1, 0, -1)).astype(np.int8)
    return raw.astype(np.int8)


def _refuse_twice(path: Path, names: list[str]) -> None:
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    raise DataError(f"{path}: {twice!r} is listed twice; the list is damaged, fetch it again")


def _pairs(path: Path) -> dict[str, str]:
    """File name to value, whatever the header says."""
    pairs: dict[str, str] = {}
    for row in _rows(path):
        if len(row) != 2:
            raise DataError(f"{path}: expected a file name and a number, found {row[:4]}")
        if row[1].isdecimal():
            pairs[row[0]] = row[1]
        elif pairs:
            raise DataError(f"{path}: {row[0]!r} has {row[1]!r} where a number belongs")
    return pairs
