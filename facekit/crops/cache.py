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

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.crops.align import Refine, align
from facekit.crops.build import CROPPED, Cropper, build, encoded, read_errors
from facekit.crops.decode import decode
from facekit.crops.detect import Detector, find_detector
from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import ALIGNED_EYES, BOX_EYES, FaceFrame
from facekit.lock import locked

__all__ = ["NO_FACE", "CropCache", "build_cache", "cache_key"]

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
