"""The way into a network: which channels, which range, which mean.

These layers learn nothing, so they count nothing among a network's parameters.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

#: Shares of red, green and blue in grey (ITU-R BT.601), as OpenCV and Pillow have them.
_LUMA: Final = ((0.299,), (0.587,), (0.114,))
_REVERSED: Final = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@keras.saving.register_keras_serializable(package="facekit")
class ChannelMix(layers.Layer):  # type: ignore[misc]
    """Fixed weighted sums of the channels, such as grey or blue-green-red.

    Args:
        shares: c rows, one an input channel, of k numbers, one an output channel.
        **settings: Name and dtype, as for every layer.
    """

    def __init__(self, shares: Any, **settings: Any) -> None:
        super().__init__(**settings)
        self.shares = tuple(tuple(float(share) for share in row) for row in shares)

    def call(self, inputs: Any) -> Any:
        """Images (n, h, w, c) to images (n, h, w, k)."""
        return ops.matmul(inputs, ops.convert_to_tensor(self.shares, inputs.dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same with k channels."""
        return (*input_shape[:-1], len(self.shares[0]))

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "shares": self.shares}


@keras.saving.register_keras_serializable(package="facekit")
class PixelMean(layers.Layer):  # type: ignore[misc]
    """Take the mean training image off, place by place.

    Its one variable belongs to the data and not to the network; zeros until
    ``training.pixel_mean.measure_pixel_mean`` has seen the training images.
    """

    def build(self, input_shape: Any) -> None:
        """Make room for an image of shape (h, w, c)."""
        self.mean = self.add_weight(
            shape=tuple(input_shape[1:]), initializer="zeros", trainable=False, name="mean"
        )

    def call(self, inputs: Any) -> Any:
        """Images (n, h, w, c) without their mean."""
        return inputs - ops.cast(self.mean, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As it was."""
        return input_shape


def to_unit(crops: keras.KerasTensor, colour: str) -> keras.KerasTensor:
    """Crops in [0, 1] with three channels or one.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        colour: ``rgb`` or ``grey``.

    Returns:
        float tensor of shape (n, side, side, 3) or (n, side, side, 1).
    """
    x = layers.Rescaling(1 / 255, name="to_unit")(crops)
    return ChannelMix(_LUMA, name="to_grey")(x) if colour == "grey" else x


def to_bgr(crops: keras.KerasTensor, mean: tuple[float, float, float]) -> keras.KerasTensor:
    """Crops as Caffe's networks take them.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        mean: Of blue, green and red, taken off.

    Returns:
        float tensor of the same shape: blue, green, red.
    """
    x = layers.Rescaling(1.0, name="to_float")(crops)
    x = ChannelMix(_REVERSED, name="to_bgr")(x)
    offset = np.negative(mean).tolist()
    return layers.Rescaling([1.0, 1.0, 1.0], offset=offset, name="less_mean")(x)


def rectify(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Normalise over the batch, then ReLU: ``<name>_norm`` and ``<name>_relu``."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def conv(
    x: keras.KerasTensor, width: int, size: int, name: str, *, stride: int = 1, l2: float = 0.0
) -> keras.KerasTensor:
    """A convolution with biases that keeps the size; He's initial weights.

    Args:
        x: float tensor of shape (n, h, w, c).
        width: Channels that it gives.
        size: Side of its kernel, pixels.
        name: Of the layer.
        stride: Step, pixels.
        l2: Penalty on the kernel; 0 for none.
    """
    return layers.Conv2D(
        width,
        size,
        strides=stride,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        name=name,
    )(x)
