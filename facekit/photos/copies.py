"""Which crops show the same picture: exact copies, and copies that were changed.

``NEAR`` was chosen by looking at 60 pairs of FER-2013 at every step. At 0.90 to
0.915, 59 of 60 are one photo: rescaled, cut a little differently, lighter or
darker, with a stock agency's mark; one is another expression of the same
sitting. From 0.85 to 0.90 about one in fifteen is another expression, from 0.75
to 0.85 sittings are common and strangers begin, below 0.75 most are strangers in
the same light. The 30 pairs looked at in CelebA, of 44, are one photo each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Bool, Float32, Int64, UInt8
from facekit.photos.likeness import MIRROR_SIGNS, describe, detail, even_out, fit_correlation

#: Least correlation of fine detail between two copies of one picture.
NEAR: Final = 0.90
#: Least cosine of the descriptors of a pair that is looked at more closely: of
#: the copies found in FER-2013 with a lower bar, 95 % have more.
_WORTH_A_LOOK: Final = 0.70
#: Rows and columns of the cosines held at once: 32 MB.
_TALL, _WIDE = 1024, 8192
#: So many likeliest partners of a row are looked at among ``_WIDE`` others.
_PARTNERS: Final = 32


@dataclass(frozen=True)
class Copies:
    """Groups of copies, and the changed copies that joined them.

    Attributes:
        groups: int64 array of shape (n,): the first row that shows the same
            picture, its own number for a picture without copies.
        pairs: int64 array of shape (m, 2): rows found to be changed copies of
            each other; pairs that were in one group already are not among them.
        correlation: float32 array of shape (m,), in [near, 1].
        mirrored: bool array of shape (m,): left and right are exchanged.
    """

    groups: Int64
    pairs: Int64
    correlation: Float32
    mirrored: Bool


def exact_groups(crops: UInt8, *, rows: ArrayLike | None = None) -> Int64:
    """Group crops whose pixels are all the same.

    Args:
        crops: uint8 RGB array of shape (m, side, side, 3); a memory map is read
            crop by crop.
        rows: int array of shape (n,), which crops; None for all.

    Returns:
        int64 array of shape (n,): position in ``rows`` of the first crop of the
        same group.
    """
    first: dict[bytes, int] = {}
    groups = np.empty(len(_rows(rows, crops)), np.int64)
    for place, row in enumerate(_rows(rows, crops)):
        key = hashlib.blake2b(crops[row].tobytes(), digest_size=16).digest()
        groups[place] = first.setdefault(key, place)
    return groups


def near_groups(crops: UInt8, *, rows: ArrayLike | None = None, near: float = NEAR) -> Int64:
    """Group crops that show the same picture; see ``near_copies``.

    Returns:
        int64 array of shape (n,), as ``exact_groups`` gives it; exact copies are
        in one group too.
    """
    return near_copies(crops, rows=rows, near=near).groups


def near_copies(
    crops: UInt8,
    *,
    rows: ArrayLike | None = None,
    near: float = NEAR,
    progress: Callable[[int, int], None] | None = None,
) -> Copies:
    """Find exact, rescaled, recut, recompressed and mirrored copies.

    All pairs of descriptors are compared, block by block; likely pairs are
    verified on their pixels. The 32,298 crops of FER-2013 take 13 s of one
    core; the comparisons, a third of that, grow with the square of the crops.

    Args:
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,), which crops (leave out those of failed
            images: they are all black); None for all.
        near: Least correlation of a pair, in (0, 1].
        progress: Called with (rows compared, all).

    Returns:
        Groups and pairs, numbered by position in ``rows``.
    """
    index = _rows(rows, crops)
    exact = exact_groups(crops, rows=index)
    unique = np.flatnonzero(exact == np.arange(len(index)))
    forest = _Forest(len(index))

    @lru_cache(maxsize=4096)
    def shown(place: int) -> tuple[Float32, Float32]:
        return detail(crops[index[unique[place]]])

    found: list[tuple[int, int, float, bool]] = []
    for one, other, mirrored in _likely(_descriptors(crops, index[unique]), progress):
        first, second = int(unique[one]), int(unique[other])
        if forest.root(first) == forest.root(second):
            continue
        picture = shown(other)[0]
        if mirrored:
            picture = np.ascontiguousarray(picture[:, ::-1])
        correlation = fit_correlation(shown(one)[1], picture)
        if correlation >= near:
            forest.join(first, second)
            found.append((first, second, correlation, mirrored))
    groups = np.array([forest.root(int(place)) for place in exact], np.int64)
    return Copies(
        groups,
        np.array([pair[:2] for pair in found], np.int64).reshape(-1, 2),
        np.array([pair[2] for pair in found], np.float32),
        np.array([pair[3] for pair in found], np.bool_),
    )


def _rows(rows: ArrayLike | None, crops: UInt8) -> Int64:
    return np.arange(len(crops)) if rows is None else np.asarray(rows, np.int64)


def _descriptors(crops: UInt8, rows: Int64) -> Float32:
    """Descriptors of shape (n, 63), evened out."""
    out = np.empty((len(rows), len(MIRROR_SIGNS)), np.float32)
    for place, row in enumerate(rows):
        out[place] = describe(crops[row])
    return even_out(out)


def _likely(
    found: Float32, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, int, bool]]:
    """Pairs (first, second, mirrored) with first < second, likeliest first in a block."""
    n = len(found)
    for top in range(0, n, _TALL):
        rows = found[top : top + _TALL]
        for left in range(top, n, _WIDE):
            columns = found[left : left + _WIDE]
            for mirrored in (False, True):
                shown = rows * MIRROR_SIGNS if mirrored else rows
                cosine = np.asarray(shown @ columns.T, np.float32)
                if left < top + len(rows):  # every pair once, and no row with itself
                    first = np.arange(top, top + len(rows))[:, None]
                    cosine[first >= np.arange(left, left + len(columns))] = -1
                for one, other in _best_partners(cosine):
                    yield top + one, left + other, mirrored
        if progress is not None:
            progress(min(top + _TALL, n), n)


def _best_partners(cosine: Float32) -> list[tuple[int, int]]:
    """Places above the bar, at most ``_PARTNERS`` a row, the highest first."""
    one, other = np.divmod(np.flatnonzero(cosine > _WORTH_A_LOOK), cosine.shape[1])
    value = cosine[one, other]
    order = np.lexsort((-value, one))
    one, other, value = one[order], other[order], value[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    keep = np.flatnonzero(rank < _PARTNERS)
    keep = keep[np.argsort(-value[keep], kind="stable")]
    return list(zip(one[keep].tolist(), other[keep].tolist(), strict=True))


class _Forest:
    """Union-find in which the smallest number of a group is its root."""

    def __init__(self, n: int) -> None:
        self._above = list(range(n))

    def root(self, one: int) -> int:
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._above[high] = low


# What groups of copies mean for labels and for splits.

#: Which split keeps a picture that several have; the later ones repeat it.
ORDER: Final = ("train", "val", "test")


def copied(groups: ArrayLike) -> Bool:
    """Rows whose picture occurs more than once.

    Args:
        groups: int array of shape (n,), equal numbers show one picture.

    Returns:
        bool array of shape (n,).
    """
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.asarray(size[code] > 1)


def overlaps(groups: ArrayLike, split: ArrayLike, *, order: tuple[str, ...] = ORDER) -> Int64:
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


def conflicts(groups: ArrayLike, labels: ArrayLike) -> Bool:
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
    if not len(values):
        return np.zeros(0, bool)
    columns = values.reshape(len(values), -1).astype(np.int64)
    count = int(code.max(initial=-1)) + 1
    low = np.full((count, columns.shape[1]), np.iinfo(np.int64).max)
    high = np.full((count, columns.shape[1]), -1, np.int64)
    known = np.where(columns < 0, np.iinfo(np.int64).max, columns)
    np.minimum.at(low, code, known)
    np.maximum.at(high, code, columns)
    differ: Bool = np.any(high > low, axis=1)
    return differ[code]
