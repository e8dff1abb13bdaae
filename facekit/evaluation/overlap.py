"""What groups of copies mean for labels and for splits."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ORDER", "conflicts", "copied", "overlaps"]

#: Which split keeps a picture that several have; the later ones repeat it.
ORDER: Final = ("train", "val", "test")

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def copied(groups: ArrayLike) -> Mask:
    """Rows whose picture occurs more than once.

    Args:
        groups: int array of shape (n,), equal numbers show one picture.

    Returns:
        bool array of shape (n,).
    """
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.asarray(size[code] > 1)


def overlaps(groups: ArrayLike, split: ArrayLike, *, order: tuple[str, ...] = ORDER) -> Ints:
    """Rows that repeat a picture of another split.

    Args:
        groups: int array of shape (n,), equal numbers show one picture.
        split: str array of shape (n,).
        order: Splits; the first that has a picture keeps it.

    Returns:
        int64 array of shape (n,): for a row whose picture an earlier split has,
        the first such row; -1 for every other row.
    """
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    place = np.array([order.index(name) for name in np.asarray(split).tolist()], np.int64)
    rows = np.lexsort((np.arange(len(code)), place, code))
    starts = np.flatnonzero(np.diff(code[rows], prepend=-1))
    keeper = rows[starts][code]
    return np.where(place[keeper] < place, keeper, -1)


def conflicts(groups: ArrayLike, labels: ArrayLike) -> Mask:
    """Rows whose picture carries different labels.

    Args:
        groups: int array of shape (n,), equal numbers show one picture.
        labels: Array of shape (n,) or (n, k); negative numbers are unknown and
            differ from nothing. Text is compared as it is.

    Returns:
        bool array of shape (n,): True for every row of such a group.
    """
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    values = np.asarray(labels)
    if values.dtype.kind in "US":
        values = np.unique(values, return_inverse=True)[1]
    columns = values.reshape(len(values), -1).astype(np.int64)
    count = int(code.max(initial=-1)) + 1
    low = np.full((count, columns.shape[1]), np.iinfo(np.int64).max)
    high = np.full((count, columns.shape[1]), -1, np.int64)
    known = np.where(columns < 0, np.iinfo(np.int64).max, columns)
    np.minimum.at(low, code, known)
    np.maximum.at(high, code, columns)
    differ: Mask = np.any(high > low, axis=1)
    return differ[code]
