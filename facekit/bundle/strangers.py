"""Strangers: vectors of people whom nobody will enrol, no pictures.

They come with a backbone and fit it alone, a file for each part of the embedding
that a head may read. Half teach a head what other people look like; the other
half, other people, set its threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, UInt8
from facekit.bundle.bundle import IDENTITY, Bundle
from facekit.bundle.manifest import read_checked, read_manifest
from facekit.errors import BundleError
from facekit.heads.arrays import pack, unpack
from facekit.labels import ATTRIBUTES

#: The file's name inside a bundle, of those of the identity part.
STRANGERS: Final = "strangers.npz"
#: Steps of a column in which wide vectors are stored.
_STEPS: Final = 255
_SHORTEST: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Strangers:
    """Different people, one face each, in no order and without names.

    Attributes:
        vectors: float32 array of shape (n, d), rows of length 1 (unit mean of both
            mirror views).
        attributes: uint8 array of shape (n, 40): probabilities times 255, rounded.
        calibration: bool array of shape (n,): the half that sets thresholds; the
            others teach.
        key: Key of the backbone that made them.
        part: The part of the embedding that the vectors are of.
    """

    vectors: Float32
    attributes: UInt8
    calibration: Bool
    key: str
    part: str = IDENTITY

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        n = len(self.vectors)
        if self.vectors.ndim != 2 or not np.isfinite(self.vectors).all():
            raise ValueError(f"vectors {self.vectors.shape} must be finite numbers (n, d)")
        if self.attributes.shape != (n, len(ATTRIBUTES)) or self.attributes.dtype != np.uint8:
            raise ValueError(f"attributes {self.attributes.shape} do not fit {n} vectors")
        if self.calibration.shape != (n,) or self.calibration.dtype != np.bool_:
            raise ValueError(f"calibration {self.calibration.shape} does not fit {n} vectors")

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def probabilities(self) -> Float32:
        """float32 array of shape (n, 40): attribute probabilities in [0, 1]."""
        return self.attributes.astype(np.float32) / np.float32(255)

    def training(self) -> Strangers:
        """Those who teach."""
        return self._pick(~self.calibration)

    def calibration_set(self) -> Strangers:
        """Those who set thresholds."""
        return self._pick(self.calibration)

    def _pick(self, rows: Bool) -> Strangers:
        return replace(
            self,
            vectors=self.vectors[rows],
            attributes=self.attributes[rows],
            calibration=self.calibration[rows],
        )


def strangers_file(part: str = IDENTITY) -> str:
    """The name of the file of a part inside a bundle."""
    return STRANGERS if part == IDENTITY else f"strangers-{part}.npz"


def render_strangers(strangers: Strangers) -> bytes:
    """The bytes of their file: the same strangers give the same bytes.

    Args:
        strangers: What to write; identity vectors become float16, those of other
            parts, which are wider, 256 steps from the least to the largest number
            of each column.
    """
    rest = {
        "attributes": strangers.attributes,
        "calibration": strangers.calibration,
        "key": np.array(strangers.key),
    }
    if strangers.part == IDENTITY:
        return pack({"vectors": strangers.vectors.astype(np.float16), **rest})
    low = strangers.vectors.min(0)
    step = (strangers.vectors.max(0) - low) / np.float32(_STEPS)
    steps = np.rint((strangers.vectors - low) / np.where(step > 0, step, 1))
    return pack(
        {
            "vectors": steps.astype(np.uint8),
            "low": low,
            "step": step,
            "part": np.array(strangers.part),
            **rest,
        }
    )


def read_strangers(bundle: Bundle, part: str = IDENTITY) -> Strangers:
    """The strangers that come with a bundle's backbone.

    Args:
        bundle: Loaded; of one that goes on from a base, the base's file is read.
        part: The part of the embedding that their vectors are of.

    Returns:
        The strangers, made with this very backbone.

    Raises:
        BundleError: The backbone has none, or the file is altered, damaged or made
            with another backbone.
    """
    folder = bundle.graph.parent
    path = folder / strangers_file(part)
    listed = {entry.file: entry.sha256 for entry in read_manifest(folder).others}
    again = f"`facekit models strangers {folder} --data CELEBA --part {part}`"
    if path.name not in listed:
        raise BundleError(
            f"the model {bundle.name} brings no strangers to compare with in the part {part!r}: "
            f"make them with {again}"
        )
    data = read_checked(path, listed[path.name])
    strangers = _parse(data, path)
    if strangers.key != bundle.key:
        raise BundleError(
            f"{path} was made with another backbone ({strangers.key}, this one is {bundle.key}): "
            f"make it again with {again}"
        )
    if strangers.part != part:
        raise BundleError(f"{path} holds the part {strangers.part!r}: make it again with {again}")
    return strangers


def _parse(data: bytes, path: Path) -> Strangers:
    arrays = unpack(data, str(path))
    try:
        return Strangers(
            _vectors(arrays),
            arrays["attributes"],
            arrays["calibration"],
            str(arrays["key"]),
            str(arrays.get("part", IDENTITY)),
        )
    except KeyError as error:
        raise BundleError(f"{path} holds no strangers: it lacks the array {error}") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path} holds no usable strangers: {error}") from error


def _vectors(arrays: dict[str, AnyArray]) -> Float32:
    """Vectors as they were; those in steps are brought back to length 1."""
    stored = arrays["vectors"]
    if "part" not in arrays:
        return np.ascontiguousarray(stored, np.float32)
    low, step = (np.asarray(arrays[name], np.float32) for name in ("low", "step"))
    if stored.dtype != np.uint8 or not low.shape == step.shape == stored.shape[1:]:
        raise ValueError(f"vectors {stored.dtype} {stored.shape} do not fit {low.shape} columns")
    if not np.isfinite([low, step]).all():
        raise ValueError("a column has no finite range")
    rows = low + step * stored.astype(np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, _SHORTEST), np.float32)
