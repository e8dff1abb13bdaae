"""FER+: what ten people said about each picture of FER-2013.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with
Crowd-Sourced Label Distribution", ICMI 2016.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import EMOTIONS, emotion_index

__all__ = ["read_votes_by_file", "read_votes_by_row"]

Votes = NDArray[np.float32]


def read_votes_by_file(path: Path, ids: Sequence[str]) -> Votes:
    """Votes of pictures in class folders.

    Args:
        path: Column ``file`` (``train/angry/x.png``; the suffix does not count) and
            one column an emotion.
        ids: Paths of the n pictures in the same form.

    Returns:
        float32 array of shape (n, 7): numbers of votes, 0 for an unlisted picture.

    Raises:
        DataError: No such file or column, a damaged row, or no picture is listed.
    """
    header, rows = _read(path)
    if "file" not in header:
        raise DataError(f"{path} has no column file, with names such as train/angry/x.png")
    names = {
        str(PurePosixPath(cells[header.index("file")]).with_suffix("")): cells for cells in rows
    }
    votes = np.zeros((len(ids), len(EMOTIONS)), np.float32)
    listed = 0
    pick = _columns(path, header)
    for i, name in enumerate(ids):
        cells = names.get(str(PurePosixPath(name).with_suffix("")))
        if cells is not None:
            votes[i] = _numbers(path, cells, pick)
            listed += 1
    if ids and not listed:
        raise DataError(f"{path} lists none of the {len(ids):,} pictures, such as {ids[0]}")
    return votes


def read_votes_by_row(path: Path, usages: Sequence[str]) -> Votes:
    """Votes of ``fer2013new.csv``, whose rows follow those of ``fer2013.csv``.

    Args:
        path: Column ``Usage`` and one column an emotion.
        usages: The Usage of the n rows of ``fer2013.csv``.

    Returns:
        float32 array of shape (n, 7): numbers of votes.

    Raises:
        DataError: No such file or column, a damaged row, or the rows are others.
    """
    header, rows = _read(path)
    if "usage" not in header:
        raise DataError(f"{path} has no column Usage: take the official fer2013new.csv")
    place = header.index("usage")
    if [cells[place].strip() for cells in rows] != list(usages):
        raise DataError(
            f"{path} has {len(rows):,} rows that do not follow the {len(usages):,} of the pixel "
            "csv (their Usage differs): take both files as they were published"
        )
    pick = _columns(path, header)
    votes = [_numbers(path, cells, pick) for cells in rows]
    return np.array(votes, np.float32).reshape(-1, len(EMOTIONS))


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names of the columns in lower case, and the rows."""
    if not path.is_file():
        raise DataError(f"{path} is missing: it holds the FER+ votes; or take --labels fer")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [cells for cells in csv.reader(file) if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a csv: {error}") from error
    header = [cell.strip().casefold() for cell in lines[0]] if lines else []
    short = next((i for i, cells in enumerate(lines) if len(cells) != len(header)), None)
    if short is not None:
        raise DataError(
            f"{path}: line {short + 1} has {len(lines[short])} cells, the header {len(header)}"
        )
    return header, lines[1:]


def _columns(path: Path, header: Sequence[str]) -> list[int]:
    """Column of each of the seven emotions."""
    places: dict[int, int] = {}
    for column, name in enumerate(header):
        try:
            places[emotion_index(name)] = column
        except KeyError:  # file names, contempt, unknown, no face
            continue
    missing = [name for i, name in enumerate(EMOTIONS) if i not in places]
    if missing:
        raise DataError(f"{path} has no column of votes for {', '.join(missing)}")
    return [places[i] for i in range(len(EMOTIONS))]


def _numbers(path: Path, cells: Sequence[str], pick: Sequence[int]) -> list[int]:
    values = [cells[column].strip() or "0" for column in pick]  # blank: nobody voted
    if not all(value.isdecimal() for value in values):
        raise DataError(f"{path}: {','.join(cells)[:80]!r} has votes that are no whole numbers")
    return [int(value) for value in values]
