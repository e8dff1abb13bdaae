"""The compact residual network: facekit's own trunk.

Pre-activation residual blocks (He et al., "Identity Mappings in Deep Residual
Networks", ECCV 2016), a stem of stride 2, one stage per width. Each stage but
the first halves the grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from facekit.recipe.schema import BackboneSpec


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Stack the stages on crops and name what they give.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        spec: ``widths`` and ``blocks`` of the stages.

    Returns:
        ``pooled`` the averages of every stage, ``grid`` the last one, ``grid_mid``
        the one before it, pooled to the same size.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="to_signed")(crops)
    stages = _build_stages(x, spec.widths, spec.blocks)
    averages = [
        layers.GlobalAveragePooling2D(name=f"average{i}")(x) for i, x in enumerate(stages, 1)
    ]
    return {
        "pooled": layers.Concatenate(name="averages")(averages),
        "grid": stages[-1],
        "grid_mid": layers.AveragePooling2D(2, padding="same", name="halve")(stages[-2]),
    }


def _build_stages(
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
