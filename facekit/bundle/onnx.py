"""Write a Keras functional model as ONNX, layer by layer.

Own code for two reasons: it needs no TensorFlow, so a backbone trained on JAX
alone can be exported; and initializers keep the names of the Keras variables
and their plain values (nothing is folded), so that one file serves both the
light path and later fine-tuning. Weights are stored as float16 and cast once
when the session is made; all arithmetic is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facekit.arrays import AnyArray, Float32
from facekit.errors import BundleError

if TYPE_CHECKING:
    import keras
    import onnx

_OPSET = 17  # the newest that every ONNX Runtime >= 1.13 runs
_IR = 8


def to_onnx(model: keras.Model, *, half: bool = True) -> bytes:
    """Serialise a functional model.

    Args:
        model: One uint8 input of shape (n, height, width, 3), named outputs.
        half: Store weights as float16.

    Returns:
        The ONNX file. Input ``crops`` is uint8 (n, height, width, 3); outputs are
        float32 and named after the model's output dict, grids as (n, h, w, c).

    Raises:
        BundleError: The model has a layer this writer does not know.
    """
    import onnx

    writer = _Writer(model, half)
    writer.run()
    graph = onnx.helper.make_graph(
        writer.nodes, model.name, [writer.input_info()], writer.outputs, writer.initializers
    )
    proto = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="facekit",
    )
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def read_weights(path: str, model: keras.Model) -> None:
    """Load the weights of an exported backbone into a freshly built one.

    Args:
        path: ONNX file written by ``to_onnx``.
        model: Keras model of the same configuration; changed in place.

    Raises:
        BundleError: A variable is missing or has another shape.
    """
    import onnx
    from onnx import numpy_helper

    stored = {item.name: numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer}
    for layer in model.layers:
        for variable in layer.weights:
            name = _variable_name(layer, variable)
            value = stored.get(name)
            shape = _to_onnx_layout(layer, np.zeros(variable.shape)).shape
            if value is None or value.shape != shape:
                raise BundleError(
                    f"{path} holds no weights of shape {tuple(variable.shape)} for {name}: "
                    "it was made from another backbone; use the bundle's own recipe"
                )
            variable.assign(_to_keras(layer, variable, value.astype(np.float32)))


def _variable_name(layer: keras.layers.Layer, variable: Any) -> str:
    return f"{layer.name}/{variable.name}"


def _to_onnx_layout(layer: Any, value: Float32) -> Float32:
    kind = type(layer).__name__
    if value.ndim == 4:  # (h, w, in, out) to (out, in, h, w); depthwise: (in * k, 1, h, w)
        value = value.transpose((2, 3, 0, 1) if kind == "DepthwiseConv2D" else (3, 2, 0, 1))
        if kind == "DepthwiseConv2D":
            value = value.reshape(-1, 1, *value.shape[2:])
    return np.ascontiguousarray(value)


def _to_keras(layer: Any, variable: Any, value: Float32) -> Float32:
    shape = tuple(variable.shape)
    if len(shape) != 4:
        return value.reshape(shape)
    if type(layer).__name__ == "DepthwiseConv2D":
        h, w, channels, multiplier = shape
        return value.reshape(channels, multiplier, h, w).transpose(2, 3, 0, 1)
    return value.transpose(2, 3, 1, 0)


class _Writer:
    """Walks the layers in the order of the model's own configuration."""

    def __init__(self, model: keras.Model, half: bool) -> None:
        self.model = model
        self.half = half
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.tensors: dict[str, str] = {}  # layer name to the name of its output
        self._count = 0

    def run(self) -> None:
        config = self.model.get_config()
        for item in config["layers"]:
            layer = self.model.get_layer(item["name"])
            sources = _sources(item["inbound_nodes"])
            write = LAYERS.get(type(layer).__name__)
            if write is None:
                raise BundleError(
                    f"layer {layer.name} of type {type(layer).__name__} cannot be exported: "
                    f"known types are {', '.join(sorted(LAYERS))}"
                )
            inputs = [self.tensors[name] for name in sources]
            self.tensors[layer.name] = write(self, layer, inputs)
        self._finish(config["output_layers"])

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        import onnx

        self._count += 1
        name = f"{kind}_{self._count}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, layer: Any, variable: Any) -> str:
        """Add a layer's variable under its own name; returns a float32 tensor's name."""
        raw = variable.value
        value = np.array(raw.numpy() if hasattr(raw, "numpy") else raw, np.float32)
        # Variances may lie below float16's range and cost nothing: keep them whole.
        half = self.half and value.ndim > 1
        name = _variable_name(layer, variable)
        return self.constant(_to_onnx_layout(layer, value), name, half=half)

    def constant(self, value: AnyArray, name: str = "", *, half: bool = False) -> str:
        """Add a stored array; returns the name to read it by."""
        from onnx import TensorProto, numpy_helper

        self._count += 1
        name = name or f"constant_{self._count}"
        stored = value.astype(np.float16) if half else value
        self.initializers.append(numpy_helper.from_array(stored, name))
        return self.node("Cast", [name], to=TensorProto.FLOAT) if half else name

    def input_info(self) -> onnx.ValueInfoProto:
        import onnx

        height, width, channels = self.model.inputs[0].shape[1:]
        return onnx.helper.make_tensor_value_info(
            "crops", onnx.TensorProto.UINT8, ["n", height, width, channels]
        )

    def _finish(self, output_layers: Any) -> None:
        """Rename the ends after the parts; grids go back to channels last."""
        import onnx

        names = output_layers if isinstance(output_layers, dict) else None
        if names is None:
            raise BundleError("only a model with a dict of named outputs can be exported")
        for part, end in names.items():
            shape = self.model.output[part].shape
            tensor = self.tensors[end[0]]
            if len(shape) == 4:
                tensor = self.node("Transpose", [tensor], perm=[0, 2, 3, 1])
            self.nodes.append(onnx.helper.make_node("Identity", [tensor], [part], name=part))
            info = onnx.helper.make_tensor_value_info(
                part, onnx.TensorProto.FLOAT, ["n", *shape[1:]]
            )
            self.outputs.append(info)


def _sources(inbound: list[Any]) -> list[str]:
    """Names of the layers whose outputs a layer reads, from its configuration."""
    if not inbound:
        return []
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            found.append(value["config"]["keras_history"][0])
        elif isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)

    walk(inbound[0]["args"])
    walk(inbound[0]["kwargs"])
    return found


# One function a Keras layer type: how it is said in ONNX (channels first).


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
    """backbones.layers.ChannelMix: a fixed 1x1 convolution."""
    shares = np.asarray(layer.shares, np.float32).T
    return w.node("Conv", [inputs[0], w.constant(np.ascontiguousarray(shares[:, :, None, None]))])


def _pixel_mean(w: _Writer, layer: Any, inputs: list[str]) -> str:
    """backbones.layers.PixelMean: an image (h, w, c)."""
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
    "Activation": _activation, "Add": _binary("Add"), "AveragePooling2D": _pool("AveragePool"),
    "BatchNormalization": _batch_norm, "ChannelMix": _channel_mix, "Concatenate": _concatenate,
    "Conv2D": _conv, "Dense": _dense, "DepthwiseConv2D": _conv, "Dropout": _same,
    "Flatten": _flatten, "GlobalAveragePooling2D": _global_average, "InputLayer": _input,
    "MaxPooling2D": _pool("MaxPool"), "Multiply": _binary("Mul"),
    "Normalization": _normalization, "PixelMean": _pixel_mean, "ReLU": _relu,
    "Rescaling": _rescaling, "Reshape": _reshape, "ZeroPadding2D": _zero_padding,
}  # fmt: skip
