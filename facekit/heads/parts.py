"""Named parts of an embedding side by side, as heads read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import BundleError

__all__ = ["read_parts"]

Floats = NDArray[np.float32]


def read_parts(
    embedding: Mapping[str, NDArray[Any]],
    parts: tuple[str, ...],
    channels: Mapping[str, Floats] | None = None,
) -> Floats:
    """The named parts of an embedding, flattened and side by side.

    Args:
        embedding: float arrays of shape (n, ...) by part name.
        parts: Which parts, in which order.
        channels: By part name, float array of shape (c, r) that the last axis is
            multiplied with first (the same at every place of a grid).

    Returns:
        float32 array of shape (n, d).

    Raises:
        BundleError: The embedding lacks a part.
    """
    missing = [name for name in parts if name not in embedding]
    if missing:
        raise BundleError(
            f"the embedding has no part {missing[0]!r}, only {', '.join(embedding) or 'none'}: "
            "use the head with the backbone it was made for"
        )
    arrays = [np.asarray(embedding[name], np.float32) for name in parts]
    if channels:
        try:
            arrays = [
                value @ channels[name] if name in channels else value
                for name, value in zip(parts, arrays, strict=True)
            ]
        except ValueError as error:
            raise BundleError(
                "the embedding's parts have other channels than the head reads: "
                "use the head with the backbone it was made for"
            ) from error
    flat = [array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
