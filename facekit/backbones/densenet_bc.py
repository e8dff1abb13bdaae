"""DenseNet-BC for small images: bottlenecks, and transitions that compress.

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, with four dense
blocks in place of three. Details are those of R. Atienza, "Advanced Deep Learning
with Keras", 2018 (densenet-cifar10): convolutions have biases, the input is
normalised and joined to the first convolution's output, no activation follows a
transition's normalisation, and nothing follows the last block but the average.
"""

from __future__ import annotations

from typing import Final

import keras
from keras import layers

from facekit.backbones.layers import conv, rectify, to_unit
from facekit.recipe.schema import BackboneSpec

#: Dense blocks; convolutions are 1 + BLOCKS * 2 * layers + (BLOCKS - 1), which is
#: the depth: 100 with 12 layers a block.
BLOCKS: Final = 4


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Stack the dense blocks.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3).
        spec: ``depth`` (all convolutions), ``growth``, ``compression``, ``colour``
            and ``l2``.

    Returns:
        ``grid``: the last block's output, an eighth of the side.
    """
    inputs = to_unit(crops, spec.colour)
    width = 2 * spec.growth
    x = conv(rectify(inputs, "stem"), width, 3, "stem_conv", l2=spec.l2)
    x = layers.Concatenate(name="stem_join")([inputs, x])
    count = (spec.depth - BLOCKS) // (2 * BLOCKS)
    for block in range(1, BLOCKS + 1):
        for layer in range(1, count + 1):
            x = _layer(x, spec, f"dense{block}_layer{layer}")
        if block == BLOCKS:
            break
        # As in the original, the input's own channels are not among those compressed.
        width = int((width + count * spec.growth) * spec.compression)
        name = f"transition{block}"
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = conv(x, width, 1, f"{name}_conv", l2=spec.l2)
        x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return {"grid": x}


def _layer(x: keras.KerasTensor, spec: BackboneSpec, name: str) -> keras.KerasTensor:
    """Bottleneck and 3x3 convolution, joined to what came in."""
    y = conv(rectify(x, f"{name}_in"), 4 * spec.growth, 1, f"{name}_conv1", l2=spec.l2)
    y = conv(rectify(y, f"{name}_mid"), spec.growth, 3, f"{name}_conv2", l2=spec.l2)
    return layers.Concatenate(name=f"{name}_join")([x, y])
