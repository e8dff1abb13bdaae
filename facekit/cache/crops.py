"""The crop cache: every face decoded and aligned once, then memory-mapped.

A cache is a folder ``<root>/<source>-<key>/``:

    crops.npy     uint8 (n, side, side, 3) RGB
    state.npy     uint8 (n,): 0 to do, 1 cropped, 2 failed
    errors.jsonl  one line for every failed image
    cache.json    written last; without it the folder is unfinished

The key is a hash of the source's name, the frame and, for every image in order,
its id with size and time of change (a file) or with its content (a stream). The
time counts because a new picture may be as long as the one it replaces, and a
hash of the content would read every file at every start; so files that were
merely touched, or copied without their times, are cropped again. Where the
files lie does not count.

While it is built, crops and state are flushed block by block, so that a killed
run goes on where it stopped; a lock file keeps a second process waiting.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import ALIGNED_EYES, BOX_EYES, FaceFrame
from facekit.photos.align import Refine, align
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.photos.image import decode, picture_size
from facekit.system.files import write_atomically
from facekit.system.lock import locked
from facekit.system.pool import map_in_order, one_cv2_thread
from facekit.system.terminal import progress_bar

#: Part of every key: raise it when decoding or warping changes its output.
VERSION: Final = 1
#: Why a picture that is not aligned may have no crop.
NO_FACE: Final = "no face was found"


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
        pixels: Hash of the crops and which failed: what stays the same in a copy whose
            files have new times. Empty for a cache that an older facekit has built.
    """

    folder: Path
    crops: NDArray[np.uint8]
    ids: NDArray[np.str_]
    ok: NDArray[np.bool_]
    errors: dict[str, str]
    frame: FaceFrame
    key: str
    pixels: str = ""


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
    for name, source in zip(table.ids, encoded(table, np.arange(len(table))), strict=True):
        digest.update(f"{name}\0{_mark(source)}\n".encode())
    return digest.hexdigest()[:16]


def _mark(source: Path | bytes) -> str:
    """What changes when an image does."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        info = source.stat()
    except OSError:
        return "missing"
    return f"{info.st_size} {info.st_mtime_ns}"


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
        The finished cache. Images that could not be cropped are in
        ``errors``; they do not stop the others.

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
    key = cache_key(table, frame, found_by=found_by)
    folder = root / f"{table.name}-{key}"
    threads = workers or os.cpu_count() or 1
    waiting = "waiting for another process that builds these crops"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(root / f"{folder.name}.lock", waiting if progress else ""):
            if not (folder / "cache.json").exists():
                build(table, frame, crop, folder, workers=threads, progress=progress)
    except OSError as error:
        raise DataError(
            f"the crop cache cannot be written in {root}: {error.strerror or error}; "
            "free some space or name another folder with FACEKIT_HOME"
        ) from error
    return _open(table, frame, folder, key)


def _aligned(source: str, frame: FaceFrame) -> Cropper:
    def crop(image: Path | bytes) -> NDArray[np.uint8]:
        rgb = decode(image)
        return frame.warp(rgb, frame.matrix_from_aligned(source, rgb.shape[1], rgb.shape[0]))

    return crop


def _found(finder: Detector, frame: FaceFrame, refine: Refine | None) -> Cropper:
    def crop(image: Path | bytes) -> NDArray[np.uint8]:
        rgb = decode(image)
        faces = finder.detect(rgb)
        if not faces:
            raise ImageError(NO_FACE)
        return align(rgb, faces[0], frame, detector=finder.name, refine=refine)[0]

    return crop


def _open(table: Table, frame: FaceFrame, folder: Path, key: str) -> CropCache:
    try:
        crops = np.load(folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        state = np.load(folder / "state.npy", allow_pickle=False)
        pixels = json.loads((folder / "cache.json").read_text("utf-8")).get("pixels", "")
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"the crop cache {folder} is damaged: delete it and try again") from error
    if len(crops) != len(table) or len(state) != len(table):
        raise DataError(f"the crop cache {folder} is damaged: delete it and try again")
    ok = np.asarray(state == CROPPED)
    return CropCache(folder, crops, table.ids, ok, read_errors(folder), frame, key, pixels)


# Fill the folder of a crop cache; ``facekit.cache.crops`` says what is in it.

#: Images between two flushes: a killed run repeats at most this many.
BLOCK: Final = 512
CROPPED: Final = 1
FAILED: Final = 2

Source = Path | bytes
Cropper = Callable[[Source], NDArray[np.uint8]]


def build(
    table: Table, frame: FaceFrame, crop: Cropper, folder: Path, *, workers: int, progress: bool
) -> None:
    """Crop every row that is not done yet, then mark the folder as finished.

    Args:
        table: Images of one source.
        frame: The geometry of the crops.
        crop: Turns a file or bytes into a crop; called from several threads.
        folder: The cache's own folder, locked by the caller.
        workers: Threads, in [1, inf).
        progress: Show a bar.

    Raises:
        DataError: There is not enough space.
        OSError: The folder cannot be written.
    """
    crops, state = _working_arrays(folder, len(table), frame.side)
    rows = np.flatnonzero(state == 0)
    done = len(table) - len(rows)

    def attempt(source: Source) -> NDArray[np.uint8] | ImageError:
        try:
            return crop(source)
        except ImageError as error:
            return error

    with (
        contextlib.closing(map_in_order(attempt, encoded(table, rows), workers)) as results,
        progress_bar("crops", len(table), done=done, show=progress) as tick,
        one_cv2_thread(),
    ):
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
                tick(done + start + i + 1, len(table))
            crops.flush()
            _append_errors(folder, errors)
            state[block] = marks  # last: the state vouches for crops and errors
            state.flush()
    digest = hashlib.sha256(crops.data)  # views of the memory maps: nothing is copied
    digest.update(state.data)
    record = {
        "source": table.name,
        "n": len(table),
        "frame": asdict(frame),
        "pixels": digest.hexdigest(),
    }
    write_atomically(folder / "cache.json", json.dumps(record, indent=2) + "\n")


def encoded(table: Table, rows: NDArray[np.int64]) -> Iterator[Source]:
    """Paths or encoded bytes of the given rows, in their order (ascending)."""
    images = table.images
    if isinstance(images, Sequence):
        return (images[i] for i in rows)
    return images.stream(rows)


def read_errors(folder: Path) -> dict[str, str]:
    """One line for every image that could not be cropped, by id."""
    path = folder / "errors.jsonl"
    found: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):  # half a line of a killed run
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


def _working_arrays(
    folder: Path, n: int, side: int
) -> tuple[np.memmap[Any, np.dtype[np.uint8]], np.memmap[Any, np.dtype[np.uint8]]]:
    """Memory maps of crops and state: those of a killed run, else new ones."""
    shapes: dict[str, tuple[int, ...]] = {"crops": (n, side, side, 3), "state": (n,)}
    paths = {name: folder / f"{name}.npy" for name in shapes}
    old = _left_over(list(paths.values()), list(shapes.values()))
    if old is not None:
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
        np.lib.format.open_memmap(paths[name], mode="w+", dtype=np.uint8, shape=shape)
        for name, shape in shapes.items()
    ]
    return new[0], new[1]


def _left_over(
    paths: list[Path], shapes: list[tuple[int, ...]]
) -> list[np.memmap[Any, np.dtype[np.uint8]]] | None:
    """The arrays of a killed run, or None where they do not fit.

    Maps that do not fit close when this returns: Windows deletes no mapped file.
    """
    with contextlib.suppress(OSError, ValueError):
        sizes = [path.stat().st_size for path in paths]  # opening fills up a short file
        old = [np.lib.format.open_memmap(path, mode="r+") for path in paths]
        whole = [size == a.offset + a.nbytes for size, a in zip(sizes, old, strict=True)]
        if all(whole) and [a.shape for a in old] == shapes:
            return old
    return None


# How large the pictures of a table are, from their first bytes.

#: Enough for most headers; long colour profiles and previews need the whole file.
_FIRST: Final = 1 << 16


def picture_sizes(table: Table) -> NDArray[np.int64]:
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
    with source.open("rb") as file:
        first = file.read(_FIRST)
        try:
            return picture_size(first)
        except ImageError:
            return picture_size(first + file.read())
