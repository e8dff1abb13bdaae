"""FER-2013: seven emotions, as class folders or as the original ``fer2013.csv``.

Folders, as Kaggle has them (any of the three splits is enough)::

    train/angry/*.png …   val/angry/*.png …   test/angry/*.png …
    ferplus_votes.csv (for --labels ferplus): file,neutral,happiness,…

The original::

    fer2013.csv: emotion,pixels,Usage
    fer2013new.csv (for --labels ferplus): Usage,Image name,neutral,…
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np

from facekit.arrays import Float32, Int64, Str, UInt8
from facekit.datasets.celeba import SPLITS, require_splits
from facekit.datasets.folder import list_classes, split_folders
from facekit.datasets.lists import read_rows
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError, UsageError
from facekit.labels import EMOTIONS, emotion_index

#: Whose labels: FER-2013's own, or the votes of FER+.
LABELS: Final[tuple[str, ...]] = ("fer", "ferplus")
_CSV: Final = ("fer2013.csv", "icml_face_data.csv")  # the second is Kaggle's later name
_VOTES_BY_FILE: Final = "ferplus_votes.csv"
_VOTES_BY_ROW: Final = "fer2013new.csv"
#: Digits of a number of votes (ten people voted) and of a row's number.
_DIGITS, _LONGEST = 6, 12


def read_fer(
    path: Path | str,
    *,
    labels: str = "fer",
    splits: tuple[str, ...] | None = None,
    votes: bool = False,
) -> Table:
    """Read FER-2013; classes are matched by name, never by listing order.

    Args:
        path: Folder of split folders, folder that holds ``fer2013.csv``, or that
            file. In the file PublicTest is "val" and PrivateTest "test".
        labels: ``fer`` for its own labels. ``ferplus`` for the votes of FER+:
            ``soft`` holds their shares over our seven emotions (contempt, unknown
            and no-face votes left out), the label is the emotion with most votes
            (of several, the first in the order of ``EMOTIONS``); a picture without
            votes for the seven has label -1 and zeros.
        splits: Which of "train", "val" and "test" to return; None for all there are.
        votes: Fill ``soft`` beside FER-2013's own labels too.

    Returns:
        Table named "fer" with int64 labels of shape (n,) in the order of
        ``EMOTIONS``.

    Raises:
        DataError: The layout is another, a class is unknown, votes are missing, or
            nothing is left.
        UsageError: ``labels`` or ``splits`` names something else.
    """
    path = Path(path).expanduser()
    if labels not in LABELS:
        raise UsageError(f"labels {labels!r} is not among {', '.join(LABELS)}")
    if splits is not None:
        require_splits(splits)
    wanted = SPLITS if splits is None else splits
    voted = votes or labels == "ferplus"
    file = _csv(path)
    table = _read_folders(path, wanted, voted) if file is None else _read_csv(file, wanted, voted)
    if not len(table):
        raise DataError(f"{path} has no pictures of {' or '.join(wanted)}: ask for another split")
    if labels == "fer":
        return table
    assert table.soft is not None
    most = np.where(table.soft.any(1), table.soft.argmax(1), -1)
    return replace(table, labels=most.astype(np.int64))


def _csv(path: Path) -> Path | None:
    """The csv itself, or that of a folder without split folders."""
    if path.is_file():
        return path
    if not path.is_dir() or split_folders(path):
        return None
    return next((path / name for name in _CSV if (path / name).is_file()), None)


def _read_csv(file: Path, splits: tuple[str, ...], voted: bool) -> Table:
    pixels = read_pixel_csv(file, splits)
    table = Table(
        name="fer",
        ids=np.array(pixels.ids, np.str_),
        images=pixels,
        labels=pixels.labels,
        label_names=EMOTIONS,
        split=pixels.splits,
        aligned="fer",
        issues=Issues(unreadable=pixels.bad_pixels, mislabelled=pixels.bad_labels),
    )
    if not voted:
        return table
    votes = read_votes_by_row(file.with_name(_VOTES_BY_ROW), pixels.usages)
    return replace(table, soft=_shares(votes[pixels.rows]))


def _read_folders(folder: Path, splits: tuple[str, ...], voted: bool) -> Table:
    parts = split_folders(folder) if folder.is_dir() else []
    if not parts:
        raise DataError(
            f"{folder} is no FER-2013: wanted is train/<emotion>/*.png or test/<emotion>/*.png, "
            f"or {_CSV[0]}; emotions are {', '.join(EMOTIONS)}"
        )
    listed = list_classes(folder, parts, splits)
    table = listed.table("fer", listed.emotions(folder), EMOTIONS, aligned="fer")
    if not voted:
        return table
    return replace(table, soft=_shares(read_votes_by_file(folder / _VOTES_BY_FILE, listed.ids)))


def _shares(votes: Float32) -> Float32:
    """Float32 (n, 7) as shares; zeros where nobody voted."""
    total = votes.sum(1, keepdims=True)
    shares: Float32 = votes / np.maximum(total, 1)
    return shares


# ``fer2013.csv``: 48x48 grey pictures as rows of numbers.

#: Height and width of the pictures in pixels.
SIDE: Final = 48
#: The Usage column, by our splits.
USAGES: Final[dict[str, str]] = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
_COLUMNS: Final = ("emotion", "pixels", "Usage")
_LABELS: Final = {str(i): i for i in range(len(EMOTIONS))}


@dataclass(frozen=True)
class PixelRows:
    """Pictures of the csv, handed out as PNG bytes (a ``ByteStream``).

    Attributes:
        pixels: uint8 array of shape (n, 48, 48).
        labels: int64 array of shape (n,) in the order of ``EMOTIONS``.
        splits: str array of shape (n,).
        rows: int64 array of shape (n,): place of each in the whole csv, from 0.
        usages: The Usage of every row of the csv, kept or not.
        bad_pixels: Lines of the csv whose pixels cannot be used.
        bad_labels: Lines of the csv whose emotion or Usage is unknown.
    """

    pixels: UInt8
    labels: Int64
    splits: Str
    rows: Int64
    usages: list[str]
    bad_pixels: tuple[str, ...]
    bad_labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def ids(self) -> list[str]:
        """Such as ``train/angry/00012``: split, emotion and row of the csv."""
        keys = zip(self.splits.tolist(), self.labels.tolist(), self.rows.tolist(), strict=True)
        return [f"{split}/{EMOTIONS[label]}/{row:05d}" for split, label, row in keys]

    def stream(self, rows: Int64) -> Iterator[bytes]:
        """Yield the pictures of the given rows as PNG."""
        for row in rows:
            good, png = cv2.imencode(".png", self.pixels[row])
            assert good
            yield png.tobytes()


def read_pixel_csv(path: Path, splits: tuple[str, ...]) -> PixelRows:
    """Read the rows of some splits; damaged rows are named, not fatal.

    Args:
        path: Columns emotion (0 to 6), pixels (2,304 numbers in [0, 255], row by
            row) and Usage, in any order; blanks around the names are tolerated.
        splits: Which of "train", "val" and "test" to keep.

    Returns:
        The usable rows.

    Raises:
        DataError: No such columns, or no usable row of these splits though there
            are damaged ones.
    """
    pixels, labels, kept, usages = bytearray(), [], [], []
    bad: dict[str, list[str]] = {"pixels": [], "label": []}
    for row, (line, emotion, text, usage) in enumerate(_rows(path)):
        usages.append(usage)
        split, label = USAGES.get(usage), _LABELS.get(emotion)
        if split is None or label is None:
            bad["label"].append(f"line {line}")
        elif split in splits:
            values = _values(text)
            if values is None:
                bad["pixels"].append(f"line {line}")
                continue
            pixels += values.tobytes()
            labels.append(label)
            kept.append((row, split))
    if not kept and any(bad.values()):
        raise DataError(_nothing_left(path, bad))
    return PixelRows(
        np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE),
        np.array(labels, np.int64),
        np.array([split for _, split in kept], "<U5"),
        np.array([row for row, _ in kept], np.int64),
        usages,
        tuple(bad["pixels"]),
        tuple(bad["label"]),
    )


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, emotion, pixels and Usage of each row; missing cells are empty."""
    rows = read_rows(path, longest=None)
    header = [cell.casefold() for cell in next(rows, (0, []))[1]]
    missing = [name for name in _COLUMNS if name.casefold() not in header]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(missing)}; wanted are {', '.join(_COLUMNS)}, "
            "as in the original fer2013.csv"
        )
    emotion, pixels, usage = (header.index(name.casefold()) for name in _COLUMNS)
    for line, cells in rows:
        cells += [""] * (len(header) - len(cells))
        yield line, cells[emotion], cells[pixels], cells[usage]


def _values(text: str) -> UInt8 | None:
    """2,304 numbers in [0, 255], or None."""
    try:
        with warnings.catch_warnings():  # text that is no number only warns
            warnings.simplefilter("error", DeprecationWarning)
            values = np.fromstring(text, dtype=np.int64, sep=" ")  # larger ones saturate
    except (ValueError, DeprecationWarning):
        return None
    if len(values) != SIDE * SIDE or values.min() < 0 or values.max() > 255:
        return None
    return values.astype(np.uint8)


def _nothing_left(path: Path, bad: dict[str, list[str]]) -> str:
    parts = [f"{len(lines):,} with unusable {what}" for what, lines in bad.items() if lines]
    first = next(lines[0] for lines in bad.values() if lines)
    return (
        f"{path} has no usable picture of these splits: {' and '.join(parts)} (first {first}); "
        f"wanted are emotion 0 to {len(EMOTIONS) - 1}, {SIDE * SIDE:,} pixels from 0 to 255 "
        f"and Usage {', '.join(USAGES)}"
    )


# FER+: what ten people said about each picture of FER-2013.
#
# Barsoum et al., "Training Deep Networks for Facial Expression Recognition with
# Crowd-Sourced Label Distribution", ICMI 2016.


def read_votes_by_file(path: Path, ids: Sequence[str]) -> Float32:
    """Float32 of pictures in class folders.

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
    names: dict[str, list[str]] = {}
    for cells in rows:
        file = PurePosixPath(cells[header.index("file")])
        if names.setdefault(str(file.with_suffix("") if file.name else file), cells) is not cells:
            raise DataError(f"{path}: {str(file)[:80]!r} is listed twice; keep one row for it")
    votes = np.zeros((len(ids), len(EMOTIONS)), np.float32)
    listed = 0
    pick = _columns(path, header)
    for i, name in enumerate(ids):
        voted = names.get(str(PurePosixPath(name).with_suffix("")))
        if voted is not None:
            votes[i] = _numbers(path, voted, pick)
            listed += 1
    if ids and not listed:
        raise DataError(f"{path} lists none of the {len(ids):,} pictures, such as {ids[0]}")
    return votes


def read_votes_by_row(path: Path, usages: Sequence[str]) -> Float32:
    """Float32 of ``fer2013new.csv``, whose rows follow those of ``fer2013.csv``.

    Args:
        path: Column ``Usage``, one column an emotion, and ``Image name`` if it is there:
            ``fer0000012.png``, counting upwards; a picture left out has none.
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
    if [cells[place] for cells in rows] != list(usages):
        raise DataError(
            f"{path} has {len(rows):,} rows that do not follow the {len(usages):,} of the pixel "
            "csv (their Usage differs): take both files as they were published"
        )
    if "image name" in header:
        _require_order(path, [cells[header.index("image name")] for cells in rows])
    pick = _columns(path, header)
    votes = [_numbers(path, cells, pick) for cells in rows]
    return np.array(votes, np.float32).reshape(-1, len(EMOTIONS))


def _require_order(path: Path, names: Sequence[str]) -> None:
    """Names count upwards (with or without those left out): other orders are other people's."""
    last = -1
    for name in filter(None, names):
        digits = "".join(c for c in PurePosixPath(name).stem if c.isdecimal())[:_LONGEST] or "-1"
        if int(digits) <= last:
            raise DataError(
                f"{path}: {name[:80]!r} comes after number {last:,}, names should count upwards: "
                "the rows must follow those of the pixel csv; take the file as it was published"
            )
        last = int(digits)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names of the columns in lower case, and the rows."""
    if not path.is_file():
        raise DataError(f"{path} is missing: it holds the FER+ votes; or take --labels fer")
    rows = read_rows(path)
    header = [cell.casefold() for cell in next(rows, (0, []))[1]]
    lines = []
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}: line {line} has {len(cells)} cells, the header {len(header)}")
        lines.append(cells)
    return header, lines


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
    values = [cells[column] or "0" for column in pick]  # blank: nobody voted
    if not all(value.isdecimal() and len(value) <= _DIGITS for value in values):
        raise DataError(
            f"{path}: {','.join(cells)[:80]!r} has votes that are no whole numbers of at most "
            f"{_DIGITS} digits; take the file as it was published"
        )
    return [int(value) for value in values]
