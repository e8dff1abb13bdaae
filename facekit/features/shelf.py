"""One backbone's view of crops on disk: rows are looked up, missing ones computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import BundleError, DataError
from facekit.features.crop_hash import HashedCrops
from facekit.features.extract import Embedder
from facekit.features.row_file import Found, RowFile
from facekit.features.views import View
from facekit.lock import locked

__all__ = ["Shelf"]

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
    embedder: Embedder
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
        self,
        crops: HashedCrops,
        missing: Mapping[str, NDArray[np.bool_]],
        tick: Callable[[int], None],
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

    def _show(self, crops: HashedCrops) -> NDArray[np.uint8]:
        return self.view.apply(crops.crops[crops.rows], crops.hashes)

    def _write(
        self,
        hashes: NDArray[np.uint8],
        embedding: Mapping[str, NDArray[np.float32]],
        wanted: Mapping[str, NDArray[np.bool_]],
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


def lacking(found: Mapping[str, Found]) -> NDArray[np.bool_]:
    """Which crops lack a row in any part, a mask of shape (n,)."""
    return np.asarray(np.any([where.places < 0 for where in found.values()], axis=0))


def _first_of_each(crops: HashedCrops, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places of the masked crops, each picture once, in their order."""
    places = np.flatnonzero(mask)
    first = np.unique(crops.hashes[places], axis=0, return_index=True)[1]
    return places[np.sort(first)]


def _ahead(
    pool: ThreadPoolExecutor,
    blocks: Sequence[NDArray[np.int64]],
    prepare: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Every block with its images, the next ones prepared while these are used."""
    waiting = [pool.submit(prepare, block) for block in blocks[:1]]
    for i, block in enumerate(blocks):
        images = waiting.pop().result()
        waiting += [pool.submit(prepare, after) for after in blocks[i + 1 : i + 2]]
        yield block, images
