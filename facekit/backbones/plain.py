"""The plain convolutional network: 3x3 convolutions with ReLU, then a pool, again and again."""

from __future__ import annotations

import keras
from keras import layers

from facekit.backbones.layers import to_unit
from facekit.recipe.schema import BackboneSpec


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Stack the blocks.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3); every block halves it.
        spec: ``widths`` are the channels of the blocks, ``blocks`` their
            convolutions; ``colour`` and ``l2``.

    Returns:
        ``grid``: what the last pool gives.
    """
    x = to_unit(crops, spec.colour)
    for block, (width, count) in enumerate(zip(spec.widths, spec.blocks, strict=True), 1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.L2(spec.l2) if spec.l2 else None,
                name=f"block{block}_conv{conv}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return {"grid": x}
