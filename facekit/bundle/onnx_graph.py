"""Write a Keras functional model as ONNX, layer by layer.

Own code for two reasons: it needs no TensorFlow, so a backbone trained on JAX
alone can be exported; and initializers keep the names of the Keras variables
and their plain values (nothing is folded), so that one file serves both the
light path and later fine-tuning. Weights are stored as float16 and cast once
when the session is made; all arithmetic is float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import BundleError

if TYPE_CHECKING:
    import keras
    import onnx

__all__ = ["read_weights", "to_onnx"]

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
            if value is None or value.shape != _onnx_shape(layer, variable):
                raise BundleError(
                    f"{path} holds no weights of shape {tuple(variable.shape)} for {name}: "
                    "it was made from another backbone; use the bundle's own recipe"
                )
            variable.assign(_to_keras(layer, variable, value.astype(np.float32)))


def _variable_name(layer: keras.layers.Layer, variable: Any) -> str:
    return f"{layer.name}/{variable.name}"


def _to_onnx_layout(layer: Any, value: NDArray[np.float32]) -> NDArray[np.float32]:
    kind = type(layer).__name__
    if value.ndim == 4:  # (h, w, in, out) to (out, in, h, w); depthwise: (in * k, 1, h, w)
        value = (
            value.transpose(2, 3, 0, 1)
            if kind == "DepthwiseConv2D"
            else value.transpose(3, 2, 0, 1)
        )
        if kind == "DepthwiseConv2D":
            value = value.reshape(-1, 1, *value.shape[2:])
    return np.ascontiguousarray(value)


def _onnx_shape(layer: Any, variable: Any) -> tuple[int, ...]:
    """Shape that a variable has in the file."""
    return _to_onnx_layout(layer, np.zeros(variable.shape, np.float32)).shape


def _to_keras(layer: Any, variable: Any, value: NDArray[np.float32]) -> NDArray[np.float32]:
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
        from facekit.bundle.onnx_layers import LAYERS

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

    def constant(self, value: NDArray[Any], name: str = "", *, half: bool = False) -> str:
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
