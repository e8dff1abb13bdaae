"""``fer2013.csv``: 48x48 grey pictures as rows of numbers."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import EMOTIONS

__all__ = ["SIDE", "USAGES", "PixelRows", "read_pixel_csv"]

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

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    rows: NDArray[np.int64]
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

    def stream(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
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
    for row, (emotion, text, usage) in enumerate(_rows(path)):
        usages.append(usage)
        split, label = USAGES.get(usage), _LABELS.get(emotion)
        if split is None or label is None:
            bad["label"].append(f"line {row + 2}")
        elif split in splits:
            values = _values(text)
            if values is None:
                bad["pixels"].append(f"line {row + 2}")
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


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Emotion, pixels and Usage of each row; missing cells are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [cell.strip().casefold() for cell in next(reader, [])]
            missing = [name for name in _COLUMNS if name.casefold() not in header]
            if missing:
                raise DataError(
                    f"{path} has no column {', '.join(missing)}; wanted are {', '.join(_COLUMNS)}, "
                    "as in the original fer2013.csv"
                )
            emotion, pixels, usage = (header.index(name.casefold()) for name in _COLUMNS)
            for cells in reader:
                cells += [""] * (len(header) - len(cells))
                yield cells[emotion].strip(), cells[pixels], cells[usage].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a csv: {error}") from error


def _values(text: str) -> NDArray[np.uint8] | None:
    """2,304 numbers in [0, 255], or None."""
    try:
        with warnings.catch_warnings():  # text that is no number only warns
            warnings.simplefilter("error", DeprecationWarning)
            values = np.fromstring(text, dtype=np.int32, sep=" ")
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
