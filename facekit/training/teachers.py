"""Bundles that teach, as one Keras network from a student's crops to its soft targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from facekit.arrays import Float32, UInt8
from facekit.bundle.bundle import IDENTITY, Bundle
from facekit.frame import FaceFrame
from facekit.heads.head import Head
from facekit.recipe.schema import DistillSpec
from facekit.training.classifier import plain_layers
from facekit.training.distill import TAUGHT, TAUGHT_IDENTITY, soften
from facekit.training.keras import restore_backbone

#: A bundle whose backbone can be built again in Keras, and its head: a chain of dense
#: layers that has all labels of the student, or None where only its identity is asked.
Teacher = tuple[Bundle, Head | None]


def build_teachers(
    teachers: Sequence[Teacher], frame: FaceFrame, names: tuple[str, ...], spec: DistillSpec
) -> keras.Model:
    """All teachers as one frozen network; Keras has been started.

    The host loop asks it batch by batch (``Teaching``); a loop on a device may call it
    within its step.

    Args:
        teachers: One or more.
        frame: The student's; where a teacher's is another, crops are resampled, and what
            it sees beyond them is filled from their edge.
        names: The student's k labels: a teacher's are found by name.
        spec: Temperature, and which targets have a weight.

    Returns:
        A Keras model from uint8 RGB crops (n, side, side, 3) in ``frame`` to ``TAUGHT``,
        the mean of the softened probabilities (n, k), and ``TAUGHT_IDENTITY``, the unit
        mean of the unit identity vectors (n, d), those of both that have a weight.

    Raises:
        BundleError: A graph does not hold the weights of its backbone.
    """
    crops = keras.Input((frame.side, frame.side, 3), dtype="uint8", name="crops")
    said, met = [], []
    for i, (bundle, head) in enumerate(teachers):
        wanted = {*(() if head is None else head.parts), *([IDENTITY] if spec.identity else ())}
        network = _network(bundle, wanted, f"teacher{i}")
        parts = network(resample(crops, frame, bundle.frame), training=False)
        if head is not None:
            logits = _logits(head, parts, names, f"teacher{i}_head")
            exclusive = head.activation == "softmax"
            said.append(soften(logits, spec.temperature, exclusive=exclusive))
        if spec.identity:
            met.append(_unit(parts[IDENTITY]))
    targets = {}
    if said:
        targets[TAUGHT] = sum(said) / len(said)
    if met:
        targets[TAUGHT_IDENTITY] = _unit(sum(met))
    model = keras.Model(crops, targets, name="teachers")
    model.trainable = False
    return model


class Teaching:
    """What a network of teachers says of a batch: asked by the host, or within a step.

    Args:
        model: From ``build_teachers``.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, images: UInt8) -> dict[str, Float32]:
        """Targets, by output, of uint8 images (n, side, side, 3)."""
        return {name: np.asarray(x) for name, x in self.model.predict_on_batch(images).items()}

    def traced(self, images: Any) -> dict[str, Any]:
        """The same of a tensor, without side effects: for a program that is compiled."""
        model = self.model
        still = [variable.value for variable in model.non_trainable_variables]
        moving = [variable.value for variable in model.trainable_variables]
        outputs: dict[str, Any] = model.stateless_call(moving, still, images, training=False)[0]
        return outputs


def _network(bundle: Bundle, wanted: set[str], name: str) -> keras.Model:
    """The layers of a bundle's backbone that these parts need."""
    backbone = restore_backbone(bundle)
    parts = {part: backbone.output[part] for part in sorted(wanted)}
    return keras.Model(backbone.input, parts, name=name)


def _logits(head: Head, parts: Any, names: tuple[str, ...], name: str) -> Any:
    """A head's calibrated logits of some labels, as dense layers in float32."""
    read = []
    for part in head.parts:
        x = ops.cast(parts[part], "float32")
        if part in head.channels:
            x = _dense(x, head.channels[part], None, f"{name}_{part}")
        read.append(layers.Flatten()(x))
    x = read[0] if len(read) == 1 else layers.Concatenate()(read)
    *hidden, (weight, bias) = plain_layers(head)
    for i, layer in enumerate(hidden):
        x = ops.relu(_dense(x, *layer, f"{name}_{i}"))
    chosen = [head.labels.index(one) for one in names]
    slope, offset = np.float32(1), np.float32(0)
    if head.calibration is not None:
        slope, offset = head.calibration[chosen].T
    return _dense(x, weight[:, chosen] * slope, bias[chosen] * slope + offset, name)


def _dense(x: Any, weight: Float32, bias: Float32 | None, name: str) -> Any:
    dense = layers.Dense(weight.shape[1], use_bias=bias is not None, dtype="float32", name=name)
    made = dense(x)
    dense.set_weights([weight] if bias is None else [weight, bias])
    return made


def _unit(x: Any) -> Any:
    x = ops.cast(x, "float32")
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-12)


# Crops of one frame brought into another: both are upright, so rows and columns each
# are one matrix.


def resample(crops: Any, frame: FaceFrame, other: FaceFrame) -> Any:
    """Crops in another frame; where it is the same one, the very crops.

    Args:
        crops: uint8 tensor of shape (n, side, side, 3) in ``frame``.
        frame: Theirs.
        other: The one that is wanted.

    Returns:
        uint8 tensor of shape (n, other.side, other.side, 3).
    """
    if frame == other:
        return crops
    rows = _weights(frame, other, frame.eye_y * frame.side, other.eye_y * other.side)
    columns = _weights(frame, other, frame.side / 2, other.side / 2)
    x = ops.cast(crops, "float32")
    x = ops.einsum("ah,nhwc->nawc", ops.convert_to_tensor(rows), x)
    x = ops.einsum("bw,nawc->nabc", ops.convert_to_tensor(columns), x)
    return ops.cast(ops.clip(ops.round(x), 0, 255), "uint8")


def _weights(frame: FaceFrame, other: FaceFrame, middle: float, wanted: float) -> Float32:
    """Matrix (other.side, frame.side) that interpolates linearly, or averages if it shrinks."""
    step = frame.eye_distance * frame.side / (other.eye_distance * other.side)
    place = (np.arange(other.side) + 0.5 - wanted) * step + middle - 0.5
    reach = max(1.0, step)
    beyond = int(np.ceil(np.abs(place).max() + reach)) + frame.side
    pixels = np.arange(-beyond, frame.side + beyond)
    shares = np.maximum(0, 1 - np.abs(pixels - place[:, None]) / reach)
    shares /= shares.sum(1, keepdims=True)
    out = np.zeros((other.side, frame.side))
    np.add.at(out.T, np.clip(pixels, 0, frame.side - 1), shares.T)  # the edge goes on
    return out.astype(np.float32)
