"""Fill the folder of a crop cache; ``facekit.crops.cache`` says what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.atomic import write_atomically
from facekit.crops.pool import map_in_order, one_cv2_thread
from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import FaceFrame
from facekit.progress import progress_bar

__all__ = ["CROPPED", "Cropper", "build", "encoded", "read_errors"]

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
