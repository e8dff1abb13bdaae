"""Count what a Keras network has learned."""

from __future__ import annotations

import math

import keras

from facekit.backbones.inputs import PixelMean

__all__ = ["count_parameters", "count_trainable"]


def count_parameters(model: keras.Model) -> int:
    """Numbers of a network, moving statistics of its normalisation included.

    The mean training image is no part of the network: most write it outside.
    """
    other = sum(math.prod(x.mean.shape) for x in model.layers if isinstance(x, PixelMean))
    return int(model.count_params() - other)


def count_trainable(model: keras.Model) -> int:
    """Numbers that training changes."""
    return int(sum(math.prod(weight.shape) for weight in model.trainable_weights))
