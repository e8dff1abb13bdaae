"""The plain layers that a recipe's ``top`` puts on a backbone, and their head."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from facekit.heads.head import Head
from facekit.heads.linear import LinearHead
from facekit.heads.mlp import MlpHead
from facekit.recipe.network import TopSpec
from facekit.training.variables import to_numpy

__all__ = ["build_top", "read_top", "start_top"]

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
_HIDDEN = "classes_hidden"


def build_top(x: keras.KerasTensor, top: TopSpec, classes: int) -> keras.KerasTensor:
    """Dense layers with ReLU and dropout, then one number a class.

    Args:
        x: What the backbone gives, (n, c).
        top: Widths, dropout and L2.
        classes: k.

    Returns:
        Logits (n, k).
    """
    for i, width in enumerate(top.widths, 1):
        penalty = keras.regularizers.L2(top.l2) if top.l2 else None
        name = f"{_HIDDEN}{i}"
        x = layers.Dense(width, activation="relu", kernel_regularizer=penalty, name=name)(x)
        if top.dropout:
            x = layers.Dropout(top.dropout, name=f"{name}_dropout")(x)
    if top.dropout and not top.widths:
        x = layers.Dropout(top.dropout, name="classes_dropout")(x)
    return layers.Dense(classes, name="classes", dtype="float32")(x)


def read_top(model: keras.Model, part: str, names: tuple[str, ...]) -> Head:
    """The layers of ``build_top`` as a head.

    Args:
        model: With these layers.
        part: The part of the embedding that they read.
        names: The k classes.

    Returns:
        A softmax head: linear where there is one layer, else an MLP.
    """
    arrays = [(to_numpy(layer.kernel), to_numpy(layer.bias)) for layer in _dense(model)]
    if len(arrays) > 1:
        return MlpHead(parts=(part,), labels=names, activation="softmax", layers=tuple(arrays))
    weight, bias = arrays[0]
    return LinearHead(parts=(part,), labels=names, activation="softmax", weight=weight, bias=bias)


def start_top(model: keras.Model, head: Head) -> bool:
    """Give the layers of ``build_top`` the weights of a head that has the same ones.

    Args:
        model: Changed in place.
        head: Uncalibrated logits become the model's; mean and scale of its input go
            into the first layer.

    Returns:
        Whether it fits; if not, nothing is changed.
    """
    arrays = _arrays(head)
    found = _dense(model)
    shapes = [tuple(layer.kernel.shape) for layer in found]
    if shapes != [weight.shape for weight, _ in arrays] or head.channels:
        return False
    for layer, (weight, bias) in zip(found, arrays, strict=True):
        layer.kernel.assign(weight)
        layer.bias.assign(bias)
    return True


def _arrays(head: Head) -> Layers:
    """(weight, bias) of every layer on the input as it is."""
    if isinstance(head, MlpHead):
        arrays: Layers = list(head.layers)
    elif isinstance(head, LinearHead):
        arrays = [(head.weight, head.bias)]
    else:
        return []
    weight, bias = arrays[0]
    if head.scale is not None:
        weight = weight / head.scale[:, None]
    if head.mean is not None:
        bias = bias - head.mean @ weight
    return [(weight, bias), *arrays[1:]]


def _dense(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of ``build_top`` that have weights, input to output."""
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    hidden = [layer for layer in dense if layer.name.startswith(_HIDDEN)]
    return [*hidden, model.get_layer("classes")]
