"""The crop cache: every face decoded and aligned once, then memory-mapped.

A cache is a folder ``<root>/<source>-<key>/``:

    crops.npy     uint8 (n, side, side, 3) RGB
    cache.json    written last; without it the folder is unfinished
    state.npy     uint8 (n,): 0 to do, 1 cropped, 2 failed
    errors.jsonl  one line for every failed image

While it is built, crops and state are flushed block by block, so that a killed
run goes on where it stopped; a lock file keeps a second process waiting.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import filelock
import numpy as np
from numpy.typing import NDArray

from facekit.crops.align import Refine, align
from facekit.crops.decode import decode
from facekit.crops.detect import Detector, find_detector
from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import ALIGNED_EYES, BOX_EYES, FaceFrame

__all__ = ["CropCache", "build_cache", "cache_key"]

#: Part of every key: raise it when decoding or warping changes its output.
VERSION: Final = 1
#: Images between two flushes: a killed run repeats at most this many.
BLOCK: Final = 512
CROPPED: Final = 1
FAILED: Final = 2

Source = Path | bytes
Result = NDArray[np.uint8] | ImageError
Cropper = Callable[[Source], NDArray[np.uint8]]


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
    """

    folder: Path
    crops: NDArray[np.uint8]
    ids: NDArray[np.str_]
    ok: NDArray[np.bool_]
    errors: dict[str, str]
    frame: FaceFrame
    key: str


def cache_key(table: Table, frame: FaceFrame, *, found_by: str = "") -> str:
    """Hash that changes with the source, any image, the frame or the geometry.

    Args:
        table: What is to be cropped. Files count with id, size and time of
            change, encoded streams with id and content.
        frame: The geometry of the crops.
        found_by: Keys of detector and refinement for a table that is not
            aligned.

    Returns:
        16 hexadecimal digits.
    """
    eyes = ALIGNED_EYES[table.aligned] if table.aligned else (found_by, BOX_EYES)
    digest = hashlib.sha256(repr((VERSION, table.name, frame.key, eyes)).encode())
    marks = _file_marks(table.images) if isinstance(table.images, Sequence) else _marks(table)
    for name, mark in zip(table.ids, marks, strict=True):
        digest.update(f"{name}\0{mark}\n".encode())
    return digest.hexdigest()[:16]


def _file_marks(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        try:
            info = path.stat()
        except OSError:
            yield "missing"
        else:
            yield f"{info.st_size} {info.st_mtime_ns}"


def _marks(table: Table) -> Iterator[str]:
    for data in _read(table, np.arange(len(table))):
        yield hashlib.sha256(data).hexdigest()  # type: ignore[arg-type]


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
        workers: Decoding threads in [1, inf); None for one a core.
        progress: Show a bar with rate and time left on standard error.
        detector: As for ``find_detector``; for tables that are not aligned.
        refine: As for ``align``; called from several threads.
        refine_key: Changes with whatever ``refine`` was made from.

    Returns:
        The finished cache. Images that could not be cropped are in
        ``errors``; they do not stop the others.

    Raises:
        DataError: The table is empty, or the cache cannot be written or read.
        UsageError: The detector cannot be opened.
    """
    if not len(table):
        raise DataError(f"{table.name} has no images to crop")
    finder = None if table.aligned else find_detector(detector)
    key = cache_key(table, frame, found_by=f"{finder.key} {refine_key}" if finder else "")
    folder = root / f"{table.name}-{key}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(root / f"{folder.name}.lock", progress):
            if not (folder / "cache.json").exists():
                crop = _cropper(table.aligned, frame, finder, refine)
                _build(table, frame, crop, folder, workers or os.cpu_count() or 1, progress)
    except OSError as error:
        raise DataError(
            f"the crop cache cannot be written in {root}: {error.strerror or error}; "
            "free some space or name another folder with FACEKIT_HOME"
        ) from error
    return _open(table, frame, folder, key)


def _open(table: Table, frame: FaceFrame, folder: Path, key: str) -> CropCache:
    try:
        crops = np.load(folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        state = np.load(folder / "state.npy", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"the crop cache {folder} is damaged: delete it and try again") from error
    return CropCache(folder, crops, table.ids, state == CROPPED, _read_errors(folder), frame, key)


def _read_errors(folder: Path) -> dict[str, str]:
    path = folder / "errors.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    found: dict[str, str] = {}
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # half a line of a killed run
            found.update([json.loads(line)])
    return found


@contextlib.contextmanager
def _locked(path: Path, progress: bool) -> Iterator[None]:
    """Hold the lock of one cache; the system frees it when a process dies."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if progress:
            from rich.console import Console

            Console(stderr=True).print("waiting for another process that builds these crops")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(
    table: Table, frame: FaceFrame, crop: Cropper, folder: Path, workers: int, progress: bool
) -> None:
    """Crop every row whose state is 0, then mark the folder as finished."""
    crops, state = _working_arrays(folder, len(table), frame.side)
    rows = np.flatnonzero(state == 0)
    results = _map(crop, _read(table, rows), workers)
    with _bar(len(table), len(table) - len(rows), progress) as advance, _one_cv2_thread():
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            errors: dict[str, str] = {}
            marks = np.full(len(block), CROPPED, np.uint8)
            for i, result in enumerate(islice(results, len(block))):
                if isinstance(result, ImageError):
                    errors[str(table.ids[block[i]])] = str(result)
                    marks[i] = FAILED
                else:
                    crops[block[i]] = result
                advance()
            crops.flush()
            _append_errors(folder, errors)
            state[block] = marks  # last: the state vouches for crops and errors
            state.flush()
    _write_json(folder / "cache.json", {"n": len(table), **asdict(frame)})


def _working_arrays(folder: Path, n: int, side: int) -> tuple[np.memmap, np.memmap]:
    """Memory maps of crops and state: those of a killed run, else new ones."""
    shapes = {"crops": (n, side, side, 3), "state": (n,)}
    with contextlib.suppress(OSError, ValueError):
        old = [np.load(folder / f"{name}.npy", mmap_mode="r+") for name in shapes]
        if [a.shape for a in old] == list(shapes.values()):
            return old[0], old[1]
    needed = n * side * side * 3
    if shutil.disk_usage(folder).free < needed * 1.05:  # a full disk kills a memory map
        raise DataError(
            f"the crop cache needs {needed / 1e6:,.0f} MB in {folder.parent}, which has less: "
            "free some space or name another folder with FACEKIT_HOME"
        )
    for stale in folder.iterdir():
        stale.unlink()
    new = [
        np.lib.format.open_memmap(folder / f"{k}.npy", "w+", np.uint8, v) for k, v in shapes.items()
    ]
    return new[0], new[1]


def _cropper(
    aligned: str | None, frame: FaceFrame, finder: Detector | None, refine: Refine | None
) -> Cropper:
    def fixed(source: Source) -> NDArray[np.uint8]:
        image = decode(source)
        height, width = image.shape[:2]
        return frame.warp(image, frame.matrix_from_aligned(str(aligned), width, height))

    def found(source: Source) -> NDArray[np.uint8]:
        image = decode(source)
        assert finder is not None
        faces = finder.detect(image)
        if not faces:
            raise ImageError("no face was found")
        return align(image, faces[0], frame, detector=finder.name, refine=refine)[0]

    return fixed if finder is None else found


def _read(table: Table, rows: NDArray[np.int64]) -> Iterator[Source]:
    if isinstance(table.images, Sequence):
        return (table.images[i] for i in rows)
    return table.images.stream(rows)


def _map(crop: Cropper, sources: Iterable[Source], workers: int) -> Iterator[Result]:
    """Crops or errors in order, with only a few images in memory at a time."""

    def one(source: Source) -> Result:
        try:
            return crop(source)
        except ImageError as error:
            return error

    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
    try:
        for source in sources:
            pending.append(pool.submit(one, source))
            if len(pending) >= 8 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _one_cv2_thread() -> Iterator[None]:
    """The pool already uses every core: OpenCV's own threads would only compete."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextlib.contextmanager
def _bar(total: int, done: int, show: bool) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error; yields the function that moves it."""
    if not show:
        yield lambda: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("crops", total=total, completed=done, rate="")

        def advance() -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


def _append_errors(folder: Path, errors: dict[str, str]) -> None:
    if not errors:
        return
    with (folder / "errors.jsonl").open("a", encoding="utf-8") as file:
        for item in errors.items():
            file.write(f"\n{json.dumps(item)}")  # a killed run may have left half a line
        file.flush()
        os.fsync(file.fileno())


def _write_json(path: Path, record: dict[str, object]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    os.replace(new, path)
