"""Measure the mean training image that some networks take off first."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from facekit.backbones.inputs import PixelMean

__all__ = ["measure_pixel_mean"]

_BLOCK = 1024  # crops at once; bounds the memory


def measure_pixel_mean(
    backbone: keras.Model, crops: NDArray[np.uint8], rows: NDArray[np.int64]
) -> None:
    """Give a backbone the mean of its training images, if it has a place for it.

    Args:
        backbone: Changed in place.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,): those that are trained on.
    """
    for layer in backbone.layers:
        if not isinstance(layer, PixelMean):
            continue
        before = keras.Model(backbone.input, layer.input)
        total = np.zeros(layer.mean.shape)
        for start in range(0, len(rows), _BLOCK):
            images = np.ascontiguousarray(crops[np.sort(rows[start : start + _BLOCK])])
            total += np.asarray(before.predict_on_batch(images), np.float64).sum(0)
        layer.mean.assign(total / len(rows))
