"""One backbone's view of crops on disk: rows are looked up, missing ones computed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from facekit.arrays import AnyArray, Bool, Float32, Int64, UInt8
from facekit.bundle.bundle import Bundle
from facekit.cache.crops import CropCache
from facekit.cache.extract import PLAIN, Crops, View, positions
from facekit.cache.rows import RECORD_BYTES, Found, HashedCrops, RowFile, hash_crops
from facekit.errors import BundleError, DataError, UsageError
from facekit.system.files import locked, read_regular, write_atomically

#: Crops between two writes: a killed run repeats at most twice as many.
BLOCK: Final = 1024
_WAITING: Final = "waiting for another process that computes these features"


@dataclass(frozen=True)
class Shelf:
    """All rows that a backbone gave in one view.

    Attributes:
        folder: Where they lie; only this backbone in this view has it.
        view: How the crops are shown.
        embedder: The backbone.
        shapes: Shape of every part that is asked for, by name.
    """

    folder: Path
    view: View
    embedder: Bundle
    shapes: Mapping[str, tuple[int, ...]]

    def file(self, part: str) -> RowFile:
        """The rows of one part."""
        return RowFile(self.folder, part, self.shapes[part])

    def find(self, crops: HashedCrops) -> dict[str, Found]:
        """Where the rows lie, by part; -1 for those that must be computed."""
        return {part: self.file(part).find(crops.hashes) for part in self.shapes}

    def complete(
        self, crops: HashedCrops, found: dict[str, Found], tick: Callable[[int], None]
    ) -> dict[str, Found]:
        """Compute what is missing, one process at a time.

        Args:
            crops: Whose rows are wanted.
            found: What ``find`` said about them.
            tick: Called with the number of crops of each block that is embedded.

        Returns:
            Where every row lies, by part.

        Raises:
            BundleError: The backbone gives numbers that are no float16.
            DataError: There is not enough space.
            OSError: The folder cannot be read or written.
        """
        if not lacking(found).any():
            return found
        with self._lock(_WAITING):
            found = self.find(crops)  # another process may have been here
            missing = {part: where.places < 0 for part, where in found.items()}
            self._fill(crops, missing, tick)
        return self.find(crops)

    def mend(self, crops: HashedCrops, part: str) -> Found:
        """Compute rows again that were found altered, unless somebody just did.

        Args:
            crops: Whose rows are wanted.
            part: Which part.

        Returns:
            Where the rows lie now.

        Raises:
            DataError: The disk does not keep what is written.
            OSError: The folder cannot be read or written.
        """
        file = self.file(part)
        with self._lock(""):
            good = file.read(file.find(crops.hashes), crops.hashes)[1]
            self._fill(crops, {part: ~good}, lambda count: None)
            found = file.find(crops.hashes)
            good = file.read(found, crops.hashes)[1]
        if not good.all():
            raise DataError(f"{file.data} does not keep what is written to it: check the disk")
        return found

    def _lock(self, waiting: str) -> AbstractContextManager[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return locked(self.folder / "lock", waiting)

    def _fill(
        self, crops: HashedCrops, missing: Mapping[str, Bool], tick: Callable[[int], None]
    ) -> None:
        """Embed and append; pictures are prepared and rows written meanwhile."""
        todo = _first_of_each(crops, np.any(list(missing.values()), axis=0))
        names = [part for part, mask in missing.items() if mask.any()]
        self._require_space(names, len(todo))
        blocks = [todo[start : start + BLOCK] for start in range(0, len(todo), BLOCK)]
        with ThreadPoolExecutor(2, thread_name_prefix="features") as pool:
            writing: Future[None] | None = None
            for block, images in _ahead(pool, blocks, lambda block: self._show(crops.pick(block))):
                embedding = self.embedder.embed(images, names)
                if writing is not None:
                    writing.result()
                wanted = {part: missing[part][block] for part in names}
                hashes = crops.hashes[block]
                writing = pool.submit(self._write, hashes, embedding, wanted)
                tick(len(block))
            if writing is not None:
                writing.result()

    def _show(self, crops: HashedCrops) -> UInt8:
        return self.view.apply(crops.crops[crops.rows], crops.hashes)

    def _write(
        self, hashes: UInt8, embedding: Mapping[str, Float32], wanted: Mapping[str, Bool]
    ) -> None:
        for part, mask in wanted.items():
            with np.errstate(over="ignore"):
                rows = embedding[part][mask].astype(np.float16)
            if not np.isfinite(rows).all():
                raise BundleError(
                    f"part {part!r} of the backbone has numbers beyond 65504 or none at all, "
                    "which float16 cannot keep: use another part or another model"
                )
            self.file(part).append(hashes[mask], rows)

    def _require_space(self, parts: Sequence[str], count: int) -> None:
        needed = count * sum(self.file(part).row_bytes for part in parts)
        if shutil.disk_usage(self.folder).free < needed * 1.05:
            raise DataError(
                f"the features need {needed / 1e6:,.0f} MB in {self.folder.parent}, which has "
                "less: free some space or name another folder with FACEKIT_HOME"
            )


def lacking(found: Mapping[str, Found]) -> Bool:
    """Which crops lack a row in any part, a mask of shape (n,)."""
    return np.asarray(np.any([where.places < 0 for where in found.values()], axis=0))


def _first_of_each(crops: HashedCrops, mask: Bool) -> Int64:
    """Places of the masked crops, each picture once, in their order."""
    places = np.flatnonzero(mask)
    first = np.unique(crops.hashes[places], axis=0, return_index=True)[1]
    return places[np.sort(first)]


def _ahead(
    pool: ThreadPoolExecutor, blocks: Sequence[Int64], prepare: Callable[[Int64], UInt8]
) -> Iterator[tuple[Int64, UInt8]]:
    """Every block with its images, the next ones prepared while these are used."""
    waiting = [pool.submit(prepare, block) for block in blocks[:1]]
    for i, block in enumerate(blocks):
        images = waiting.pop().result()
        waiting += [pool.submit(prepare, after) for after in blocks[i + 1 : i + 2]]
        yield block, images


# The feature store: every crop through a frozen backbone once, then read from disk.
#
#     <root>/<backbone and frame>/<view>/<part>.f16    rows of float16
#                                        <part>.index  hashes of the crops they belong to
#                                set.json              which backbone this is
#
# A row is found by the weights, the frame, the view and the pixels of its crop, so
# new images cost only themselves, a changed image or backbone never meets old
# features, and labels do not matter. Rows are computed once however many processes
# ask, and a killed process leaves a store that goes on. Memory holds hashes and
# places, some 30 bytes a crop and part, never the features themselves.


class FeatureStore:
    """Features of any number of crops, backbones and views below one folder."""

    def __init__(self, root: Path) -> None:
        """Name the folder; nothing is read or written yet.

        Args:
            root: Folder of the store; made when there is something to write.
        """
        self.root = root

    def features(
        self,
        crops: Crops,
        rows: ArrayLike | None,
        bundle: Bundle,
        *,
        parts: Sequence[str] | None = None,
        views: Sequence[View] = (PLAIN,),
        progress: Callable[[int, int], None] | None = None,
    ) -> FeatureSet:
        """Features of crops in views, computing those that are missing.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3), or a crop cache in
                the bundle's frame.
            rows: Which crops, as positions or a mask of shape (n,), in the order
                given; None for all, those of failed images (black) included.
            bundle: The frozen backbone.
            parts: Which parts; None for all.
            views: How the crops are shown, at least one way.
            progress: Called with (done, all) while crops are embedded; not called
                when everything is there.

        Returns:
            The features; they stay on disk until they are read.

        Raises:
            BundleError: There is no such part.
            DataError: The store cannot be read or written.
            UsageError: Crops, rows or views do not fit.
        """
        images = _checked(crops, bundle)
        shapes = _shapes(bundle, parts)
        if not views:
            raise UsageError("no view is given: name at least one, such as PLAIN")
        wanted = hash_crops(images, positions(rows, len(images)))
        folder = self.root / bundle.key
        shelves = [Shelf(folder / view.key, view, bundle, shapes) for view in views]
        try:
            _describe(folder, bundle)
            known = [shelf.find(wanted) for shelf in shelves]
            tick = _counter(known, wanted, progress)
            found = [s.complete(wanted, k, tick) for s, k in zip(shelves, known, strict=True)]
        except OSError as error:
            raise DataError(
                f"the features cannot be kept in {self.root}: {error.strerror or error}; "
                "free some space or name another folder with FACEKIT_HOME"
            ) from error
        return FeatureSet(shapes, tuple(views), wanted, tuple(shelves), tuple(found))


def _checked(crops: Crops, bundle: Bundle) -> UInt8:
    if isinstance(crops, CropCache) and crops.frame != bundle.frame:
        raise UsageError(
            f"the crops are in {crops.frame}, {bundle.name} reads {bundle.frame}: "
            "build the crop cache with the model's frame"
        )
    images = crops.crops if isinstance(crops, CropCache) else crops
    side = bundle.frame.side
    if images.dtype != np.uint8 or images.shape[1:] != (side, side, 3):
        raise UsageError(
            f"crops are {images.dtype} of shape {images.shape}, "
            f"needed is uint8 of shape (n, {side}, {side}, 3)"
        )
    return images


def _shapes(bundle: Bundle, parts: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    for part in parts or ():
        if part not in bundle.parts:
            raise BundleError(f"no part {part!r}: the backbone has {', '.join(bundle.parts)}")
    return {part: bundle.parts[part] for part in (bundle.parts if parts is None else parts)}


def _counter(
    known: Sequence[dict[str, Found]],
    crops: HashedCrops,
    progress: Callable[[int, int], None] | None,
) -> Callable[[int], None]:
    """Adds up what is done of all that was missing."""
    if progress is None:
        return lambda count: None
    every = sum(len(np.unique(crops.hashes[lacking(found)], axis=0)) for found in known)
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(done, every)

    return tick


def _describe(folder: Path, bundle: Bundle) -> None:
    """Say for people, and for the list, whose features these are."""
    path = folder / "set.json"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    frame = bundle.frame
    record = {
        "model": bundle.name,
        "frame": {"side": frame.side, "eye_y": frame.eye_y, "eye_distance": frame.eye_distance},
        "parts": {part: list(shape) for part, shape in bundle.parts.items()},
    }
    write_atomically(path, json.dumps(record, indent=2) + "\n")


# FeatureSet: the features of some crops in some views, read from disk on demand.

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

    def read(self, rows: ArrayLike | None, part: str, dtype: DTypeLike = np.float16) -> AnyArray:
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
    ) -> AnyArray:
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

    def _read_into(self, out: AnyArray, rows: Int64, part: str) -> None:
        """Rows of one part, view by view."""
        views, crops = np.divmod(rows, max(1, len(self.crops)))
        several = np.unique(views).tolist()
        for view in several:
            mask: Any = views == view if len(several) > 1 else slice(None)
            chosen = crops[mask]
            shelf, found = self._shelves[view], self._found[view][part]
            hashes = self.crops.hashes[chosen]
            here = Found(found.places[chosen], found.checks[chosen])
            values, good = shelf.file(part).read(here, hashes)
            if not good.all():
                bad = chosen[~good]
                mended = shelf.mend(self.crops.pick(bad), part)
                found.places[bad], found.checks[bad] = mended
                values[~good] = shelf.file(part).read(mended, hashes[~good])[0]
            out[mask] = values


# What a feature store holds, for people; and how to empty it.


@dataclass(frozen=True)
class StoredSet:
    """All features of one backbone.

    Attributes:
        key: Name of its folder: hash of weights and frame.
        model: The bundle that it was first made with.
        views: How many views there are.
        rows: Crops of the view that has most.
        size: Bytes on disk.
    """

    key: str
    model: str
    views: int
    rows: int
    size: int


def list_sets(root: Path) -> list[StoredSet]:
    """Every set in a store, sorted by key.

    Args:
        root: Folder of the store, which may not exist.
    """
    return [_read(folder) for folder in sorted(_folders(root))]


def clear_sets(root: Path, keys: tuple[str, ...] | None = None) -> int:
    """Delete sets; waits for processes that write to them.

    Args:
        root: Folder of the store, which may not exist.
        keys: Which sets; None for all.

    Returns:
        Bytes that were freed.

    Raises:
        DataError: There is no such set, or it cannot be deleted.
    """
    there = {folder.name: folder for folder in _folders(root)}
    for key in keys or ():
        if key not in there:
            raise DataError(f"no features are kept under {key!r}: there are {', '.join(there)}")
    freed = 0
    for folder in (there[key] for key in (there if keys is None else keys)):
        freed += _read(folder).size
        try:
            for lock in folder.glob("*/lock"):
                with locked(lock, "waiting for another process that computes features"):
                    pass
            shutil.rmtree(folder)
        except OSError as error:
            raise DataError(f"{folder} cannot be deleted: {error.strerror or error}") from error
    return freed


def _folders(root: Path) -> list[Path]:
    return [path.parent for path in root.glob("*/set.json")]


def _read(folder: Path) -> StoredSet:
    try:
        model = str(json.loads(read_regular(folder / "set.json"))["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        model = "unknown"
    files = [path for path in folder.rglob("*") if path.is_file()]
    indexes = [path for path in files if path.suffix == ".index"]
    rows = max((path.stat().st_size // RECORD_BYTES for path in indexes), default=0)
    size = sum(path.stat().st_size for path in files)
    return StoredSet(folder.name, model, len({path.parent for path in indexes}), rows, size)
