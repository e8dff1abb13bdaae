"""What a file holds, as a hash: caches are keyed by it and by nothing that may lie.

Names, sizes and times of change can be the same for other pictures (two exports of one
camera, a copy with its times kept, an orientation mended in place), so every file is
read. To read it once, the hash is remembered under device, inode, size, time of change
and time of the inode's change (ctime). No program can set a ctime, and it moves with
every write, so what is remembered cannot be fooled; a file that changed in the two
seconds before it was read is not remembered, because clocks of file systems are coarse.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from facekit.system.pool import cores, map_in_order

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
    with _remembered(memory) as (known, fresh):

        def mark(source: Path | bytes) -> str:
            if isinstance(source, bytes):
                return hashlib.sha256(source).hexdigest()[: 2 * _BYTES]
            try:
                return _mark(source, known, fresh)
            except OSError as error:
                return f"{UNREAD}: {error.strerror or error}"

        return list(map_in_order(mark, sources, cores()))


def _mark(path: Path, known: dict[Stamp, str], fresh: dict[Stamp, str]) -> str:
    stamp = _stamp(path.stat())
    if stamp in known:
        return known[stamp]
    begun = time.time_ns()
    with path.open("rb") as file:
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
    file = sqlite3.connect(memory, timeout=5)
    file.execute(_TABLE)
    return contextlib.closing(file)
