"""The feature store: every crop through a frozen backbone once, then read from disk.

    <root>/<backbone and frame>/<view>/<part>.f16    rows of float16
                                       <part>.index  hashes of the crops they belong to
                               set.json              which backbone this is

A row is found by the weights, the frame, the view and the pixels of its crop, so
new images cost only themselves, a changed image or backbone never meets old
features, and labels do not matter. Rows are computed once however many processes
ask, and a killed process leaves a store that goes on. Memory holds hashes and
places, some 30 bytes a crop and part, never the features themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.atomic import write_atomically
from facekit.crops.cache import CropCache
from facekit.errors import BundleError, DataError, UsageError
from facekit.features.crop_hash import HashedCrops, hash_crops
from facekit.features.extract import Crops, Embedder, positions
from facekit.features.feature_set import FeatureSet
from facekit.features.row_file import Found
from facekit.features.shelf import Shelf, lacking
from facekit.features.views import PLAIN, View
from facekit.frame import FaceFrame

__all__ = ["FeatureStore", "KeyedEmbedder"]


class KeyedEmbedder(Embedder, Protocol):
    """A frozen backbone that says what it is; a Bundle does."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def key(self) -> str:
        """Changes with weights and frame."""
        ...

    @property
    def frame(self) -> FaceFrame:
        """The frame of its crops."""
        ...

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Shape of every part by name."""
        ...


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
        bundle: KeyedEmbedder,
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


def _checked(crops: Crops, bundle: KeyedEmbedder) -> NDArray[np.uint8]:
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


def _shapes(bundle: KeyedEmbedder, parts: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
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


def _describe(folder: Path, bundle: KeyedEmbedder) -> None:
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
