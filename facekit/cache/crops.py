"""The crop cache: every face decoded and aligned once, then memory-mapped.

A cache is an array on disk (``facekit.cache.array``) in the folder
``<root>/<source>-<key>/``. The key is a hash of the source's name, the frame and, for
every image in order, its id and its content (``facekit.cache.crops``). Where the
files lie, and when they changed, does not count.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import Bool, Int64, Str, UInt8
from facekit.cache.array import Job, open_rows
from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import ALIGNED_EYES, BOX_EYES, FaceFrame
from facekit.photos.align import Refine, align
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.photos.image import decode, picture_size
from facekit.system.files import open_regular
from facekit.system.pool import cores, map_in_order

#: Part of every key: raise it when decoding or warping changes its output.
VERSION: Final = 2
#: Crops between two flushes.
BLOCK: Final = 512
#: Why a picture that is not aligned may have no crop.
NO_FACE: Final = "no face was found"
#: Read of a file for its size; long colour profiles and previews need the whole.
_FIRST: Final = 1 << 16

Cropper = Callable[[Path | bytes], UInt8]


@dataclass(frozen=True)
class CropCache:
    """Crops of one source in one frame, row for row like the table's ids.

    Attributes:
        folder: Where the cache lives.
        crops: Read-only uint8 RGB memory map of shape (n, side, side, 3);
            failed rows are black.
        ids: str array of shape (n,).
        ok: bool array of shape (n,), False where an image failed.
        errors: One line for every failed id.
        frame: The geometry of the crops.
        key: Hash of source, images and frame.
        pixels: Hash of the crops and which failed. Empty while some image could not
            be read.
    """

    folder: Path
    crops: UInt8
    ids: Str
    ok: Bool
    errors: dict[str, str]
    frame: FaceFrame
    key: str
    pixels: str = ""


def cache_key(table: Table, frame: FaceFrame, memory: Path, *, found_by: str = "") -> str:
    """Hash that changes with the source, any image, the frame or the geometry.

    Args:
        table: What is to be cropped.
        frame: The geometry of the crops.
        memory: Where hashes of files are remembered; see ``content_marks``.
        found_by: Keys of detector and refinement for a table that is not
            aligned.

    Returns:
        16 hexadecimal digits.
    """
    eyes = ALIGNED_EYES[table.aligned] if table.aligned else (found_by, BOX_EYES)
    return hash_table(table, memory, repr((VERSION, table.name, frame.key, eyes)))


def hash_table(table: Table, memory: Path, *more: str) -> str:
    """Hash of every id and content of a table, and of what else counts."""
    digest = hashlib.sha256("".join(more).encode())
    marks = content_marks(encoded(table, np.arange(len(table))), memory)
    for name, mark in zip(table.ids, marks, strict=True):
        digest.update(f"{name}\0{mark}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def build_cache(
    table: Table,
    frame: FaceFrame,
    *,
    root: Path,
    workers: int | None = None,
    progress: bool = True,
    detector: str = "auto",
    refine: Refine | None = None,
    refine_key: str = "",
) -> CropCache:
    """Open the crop cache of a table, building what is missing of it.

    Of a picture that is not aligned, the biggest face is taken.

    Args:
        table: Images of one source.
        frame: The geometry of the crops.
        root: Folder that holds all caches.
        workers: Threads in [1, inf); None for one a core.
        progress: Show a bar with rate and time left on standard error.
        detector: As for ``find_detector``; for tables that are not aligned.
        refine: As for ``align``; called from several threads.
        refine_key: Changes with whatever ``refine`` was made from.

    Returns:
        The cache. Images that could not be cropped are in ``errors``; they do not
        stop the others.

    Raises:
        DataError: The table is empty, or the cache cannot be written or read.
        UsageError: The detector cannot be opened.
    """
    if not len(table):
        raise DataError(f"{table.name} has no images to crop")
    if table.aligned:
        crop, found_by = _aligned(table.aligned, frame), ""
    else:
        finder = find_detector(detector)
        crop, found_by = _found(finder, frame, refine), f"{finder.key} {refine_key}"
    key = cache_key(table, frame, root / "contents.sqlite", found_by=found_by)
    folder = root / f"{table.name}-{key}"
    shape = (frame.side, frame.side, 3)
    job = Job(
        "crops", folder, table.ids, lambda rows: encoded(table, rows), crop, shape, block=BLOCK
    )
    rows = open_rows(job, workers=workers, progress=progress)
    return CropCache(folder, rows.values, table.ids, rows.ok, rows.errors, frame, key, rows.digest)


def _aligned(source: str, frame: FaceFrame) -> Cropper:
    def crop(image: Path | bytes) -> UInt8:
        rgb = decode(image)
        return frame.warp(rgb, frame.matrix_from_aligned(source, rgb.shape[1], rgb.shape[0]))

    return crop


def _found(finder: Detector, frame: FaceFrame, refine: Refine | None) -> Cropper:
    def crop(image: Path | bytes) -> UInt8:
        rgb = decode(image)
        faces = finder.detect(rgb)
        if not faces:
            raise ImageError(NO_FACE)
        return align(rgb, faces[0], frame, detector=finder.name, refine=refine)[0]

    return crop


def encoded(table: Table, rows: Int64) -> Iterator[Path | bytes]:
    """Paths or encoded bytes of the given rows, in their order (ascending)."""
    images = table.images
    if isinstance(images, Sequence):
        return (images[i] for i in rows)
    return images.stream(rows)


def picture_sizes(table: Table) -> Int64:
    """Width and height of every picture as it is stored.

    Args:
        table: The pictures; files are opened, not decoded.

    Returns:
        int64 array of shape (n, 2): width and height in pixels, 0 where a picture
        cannot be read.
    """
    sizes = np.zeros((len(table), 2), np.int64)
    for row, source in enumerate(encoded(table, np.arange(len(table)))):
        with contextlib.suppress(ImageError, OSError):
            sizes[row] = _size(source)
    return sizes


def _size(source: Path | bytes) -> tuple[int, int]:
    if isinstance(source, bytes):
        return picture_size(source)
    with open_regular(source) as file:
        first = file.read(_FIRST)
        try:
            return picture_size(first)
        except ImageError:
            return picture_size(first + file.read())


# What a file holds, as a hash: caches are keyed by it and by nothing that may lie.
#
# Names, sizes and times of change can be the same for other pictures (two exports of one
# camera, a copy with its times kept, an orientation mended in place), so every file is
# read. To read it once, the hash is remembered under device, inode, size, time of change
# and time of the inode's change (ctime). No program can set a ctime, and it moves with
# every write, so what is remembered cannot be fooled; a file that changed in the two
# seconds before it was read is not remembered, because clocks of file systems are coarse.

#: Starts the mark of a file that could not be read: what it holds is not known.
UNREAD: Final = "unread"
_BYTES: Final = 16  # two of a million files agree with a chance of 1e-27
_SETTLED: Final = 2_000_000_000  # nanoseconds
#: Windows keeps the time of creation where others keep that of the inode's change.
_REMEMBERS: Final = os.name != "nt"
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS files (device INT, inode INT, size INT, mtime INT, ctime INT, "
    "digest TEXT, PRIMARY KEY (device, inode)) WITHOUT ROWID"
)

Stamp = tuple[int, int, int, int, int]


def content_marks(sources: Iterable[Path | bytes], memory: Path) -> list[str]:
    """Hash files, or bytes, in their order.

    Args:
        sources: Files and encoded pictures.
        memory: SQLite file with the hashes of files read before; made where it can be.

    Returns:
        32 hexadecimal digits each, or ``UNREAD`` and why.
    """
    marks: list[str] = []
    places: list[int] = []
    with _remembered(memory) as (known, fresh):

        def unknown() -> Iterator[Path | bytes]:
            """What must be read; a thread for each file that is known takes ten times as long."""
            for source in sources:
                marks.append(_known(source, known))
                if not marks[-1]:
                    places.append(len(marks) - 1)
                    yield source

        def mark(source: Path | bytes) -> str:
            if isinstance(source, bytes):
                return hashlib.sha256(source).hexdigest()[: 2 * _BYTES]
            try:
                return _mark(source, fresh)
            except OSError as error:
                return f"{UNREAD}: {error.strerror or error}"

        for i, read in enumerate(map_in_order(mark, unknown(), cores())):
            marks[places[i]] = read
    return marks


def _known(source: Path | bytes, known: dict[Stamp, str]) -> str:
    """What is remembered of a file; empty where nothing is."""
    if isinstance(source, bytes):
        return ""
    try:
        return known.get(_stamp(source.stat()), "")
    except OSError:  # why is told where it is read
        return ""


def _mark(path: Path, fresh: dict[Stamp, str]) -> str:
    stamp = _stamp(path.stat())
    begun = time.time_ns()
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[: 2 * _BYTES]
        after = _stamp(os.fstat(file.fileno()))
    if after == stamp and begun - stamp[4] > _SETTLED:
        fresh[stamp] = digest
    return digest


def _stamp(info: os.stat_result) -> Stamp:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


@contextlib.contextmanager
def _remembered(memory: Path) -> Iterator[tuple[dict[Stamp, str], dict[Stamp, str]]]:
    """What was known before, and a place for what is new; without a memory nothing is."""
    known: dict[Stamp, str] = {}
    fresh: dict[Stamp, str] = {}
    if _REMEMBERS:
        with contextlib.suppress(sqlite3.Error, OSError), _open(memory) as file:
            known = {row[:5]: row[5] for row in file.execute("SELECT * FROM files")}
    yield known, fresh
    if _REMEMBERS and fresh:
        with contextlib.suppress(sqlite3.Error, OSError), _open(memory) as file, file:
            rows = [(*stamp, digest) for stamp, digest in fresh.items()]
            file.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)


def _open(memory: Path) -> contextlib.closing[sqlite3.Connection]:
    memory.parent.mkdir(parents=True, exist_ok=True)
    if memory.exists():
        open_regular(memory).close()  # SQLite would wait for a pipe
    file = sqlite3.connect(memory, timeout=5)
    file.execute(_TABLE)
    return contextlib.closing(file)
