"""Residual networks for small images, of versions 1 and 2.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, and "Identity
Mappings in Deep Residual Networks", ECCV 2016, as Keras' example cifar10_resnet has
them: three stages of n blocks, 16, 32 and 64 channels; convolutions with biases;
pixel mean subtracted. Version 1 has 6n + 2 layers, version 2 has 9n + 2. The last
grid is averaged over places of 4x4, so that 48 px leave 3x3 to flatten.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import keras
from keras import layers

from facekit.backbones.layers import PixelMean, conv, rectify, to_unit
from facekit.recipe.schema import BackboneSpec

_STAGES: Final = 3
_WIDTH: Final = 16  # of the first stage; doubled from stage to stage
_POOL: Final = 4


def build_v1(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Blocks of two 3x3 convolutions, each normalised, rectified after the sum.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3).
        spec: ``depth`` (6n + 2), ``colour`` and ``l2``.

    Returns:
        ``grid``: averages of 4x4 places of the last stage, a sixteenth of the side.
    """
    step = partial(conv, l2=spec.l2)
    x = PixelMean(name="pixel_mean")(to_unit(crops, spec.colour))
    x = rectify(step(x, _WIDTH, 3, "stem_conv"), "stem")
    for stage in range(1, _STAGES + 1):
        width = _WIDTH << (stage - 1)
        for block in range(1, (spec.depth - 2) // 6 + 1):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            y = rectify(step(x, width, 3, f"{name}_conv1", stride=stride), f"{name}_mid")
            y = step(y, width, 3, f"{name}_conv2")
            y = layers.BatchNormalization(name=f"{name}_norm")(y)
            if stride > 1:
                x = step(x, width, 1, f"{name}_shortcut", stride=stride)
            x = layers.Add(name=f"{name}_add")([x, y])
            x = layers.ReLU(name=f"{name}_relu")(x)
    return {"grid": layers.AveragePooling2D(_POOL, name="stage3_pool")(x)}


def build_v2(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Bottlenecks of three convolutions, each normalised and rectified before.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3).
        spec: ``depth`` (9n + 2), ``colour`` and ``l2``.

    Returns:
        ``grid``: averages of 4x4 places of the last stage, a sixteenth of the side.
    """
    step = partial(conv, l2=spec.l2)
    x = PixelMean(name="pixel_mean")(to_unit(crops, spec.colour))
    x = rectify(step(x, _WIDTH, 3, "stem_conv"), "stem")
    inner = _WIDTH
    for stage in range(1, _STAGES + 1):
        width = inner * (4 if stage == 1 else 2)
        for block in range(1, (spec.depth - 2) // 9 + 1):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            # The very first block reads what the stem has rectified already.
            y = x if stage == block == 1 else rectify(x, f"{name}_in")
            y = rectify(step(y, inner, 1, f"{name}_conv1", stride=stride), f"{name}_mid")
            y = rectify(step(y, inner, 3, f"{name}_conv2"), f"{name}_end")
            y = step(y, width, 1, f"{name}_conv3")
            if block == 1:
                x = step(x, width, 1, f"{name}_shortcut", stride=stride)
            x = layers.Add(name=f"{name}_add")([x, y])
        inner = width
    x = rectify(x, "stage3_out")
    return {"grid": layers.AveragePooling2D(_POOL, name="stage3_pool")(x)}
