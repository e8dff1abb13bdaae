"""FeatureSet: the features of some crops in some views, read from disk on demand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from facekit.errors import BundleError, DataError
from facekit.features.crop_hash import HashedCrops
from facekit.features.extract import positions
from facekit.features.row_file import Found
from facekit.features.shelf import Shelf
from facekit.features.views import View

__all__ = ["FeatureSet"]

#: Rows that one thread reads at a time; the buffer should be small enough to be used again.
_BLOCK: Final = 128


@dataclass(frozen=True)
class FeatureSet:
    """Features of n crops in v views: v * n rows, all crops of the first view first.

    So ``read(...).reshape(v, n, -1)`` has the views apart, and ``numpy.tile(y, v)``
    are the labels. Every row is checked when it is read; one that was altered on
    disk is computed again.

    Attributes:
        parts: Shape of a row by part name.
        views: The views, in their order.
        crops: The crops, in their order.
    """

    parts: Mapping[str, tuple[int, ...]]
    views: tuple[View, ...]
    crops: HashedCrops
    _shelves: tuple[Shelf, ...]
    _found: tuple[dict[str, Found], ...]

    def __len__(self) -> int:
        return len(self.views) * len(self.crops)

    def read(
        self, rows: ArrayLike | None, part: str, dtype: DTypeLike = np.float16
    ) -> NDArray[Any]:
        """Rows of one part.

        Args:
            rows: Positions or a mask of shape (len(self),); None for all.
            part: Which part.
            dtype: float16, as they are stored, or float32.

        Returns:
            Array of shape (rows, *shape of the part).

        Raises:
            BundleError: There is no such part here.
            DataError: The features cannot be read.
            UsageError: The rows do not fit.
        """
        return self.matrix(rows, [part], dtype).reshape(-1, *self.parts[part])

    def matrix(
        self,
        rows: ArrayLike | None = None,
        parts: Sequence[str] | None = None,
        dtype: DTypeLike = np.float16,
    ) -> NDArray[Any]:
        """Rows of several parts, flattened and side by side, as heads read them.

        Args:
            rows: As for ``read``.
            parts: Which parts, in which order; None for all.
            dtype: As for ``read``.

        Returns:
            Array of shape (rows, d).

        Raises:
            BundleError: As for ``read``.
            DataError: As for ``read``.
            UsageError: As for ``read``.
        """
        names = list(self.parts if parts is None else parts)
        for part in names:
            if part not in self.parts:
                raise BundleError(f"no part {part!r} here, only {', '.join(self.parts)}")
        index = positions(rows, len(self))
        edges = np.cumsum([0, *(math.prod(self.parts[part]) for part in names)])
        out = np.empty((len(index), edges[-1]), np.dtype(dtype))

        def work(start: int) -> None:
            block = slice(start, start + _BLOCK)
            for part, left, right in zip(names, edges[:-1], edges[1:], strict=True):
                self._read_into(out[block, left:right], index[block], part)

        try:
            # Two at a time: one waits for the disk while the other one checks.
            with ThreadPoolExecutor(2, thread_name_prefix="features") as pool:
                list(pool.map(work, range(0, len(index), _BLOCK)))
        except OSError as error:
            raise DataError(
                f"the features cannot be read: {error.strerror or error}; free some space, "
                "or delete them with `facekit data features --clear`"
            ) from error
        return out

    def blocks(
        self, size: int = _BLOCK, parts: Sequence[str] | None = None, dtype: DTypeLike = np.float16
    ) -> Iterator[tuple[slice, dict[str, NDArray[Any]]]]:
        """All rows block by block, for sums that need not hold them all.

        Args:
            size: Rows a block, in [1, inf).
            parts: Which parts; None for all.
            dtype: As for ``read``.

        Yields:
            Where the block lies, and an array of shape (block, ...) for each part.
        """
        names = list(self.parts if parts is None else parts)
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            where = slice(start, start + len(rows))
            yield where, {part: self.read(rows, part, dtype) for part in names}

    def _read_into(self, out: NDArray[Any], rows: NDArray[np.int64], part: str) -> None:
        """Rows of one part, view by view."""
        views, crops = np.divmod(rows, max(1, len(self.crops)))
        several = np.unique(views).tolist()
        for view in several:
            mask: Any = views == view if len(several) > 1 else slice(None)
            chosen = crops[mask]
            shelf, found = self._shelves[view], self._found[view][part]
            hashes = self.crops.hashes[chosen]
            values, good = shelf.file(part).read(_pick(found, chosen), hashes)
            if not good.all():
                bad = chosen[~good]
                mended = shelf.mend(self.crops.pick(bad), part)
                found.places[bad], found.checks[bad] = mended
                values[~good] = shelf.file(part).read(mended, hashes[~good])[0]
            out[mask] = values


def _pick(found: Found, index: NDArray[np.int64]) -> Found:
    return Found(found.places[index], found.checks[index])
