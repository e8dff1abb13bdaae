"""The identity vector of a face: both mirror views, joined.

A backbone without a part that tells people apart can lend another part of one
axis in its place; its vector is made the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from facekit.arrays import Float32, UInt8
from facekit.errors import BundleError

#: The part of the embedding that says who somebody is.
IDENTITY: Final = "identity"
#: Shorter vectors have no direction.
_SHORTEST: Final = 1e-12


class _Named(Protocol):
    """What says which parts there are."""

    @property
    def name(self) -> str: ...

    @property
    def parts(self) -> dict[str, tuple[int, ...]]: ...


class _Embeds(_Named, Protocol):
    """What is needed of a bundle."""

    def embed(self, crops: UInt8, parts: Sequence[str] | None = None) -> dict[str, Float32]: ...


def identity_vectors(bundle: _Embeds, crops: UInt8, part: str = IDENTITY) -> Float32:
    """Unit mean of the identity part of crops and of their mirror images.

    Args:
        bundle: A bundle whose backbone has the part.
        crops: uint8 RGB array of shape (n, side, side, 3) in the bundle's frame.
        part: The part that is read.

    Returns:
        float32 array of shape (n, d), rows of length 1.

    Raises:
        BundleError: The backbone has no such part.
        UsageError: The crops have another shape or type.
    """
    require_part(bundle, part)
    views = (bundle.embed(view, [part])[part] for view in (crops, crops[:, :, ::-1]))
    return join_views(*views)


def require_part(bundle: _Named, part: str) -> None:
    """Refuse a bundle that has no such vector.

    Raises:
        BundleError: In one line.
    """
    if part == IDENTITY and part not in bundle.parts:
        raise BundleError(
            f"the model {bundle.name} has no part {IDENTITY!r}, so it cannot tell people apart: "
            "use a model that was trained with an identity teacher, or the recipe me-binary"
        )
    if len(bundle.parts.get(part, ())) != 1:
        flat = ", ".join(name for name, shape in bundle.parts.items() if len(shape) == 1)
        raise BundleError(
            f"the model {bundle.name} has no vector {part!r}: it has {flat or 'none'}"
        )


def join_views(plain: Float32, mirrored: Float32) -> Float32:
    """Unit mean of the unit identity parts of crops and of their mirror images.

    Args:
        plain: float32 array of shape (n, d), of the crops as they are.
        mirrored: The same of the crops mirrored.

    Returns:
        float32 array of shape (n, d), rows of length 1.
    """
    return _unit(_unit(plain) + _unit(mirrored))


def _unit(rows: Float32) -> Float32:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, _SHORTEST), np.float32)
