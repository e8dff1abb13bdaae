"""Crops through a frozen backbone, block by block.

Memory holds one block of crops and, unless the result goes to a folder, the
result itself; a crop cache is a memory map and is never read whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Float32, Int64, UInt8
from facekit.augment.batches import augment_crop
from facekit.bundle.bundle import Bundle
from facekit.cache.crops import CropCache
from facekit.errors import UsageError
from facekit.recipe.schema import AugmentSpec

#: Crops a block: 20 MB at a side of 80.
BLOCK: Final = 1024

Crops = UInt8 | CropCache


def extract(
    source: Crops,
    bundle: Bundle,
    *,
    parts: Sequence[str] | None = None,
    rows: ArrayLike | None = None,
    mirror: bool = False,
    block: int = BLOCK,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Float32]:
    """Embed crops, block by block, into one array for each part.

    Args:
        source: uint8 RGB array of shape (n, side, side, 3), or a crop cache.
        bundle: What embeds them.
        parts: Which parts; None for all.
        rows: Which crops, as positions or a mask of shape (n,), in the order
            given; None for all, those of failed images (black) included.
        mirror: Embed the crops mirrored left to right instead.
        block: Crops a block, in [1, inf).
        progress: Called with (done, all) after each block.

    Returns:
        float32 array of shape (rows, ...) for each part.

    Raises:
        UsageError: The crops or the rows do not fit.
    """
    crops = source.crops if isinstance(source, CropCache) else source
    index = positions(rows, len(crops))
    # One blank crop first: it names the parts and gives their shapes.
    blank = bundle.embed(np.zeros((1, *crops.shape[1:]), crops.dtype), parts)
    out = {name: np.empty((len(index), *v.shape[1:]), np.float32) for name, v in blank.items()}
    for start in range(0, len(index), block):
        images = crops[index[start : start + block]]
        for name, value in bundle.embed(images[:, :, ::-1] if mirror else images, parts).items():
            out[name][start : start + len(images)] = value
        if progress is not None:
            progress(start + len(images), len(index))
    return out


def positions(rows: ArrayLike | None, n: int) -> Int64:
    """Which of n crops: positions, a mask of shape (n,), or None for all.

    Raises:
        UsageError: The rows do not fit.
    """
    everything = np.arange(n, dtype=np.int64)
    try:
        return everything if rows is None else everything[np.asarray(rows)].reshape(-1)
    except IndexError as error:
        raise UsageError(f"rows do not fit {n} crops: {error}") from error


# Views: the ways one crop is shown to a frozen backbone.

#: Part of every augmented view's key: raise it when ``augment_crop`` draws otherwise.
_VERSION: Final = 1


@dataclass(frozen=True)
class View:
    """One way of showing a crop.

    Attributes:
        kind: "plain" (as it is), "mirror" (left to right) or "augmented".
        seed: Which of the many augmented views; 0 for the others.
        spec: How an augmented view is drawn; None for the others.

    Raises:
        UsageError: Seed and spec do not fit the kind.
    """

    kind: Literal["plain", "mirror", "augmented"] = "plain"
    seed: int = 0
    spec: AugmentSpec | None = None

    def __post_init__(self) -> None:
        augmented = self.kind == "augmented"
        if augmented != (self.spec is not None) or self.seed < 0 or (self.seed and not augmented):
            raise UsageError(
                f"a {self.kind} view has seed {self.seed} and spec {self.spec}: an augmented view "
                "needs a spec and a seed of at least 0, the others have neither"
            )

    @property
    def key(self) -> str:
        """Changes with whatever changes the pictures; fit for a folder's name."""
        if self.spec is None:
            return self.kind
        text = json.dumps([_VERSION, self.spec.model_dump(mode="json")], sort_keys=True)
        return f"augmented-{hashlib.sha256(text.encode()).hexdigest()[:12]}-{self.seed}"

    def apply(self, crops: UInt8, hashes: UInt8) -> UInt8:
        """Show crops this way.

        An augmented crop follows from seed, spec and its own pixels alone, never
        from the order or the number of the others.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3).
            hashes: uint8 array of shape (n, 16), what each crop is known by.

        Returns:
            uint8 RGB array of the same shape.
        """
        if self.kind == "mirror":
            return crops[:, :, ::-1]
        if self.spec is None:
            return crops
        out = np.empty_like(crops)
        for i, words in enumerate(np.ascontiguousarray(hashes).view("<u4").tolist()):
            rng = np.random.default_rng([self.seed, *words])
            out[i] = augment_crop(crops[i], self.spec, rng)
        return out


#: The crop as it is, and its mirror image.
PLAIN: Final = View()
MIRROR: Final = View("mirror")


def augmented_views(spec: AugmentSpec, count: int, *, seed: int = 0) -> tuple[View, ...]:
    """Several augmented views that differ in their seeds only.

    Args:
        spec: Strength of each augmentation.
        count: How many, in [0, inf); a larger count keeps the first ones.
        seed: Of the first one, in [0, inf).

    Returns:
        The views.
    """
    return tuple(View("augmented", seed + i, spec) for i in range(count))
