"""Strangers: identity vectors of people whom nobody will enrol, no pictures.

They come with a backbone and fit it alone. Half teach a head what other people
look like; the other half, other people, set its threshold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import Bundle
from facekit.bundle.manifest import read_manifest
from facekit.errors import BundleError
from facekit.heads.arrays import pack, unpack
from facekit.labels import ATTRIBUTES

__all__ = ["STRANGERS", "Strangers", "read_strangers", "render_strangers"]

#: The file's name inside a bundle.
STRANGERS: Final = "strangers.npz"


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
    """

    vectors: NDArray[np.float32]
    attributes: NDArray[np.uint8]
    calibration: NDArray[np.bool_]
    key: str

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
    def probabilities(self) -> NDArray[np.float32]:
        """float32 array of shape (n, 40): attribute probabilities in [0, 1]."""
        return self.attributes.astype(np.float32) / np.float32(255)

    def training(self) -> Strangers:
        """Those who teach."""
        return self._pick(~self.calibration)

    def calibration_set(self) -> Strangers:
        """Those who set thresholds."""
        return self._pick(self.calibration)

    def _pick(self, rows: NDArray[np.bool_]) -> Strangers:
        return Strangers(
            self.vectors[rows], self.attributes[rows], self.calibration[rows], self.key
        )


def render_strangers(strangers: Strangers) -> bytes:
    """The bytes of strangers.npz: the same strangers give the same bytes.

    Args:
        strangers: What to write; vectors become float16.
    """
    return pack(
        {
            "vectors": strangers.vectors.astype(np.float16),
            "attributes": strangers.attributes,
            "calibration": strangers.calibration,
            "key": np.array(strangers.key),
        }
    )


def read_strangers(bundle: Bundle) -> Strangers:
    """The strangers that come with a bundle's backbone.

    Args:
        bundle: Loaded; of one that goes on from a base, the base's file is read.

    Returns:
        The strangers, made with this very backbone.

    Raises:
        BundleError: The backbone has none, or the file is altered, damaged or made
            with another backbone.
    """
    folder = bundle.graph.parent
    path = folder / STRANGERS
    listed = {entry.file: entry.sha256 for entry in read_manifest(folder).others}
    if STRANGERS not in listed:
        raise BundleError(
            f"the model {bundle.name} brings no strangers to compare with: "
            f"make them with `facekit models strangers {folder} --data CELEBA`"
        )
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != listed[STRANGERS]:
        raise BundleError(f"{path} has been altered since it was made: install the model again")
    strangers = _parse(data, path)
    if strangers.key != bundle.key:
        raise BundleError(
            f"{path} was made with another backbone ({strangers.key}, this one is {bundle.key}): "
            f"make it again with `facekit models strangers {folder} --data CELEBA`"
        )
    return strangers


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BundleError(f"{path} cannot be read ({reason}): install the model again") from error


def _parse(data: bytes, path: Path) -> Strangers:
    arrays = unpack(data, str(path))
    try:
        return Strangers(
            np.ascontiguousarray(arrays["vectors"], np.float32),
            arrays["attributes"],
            arrays["calibration"],
            str(arrays["key"]),
        )
    except KeyError as error:
        raise BundleError(f"{path} holds no strangers: it lacks the array {error}") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path} holds no usable strangers: {error}") from error
