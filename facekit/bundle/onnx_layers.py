"""One function a Keras layer type: how it is said in ONNX (channels first)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facekit.errors import BundleError

if TYPE_CHECKING:
    from facekit.bundle.onnx_graph import _Writer

__all__ = ["LAYERS"]


def _input(w: _Writer, layer: Any, inputs: list[str]) -> str:
    from onnx import TensorProto

    cast = w.node("Cast", ["crops"], to=TensorProto.FLOAT)
    return w.node("Transpose", [cast], perm=[0, 3, 1, 2])


def _same(w: _Writer, layer: Any, inputs: list[str]) -> str:
    return inputs[0]


def _rescaling(w: _Writer, layer: Any, inputs: list[str]) -> str:
    x = inputs[0]
    # A scale or offset may be one number or one a channel (keras.applications).
    for kind, value in (("Mul", layer.scale), ("Add", layer.offset)):
        array = np.asarray(value, np.float32)
        x = w.node(kind, [x, w.constant(array.reshape(-1, 1, 1) if array.ndim else array)])
    return x


def _channel_mix(w: _Writer, layer: Any, inputs: list[str]) -> str:
    """backbones.inputs.ChannelMix: a fixed 1x1 convolution."""
    shares = np.asarray(layer.shares, np.float32).T
    return w.node("Conv", [inputs[0], w.constant(np.ascontiguousarray(shares[:, :, None, None]))])


def _pixel_mean(w: _Writer, layer: Any, inputs: list[str]) -> str:
    """backbones.inputs.PixelMean: an image (h, w, c)."""
    mean = w.node("Transpose", [w.weight(layer, layer.mean)], perm=[2, 0, 1])
    return w.node("Sub", [inputs[0], mean])


def _normalization(w: _Writer, layer: Any, inputs: list[str]) -> str:
    """keras.layers.Normalization with fixed mean and variance."""
    mean = np.asarray(layer.mean, np.float32).reshape(-1, 1, 1)
    scale = 1 / np.maximum(np.sqrt(np.asarray(layer.variance, np.float32)), 1e-7)
    x = w.node("Sub", [inputs[0], w.constant(mean)])
    return w.node("Mul", [x, w.constant(scale.reshape(-1, 1, 1).astype(np.float32))])


def _conv(w: _Writer, layer: Any, inputs: list[str]) -> str:
    depthwise = type(layer).__name__ == "DepthwiseConv2D"
    groups = int(layer.kernel.shape[2]) if depthwise else layer.groups
    weights = [w.weight(layer, v) for v in layer.weights]
    x = w.node(
        "Conv",
        [inputs[0], *weights],
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=groups,
        auto_pad="SAME_UPPER" if layer.padding == "same" else "VALID",
    )
    return _activate(w, layer.activation, x)


def _batch_norm(w: _Writer, layer: Any, inputs: list[str]) -> str:
    size = int(layer.moving_mean.shape[0])
    gamma = w.weight(layer, layer.gamma) if layer.scale else w.constant(np.ones(size, np.float32))
    beta = w.weight(layer, layer.beta) if layer.center else w.constant(np.zeros(size, np.float32))
    moving = [w.weight(layer, layer.moving_mean), w.weight(layer, layer.moving_variance)]
    return w.node("BatchNormalization", [inputs[0], gamma, beta, *moving], epsilon=layer.epsilon)


def _dense(w: _Writer, layer: Any, inputs: list[str]) -> str:
    x = w.node("MatMul", [inputs[0], w.weight(layer, layer.kernel)])
    if layer.use_bias:
        x = w.node("Add", [x, w.weight(layer, layer.bias)])
    return _activate(w, layer.activation, x)


def _relu(w: _Writer, layer: Any, inputs: list[str]) -> str:
    if layer.negative_slope or layer.threshold:
        raise BundleError(f"layer {layer.name}: a leaky or thresholded ReLU cannot be exported")
    x = w.node("Relu", inputs)
    if layer.max_value is not None:
        x = w.node("Min", [x, w.constant(np.asarray(layer.max_value, np.float32))])
    return x


def _activation(w: _Writer, layer: Any, inputs: list[str]) -> str:
    return _activate(w, layer.activation, inputs[0])


def _activate(w: _Writer, function: Any, x: str) -> str:
    name = getattr(function, "__name__", "linear")
    if name == "linear":
        return x
    if name in {"relu", "sigmoid", "softmax", "tanh"}:
        return w.node(name.capitalize(), [x])
    if name in {"silu", "swish"}:
        return w.node("Mul", [x, w.node("Sigmoid", [x])])
    if name == "relu6":
        return w.node("Min", [w.node("Relu", [x]), w.constant(np.asarray(6, np.float32))])
    if name == "hard_sigmoid":
        return w.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
    if name in {"hard_silu", "hard_swish"}:
        return w.node("HardSwish", [x])
    raise BundleError(f"activation {name} cannot be exported")


def _pool(kind: str) -> Callable[[_Writer, Any, list[str]], str]:
    def write(w: _Writer, layer: Any, inputs: list[str]) -> str:
        return w.node(
            kind,
            inputs,
            kernel_shape=list(layer.pool_size),
            strides=list(layer.strides),
            auto_pad="SAME_UPPER" if layer.padding == "same" else "VALID",
        )

    return write


def _global_average(w: _Writer, layer: Any, inputs: list[str]) -> str:
    x = w.node("GlobalAveragePool", inputs)
    return x if layer.keepdims else w.node("Flatten", [x], axis=1)


def _flatten(w: _Writer, layer: Any, inputs: list[str]) -> str:
    x = inputs[0]
    if len(layer.input.shape) == 4:
        x = w.node("Transpose", [x], perm=[0, 2, 3, 1])
    return w.node("Flatten", [x], axis=1)


def _reshape(w: _Writer, layer: Any, inputs: list[str]) -> str:
    """Only the (c,) to (1, 1, c) reshape of squeeze-and-excite blocks."""
    target = tuple(layer.target_shape)
    if len(target) != 3 or target[:2] != (1, 1):
        raise BundleError(f"layer {layer.name}: reshape to {target} cannot be exported")
    return w.node("Reshape", [inputs[0], w.constant(np.array([-1, target[2], 1, 1], np.int64))])


def _zero_padding(w: _Writer, layer: Any, inputs: list[str]) -> str:
    (top, bottom), (left, right) = layer.padding
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return w.node("Pad", [inputs[0], w.constant(pads)])


def _concatenate(w: _Writer, layer: Any, inputs: list[str]) -> str:
    return w.node("Concat", inputs, axis=1)


def _binary(kind: str) -> Callable[[_Writer, Any, list[str]], str]:
    def write(w: _Writer, layer: Any, inputs: list[str]) -> str:
        x = inputs[0]
        for other in inputs[1:]:
            x = w.node(kind, [x, other])
        return x

    return write


#: Layer type to writer; every writer returns the name of the layer's output.
LAYERS: Final[dict[str, Callable[[_Writer, Any, list[str]], str]]] = {
    "Activation": _activation,
    "Add": _binary("Add"),
    "AveragePooling2D": _pool("AveragePool"),
    "BatchNormalization": _batch_norm,
    "ChannelMix": _channel_mix,
    "Concatenate": _concatenate,
    "Conv2D": _conv,
    "Dense": _dense,
    "DepthwiseConv2D": _conv,
    "Dropout": _same,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "InputLayer": _input,
    "MaxPooling2D": _pool("MaxPool"),
    "Multiply": _binary("Mul"),
    "Normalization": _normalization,
    "PixelMean": _pixel_mean,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "ZeroPadding2D": _zero_padding,
}
