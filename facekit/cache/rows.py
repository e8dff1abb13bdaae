"""One part in one view on disk: rows of float16, each found by the hash of its crop.

Two files, both only ever appended to:

    <part>.f16    the rows, one after the other
    <part>.index  for every row 16 bytes of its crop's hash and a CRC-32

A row counts once it stands in the index, and the index is written after the rows
have reached the disk; so a process may be killed at any moment. The CRC covers
hash and row: a row that is cut, altered or out of place is never taken for good.
It is computed again and appended; of several rows of one crop the last counts.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facekit.arrays import AnyArray, Bool, Float16, Floating, Int64, UInt8
from facekit.system.files import open_regular, read_regular
from facekit.system.pool import cores

#: Bytes kept of a hash: two of a million crops agree with a chance of 1e-27.
HASH_BYTES: Final = 16
#: Crops that one thread hashes at a time.
_BLOCK: Final = 512
_RECORD: Final = np.dtype([("crop", "u1", (HASH_BYTES,)), ("check", "<u4")])
#: Bytes of the index for a row.
RECORD_BYTES: Final = _RECORD.itemsize
_HALF: Final = np.dtype("<f2")
#: Bytes asked of the system at once; it may give less beyond two gigabytes.
_RUN: Final = 1 << 26
_PLAIN_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")


class Found(NamedTuple):
    """Where the rows of n crops lie.

    Attributes:
        places: int64 array of shape (n,), -1 where there is none.
        checks: uint32 array of shape (n,), the CRC-32 that the index has.
    """

    places: Int64
    checks: NDArray[np.uint32]


@dataclass(frozen=True)
class RowFile:
    """The rows of one part in one view.

    Attributes:
        folder: Where both files lie.
        part: Name of the part.
        shape: Shape of a row.
    """

    folder: Path
    part: str
    shape: tuple[int, ...]

    @property
    def data(self) -> Path:
        """The rows."""
        return self.folder / f"{self._stem}.f16"

    @property
    def index(self) -> Path:
        """What is known about the rows."""
        return self.folder / f"{self._stem}.index"

    @property
    def _stem(self) -> str:
        """The part's name; a hash of it where it is no plain file name."""
        if _PLAIN_NAME.fullmatch(self.part):
            return self.part
        return f"part.{hashlib.sha256(self.part.encode()).hexdigest()[:16]}"

    @property
    def row_bytes(self) -> int:
        """Bytes of a row on disk."""
        return math.prod(self.shape) * _HALF.itemsize

    def find(self, hashes: UInt8) -> Found:
        """Look up crops; needs no lock.

        Args:
            hashes: uint8 array of shape (n, 16).

        Returns:
            The last row of each crop.

        Raises:
            OSError: The index is there but cannot be read.
        """
        data = read_regular(self.index) if self.index.exists() else b""
        records = np.frombuffer(data, _RECORD, len(data) // RECORD_BYTES)
        if not len(records):
            return Found(np.full(len(hashes), -1), np.zeros(len(hashes), np.uint32))
        known, wanted = _first_half(records["crop"]), _first_half(hashes)
        order = np.argsort(known, kind="stable")
        nearest = np.searchsorted(known[order], wanted, side="right") - 1
        places = order[np.maximum(nearest, 0)]
        right = (records["crop"][places] == hashes).all(1)
        return Found(np.where(right, places, -1), records["check"][places])

    def read(self, found: Found, hashes: UInt8) -> tuple[Float16, Bool]:
        """Read rows and check each of them.

        Args:
            found: Where the rows of n crops lie.
            hashes: uint8 array of shape (n, 16), those of the crops.

        Returns:
            float16 array of shape (n, row), and a mask of shape (n,) that is
            False where the file has no such row or an altered one.

        Raises:
            OSError: The rows are there but cannot be read.
        """
        rows = np.empty((len(hashes), math.prod(self.shape)), _HALF)
        good = np.zeros(len(hashes), np.bool_)
        if not self.data.exists():
            return rows.astype(np.float16, copy=False), good
        bytes_of_rows = rows.view(np.uint8)
        with open_regular(self.data) as file:
            for start, stop in _runs(found.places, max(1, _RUN // self.row_bytes)):
                file.seek(int(found.places[start]) * self.row_bytes)
                wanted = bytes_of_rows[start:stop].reshape(-1)
                wanted[file.readinto(wanted.data) :] = 0  # beyond the end of a cut file
        for i in np.flatnonzero(found.places >= 0).tolist():
            good[i] = _check(hashes[i], bytes_of_rows[i]) == found.checks[i]
        return rows.astype(np.float16, copy=False), good

    def append(self, hashes: UInt8, rows: Floating) -> None:
        """Add rows behind those that count; the caller holds the lock.

        Args:
            hashes: uint8 array of shape (n, 16).
            rows: float array of shape (n, ...).

        Raises:
            OSError: They cannot be written.
        """
        half = np.ascontiguousarray(rows.reshape(len(rows), -1), _HALF).view(np.uint8)
        records = np.zeros(len(rows), _RECORD)
        records["crop"] = hashes
        records["check"] = [_check(crop, row) for crop, row in zip(hashes, half, strict=True)]
        written = self.index.stat().st_size if self.index.exists() else 0
        count = written // RECORD_BYTES  # a killed run may have left part of a record
        _write_at(self.data, count * self.row_bytes, half.data)
        _write_at(self.index, count * RECORD_BYTES, records.tobytes())


def _first_half(hashes: UInt8) -> NDArray[np.uint64]:
    """Eight bytes of each hash as one number, to sort by."""
    return np.ascontiguousarray(hashes[:, :8]).view("<u8").ravel().astype(np.uint64, copy=False)


def _check(crop: UInt8, row: UInt8) -> int:
    return zlib.crc32(row.data, zlib.crc32(crop.data))


def _runs(places: Int64, longest: int) -> list[tuple[int, int]]:
    """(start, stop) of stretches whose places follow each other, missing ones left out."""
    breaks = np.flatnonzero((np.diff(places) != 1) | (places[:-1] < 0)) + 1
    edges = [0, *breaks.tolist(), len(places)]
    return [
        (at, min(at + longest, stop))
        for start, stop in pairwise(edges)
        if start < stop and places[start] >= 0
        for at in range(start, stop, longest)
    ]


def _write_at(path: Path, offset: int, data: bytes | memoryview) -> None:
    """Write to the disk from an offset on; what lay behind it is cut off."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


# Crops known by a hash of their pixels, so that features follow the picture.


@dataclass(frozen=True)
class HashedCrops:
    """Some crops of an array or cache, and what each is known by.

    Attributes:
        crops: uint8 RGB array of shape (all, side, side, 3), maybe a memory map.
        rows: int64 array of shape (n,): which crops, in which order.
        hashes: uint8 array of shape (n, ``HASH_BYTES``).
    """

    crops: UInt8
    rows: Int64
    hashes: UInt8

    def __len__(self) -> int:
        return len(self.rows)

    def pick(self, index: AnyArray) -> HashedCrops:
        """Those at the given places of ``rows``, as positions or a mask."""
        return HashedCrops(self.crops, self.rows[index], self.hashes[index])


def hash_crops(crops: UInt8, rows: Int64) -> HashedCrops:
    """Hash crops on all cores.

    SHA-256 because processors have instructions for it: 1.1 GB/s a core where
    BLAKE2b has 0.4, so that FER-2013's training crops take half a second.

    Args:
        crops: uint8 RGB array of shape (all, side, side, 3).
        rows: int64 array of shape (n,).

    Returns:
        The crops of these rows, hashed.
    """
    images = np.asarray(crops)  # rows of a plain array are ten times cheaper than of a map
    hashes = np.empty((len(rows), HASH_BYTES), np.uint8)

    def work(start: int) -> None:
        for i, row in enumerate(rows[start : start + _BLOCK].tolist(), start):
            digest = hashlib.sha256(np.ascontiguousarray(images[row]).data, usedforsecurity=False)
            hashes[i] = np.frombuffer(digest.digest(), np.uint8, HASH_BYTES)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, range(0, len(rows), _BLOCK)))
    return HashedCrops(images, rows, hashes)
