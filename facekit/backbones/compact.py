"""The compact residual network: facekit's own trunk.

Pre-activation residual blocks (He et al., "Identity Mappings in Deep Residual
Networks", ECCV 2016), a stem of stride 2, one stage per width. Each stage but
the first halves the grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

__all__ = ["build_stages"]


def build_stages(
    inputs: keras.KerasTensor, widths: Sequence[int], blocks: Sequence[int]
) -> list[keras.KerasTensor]:
    """Stack the stages on a float image tensor.

    Args:
        inputs: float tensor of shape (n, side, side, 3) in [-1, 1], RGB.
        widths: Channels of each stage.
        blocks: Residual blocks of each stage, as many numbers as ``widths``.

    Returns:
        The output of every stage, normalised and rectified, first to last.
    """
    x = _conv(inputs, widths[0], 5, 2, "stem")
    stages = []
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        for block in range(1, count + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            x = _block(x, width, stride, f"stage{stage}_block{block}")
        stages.append(_rectify(x, f"stage{stage}_out"))
    return stages


def _block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions beside a shortcut, which is projected where shapes differ."""
    y = _rectify(x, f"{name}_in")
    shortcut = x
    if stride != 1 or x.shape[-1] != width:
        shortcut = _conv(y, width, 1, stride, f"{name}_shortcut")
    y = _conv(y, width, 3, stride, f"{name}_conv1")
    y = _conv(_rectify(y, f"{name}_mid"), width, 3, 1, f"{name}_conv2")
    return layers.Add(name=f"{name}_add")([shortcut, y])


def _rectify(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.98, epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _conv(x: keras.KerasTensor, width: int, size: int, stride: int, name: str) -> keras.KerasTensor:
    return layers.Conv2D(
        width,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
