"""An array on disk: rows computed once, block by block, by one process at a time.

A folder holds

    rows.npy      (n, ...) the rows
    state.npy     uint8 (n,): 0 to do, 1 done, 2 failed
    errors.jsonl  one line for every failed row
    done.json     written last; without it the folder is unfinished

Rows and state are flushed block by block, so that a killed run goes on where it
stopped; a lock file keeps a second process waiting. A row fails when what it is made
of is damaged, which stays so. What could not be read this time is tried again next
time, and until then the folder is unfinished.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from facekit.arrays import AnyArray, Bool, Int64, Str
from facekit.errors import DataError, ImageError, UnreadError
from facekit.heads.arrays import open_array
from facekit.system.files import locked, open_regular, read_regular, write_atomically
from facekit.system.pool import cores, map_in_order, one_library_thread
from facekit.system.terminal import progress_bar

DONE: Final = 1
FAILED: Final = 2
_FILES: Final = ("rows.npy", "state.npy")

Source = Path | bytes
Compute = Callable[[Source], AnyArray]


@dataclass(frozen=True)
class Rows:
    """The finished array.

    Attributes:
        values: Read-only memory map of shape (n, ...); failed rows are zero.
        ok: bool array of shape (n,), False where a row failed.
        errors: One line for every failed row, by its id.
        digest: Hash of the rows and of which failed.
    """

    values: AnyArray
    ok: Bool
    errors: dict[str, str]
    digest: str


@dataclass(frozen=True)
class Job:
    """What an array is made of.

    Attributes:
        what: Name of the rows for people, such as "crops".
        folder: Only these rows lie there: its name holds a hash of all they depend on.
        ids: str array of shape (n,).
        sources: Gives files or bytes for rows in ascending order.
        compute: Source to row; raises ImageError. Called from several threads.
        shape: Shape of a row.
        dtype: Type of the numbers.
        block: Rows between two flushes: a killed run repeats at most this many.
    """

    what: str
    folder: Path
    ids: Str
    sources: Callable[[Int64], Iterator[Source]]
    compute: Compute
    shape: tuple[int, ...]
    dtype: DTypeLike = np.uint8
    block: int = 512


def open_rows(job: Job, *, workers: int | None = None, progress: bool = True) -> Rows:
    """Open an array, computing what is missing of it.

    Args:
        job: What it is made of.
        workers: Threads in [1, inf); None for one a core.
        progress: Show a bar with rate and time left on standard error.

    Returns:
        The array; rows that failed stop nobody.

    Raises:
        DataError: It cannot be written or read.
    """
    waiting = f"waiting for another process that builds these {job.what}" if progress else ""
    unread: dict[str, str] = {}
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        with locked(job.folder.with_name(f"{job.folder.name}.lock"), waiting):
            if not (job.folder / "done.json").exists():
                unread = _fill(job, workers or cores(), progress)
    except OSError as error:
        raise DataError(
            f"the {job.what} cannot be written in {job.folder.parent}: {error.strerror or error}; "
            "free some space or name another folder with FACEKIT_HOME"
        ) from error
    return _read(job, unread)


def _read(job: Job, unread: dict[str, str]) -> Rows:
    try:
        values, state = (open_array(job.folder / name) for name in _FILES)
        note = {} if unread else dict(json.loads(read_regular(job.folder / "done.json")))
        errors = {**_errors(job.folder), **unread}
        if len(values) != len(job.ids) or len(state) != len(job.ids):
            raise ValueError("other rows")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{job.folder} is damaged: delete it and try again") from error
    return Rows(values, np.asarray(state) == DONE, errors, note.get("digest", ""))


def _fill(job: Job, workers: int, progress: bool) -> dict[str, str]:
    """Compute every row that is not done; returns what could not be read, by id."""
    values, state = _working_arrays(job)
    rows = np.flatnonzero(state == 0)
    before = len(state) - len(rows)
    unread: dict[str, str] = {}

    def attempt(source: Source) -> AnyArray | ImageError:
        try:
            return job.compute(source)
        except ImageError as error:
            return error

    with (
        contextlib.closing(map_in_order(attempt, job.sources(rows), workers)) as results,
        progress_bar(job.what, len(state), done=before, show=progress) as tick,
        one_library_thread(),
    ):
        for start in range(0, len(rows), job.block):
            block = rows[start : start + job.block]
            errors: dict[str, str] = {}
            marks = np.full(len(block), DONE, np.uint8)
            for i, result in enumerate(islice(results, len(block))):
                if not isinstance(result, ImageError):
                    values[block[i]] = result
                elif isinstance(result, UnreadError):
                    unread[str(job.ids[block[i]])] = str(result)
                    marks[i] = 0
                else:
                    errors[str(job.ids[block[i]])] = str(result)
                    marks[i] = FAILED
                tick(before + start + i + 1, len(state))
            values.flush()
            _append_errors(job.folder, errors)
            state[block] = marks  # last: the state vouches for rows and errors
            state.flush()
    if not unread:
        digest = hashlib.sha256(values.data)  # views of the memory maps: nothing is copied
        digest.update(state.data)
        note = {"what": job.what, "n": len(state), "digest": digest.hexdigest()}
        write_atomically(job.folder / "done.json", json.dumps(note, indent=2) + "\n")
    return unread


def _errors(folder: Path) -> dict[str, str]:
    path = folder / "errors.jsonl"
    found: dict[str, str] = {}
    text = read_regular(path).decode("utf-8", "replace") if path.exists() else ""
    for line in text.splitlines():
        with contextlib.suppress(
            ValueError, TypeError, RecursionError
        ):  # half a line of a killed run
            name, message = json.loads(line)
            found[name] = message
    return found


def _append_errors(folder: Path, errors: dict[str, str]) -> None:
    if not errors:
        return
    with (folder / "errors.jsonl").open("a", encoding="utf-8") as file:
        for item in errors.items():  # line break first: a killed run may have left half a line
            file.write(f"\n{json.dumps(item)}")
        file.flush()
        os.fsync(file.fileno())


def _working_arrays(job: Job) -> list[np.memmap[Any, np.dtype[Any]]]:
    """Memory maps of rows and state: those of a killed run, else new ones."""
    n, kinds = len(job.ids), (np.dtype(job.dtype), np.dtype(np.uint8))
    shapes: list[tuple[int, ...]] = [(n, *job.shape), (n,)]
    paths = [job.folder / name for name in _FILES]
    old = _left_over(paths, shapes, kinds)
    if old is not None:
        return old
    needed = kinds[0].itemsize * int(np.prod(shapes[0]))
    if shutil.disk_usage(job.folder).free < needed * 1.05:  # a full disk kills a memory map
        raise DataError(
            f"the {job.what} need {needed / 1e6:,.0f} MB in {job.folder.parent}, which has less: "
            "free some space or name another folder with FACEKIT_HOME"
        )
    for stale in job.folder.iterdir():
        stale.unlink()
    return [
        np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
        for path, kind, shape in zip(paths, kinds, shapes, strict=True)
    ]


def _left_over(
    paths: list[Path], shapes: list[tuple[int, ...]], kinds: tuple[np.dtype[Any], ...]
) -> list[np.memmap[Any, np.dtype[Any]]] | None:
    """The arrays of a killed run, or None where they do not fit.

    Maps that do not fit close when this returns: Windows deletes no mapped file.
    """
    with contextlib.suppress(Exception):  # NumPy's parser raises whatever it stumbles over
        sizes = [path.stat().st_size for path in paths]  # opening fills up a short file
        for path in paths:
            open_regular(path).close()
        old = [np.lib.format.open_memmap(path, mode="r+") for path in paths]
        whole = [size == a.offset + a.nbytes for size, a in zip(sizes, old, strict=True)]
        if all(whole) and [(a.shape, a.dtype) for a in old] == [*zip(shapes, kinds, strict=True)]:
            return old
    return None
