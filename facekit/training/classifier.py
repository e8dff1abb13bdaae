"""A classifier on a backbone: which layers move, and where the head starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from facekit.arrays import Float32, Int64, UInt8
from facekit.backbones.catalog import last_stage
from facekit.errors import RecipeError
from facekit.heads.head import Head
from facekit.heads.kinds import LinearHead, MlpHead
from facekit.recipe.schema import TopSpec
from facekit.recipe.transfer import TransferRecipe
from facekit.training.distill import add_teaching
from facekit.training.keras import to_numpy
from facekit.training.outputs import Predict, predict_rows
from facekit.training.schedule import build_optimizer, use_jit

#: The part that a fine-tuned network's own head reads.
CLASSIFIER_PART = "pooled"
_EPSILON = 1e-4


def build_classifier(
    backbone: keras.Model, recipe: TransferRecipe, classes: int, start: Head | None
) -> keras.Model:
    """Put a softmax layer on a backbone, choose what moves, and compile.

    Args:
        backbone: From ``backbones.catalog.build_backbone`` or
            ``restore.restore_backbone``.
        recipe: Rung, layers on top, dropout, smoothing, optimiser.
        classes: k, at least 2.
        start: What the last layers begin with: a head on ``CLASSIFIER_PART`` with
            the layers of the recipe's ``top``, or a linear one with ``mean`` and
            ``scale`` where there is no such table; None begins at random.

    Returns:
        A compiled Keras model from crops to ``{"classes": logits (n, k)}``, and what
        ``distill.add_teaching`` adds.

    Raises:
        RecipeError: The rung is unknown or the backbone has no last stage.
    """
    set_rung(backbone, recipe.rung, last_stage(recipe.backbone.family, len(recipe.backbone.widths)))
    x = backbone.output[CLASSIFIER_PART]
    if recipe.top is not None:
        logits = build_top(x, recipe.top, classes)
    else:
        logits = _normalised(x, recipe.head.dropout, classes)
    outputs, losses, weights = (
        {"classes": one} for one in (logits, class_loss(recipe.head.smoothing), 1.0)
    )
    add_teaching(recipe.distill, outputs, losses, weights)
    trainer = keras.Model(backbone.input, outputs, name="classifier")
    if start is not None and recipe.top is not None:
        if not start_top(trainer, start):
            raise ValueError("the head to start from has other layers than the recipe's top")
    elif isinstance(start, LinearHead):
        _start_normalised(trainer, start)
    trainer.compile(
        build_optimizer(recipe.optimizer), loss=losses, loss_weights=weights, jit_compile=use_jit()
    )
    return trainer


def _normalised(x: keras.KerasTensor, dropout: float, classes: int) -> keras.KerasTensor:
    """Parts of very different sizes are brought to one: dropout and weights then suit all."""
    x = layers.BatchNormalization(momentum=0.98, epsilon=_EPSILON, name="classes_norm")(x)
    x = layers.Dropout(dropout, name="classes_dropout")(x)
    return layers.Dense(classes, name="classes", dtype="float32")(x)


def _start_normalised(model: keras.Model, start: LinearHead) -> None:
    if start.mean is None or start.scale is None:
        return
    norm, layer = model.get_layer("classes_norm"), model.get_layer("classes")
    norm.moving_mean.assign(start.mean)
    norm.moving_variance.assign(np.square(start.scale))
    spread = np.sqrt(np.square(start.scale) + _EPSILON)  # what the layer divides by
    layer.kernel.assign((spread / start.scale)[:, None] * start.weight)
    layer.bias.assign(start.bias)


def build_trunk(backbone: keras.Model) -> keras.Model:
    """The layers of a backbone that the head reads, with their weights, to be exported.

    Args:
        backbone: That of ``build_classifier``.

    Returns:
        A Keras model from crops to ``CLASSIFIER_PART`` alone.
    """
    parts = {CLASSIFIER_PART: backbone.output[CLASSIFIER_PART]}
    return keras.Model(backbone.input, parts, name="backbone")


def read_head(model: keras.Model, names: tuple[str, ...]) -> Head:
    """The last layers as arrays.

    Args:
        model: From ``build_classifier``.
        names: The k classes.

    Returns:
        A softmax head on ``CLASSIFIER_PART``.
    """
    if all(layer.name != "classes_norm" for layer in model.layers):
        return read_top(model, CLASSIFIER_PART, names)
    norm, layer = model.get_layer("classes_norm"), model.get_layer("classes")
    gamma, beta = to_numpy(norm.gamma), to_numpy(norm.beta)
    weight = to_numpy(layer.kernel)
    return LinearHead(
        parts=(CLASSIFIER_PART,),
        labels=names,
        activation="softmax",
        mean=to_numpy(norm.moving_mean),
        scale=np.sqrt(to_numpy(norm.moving_variance) + _EPSILON),
        weight=gamma[:, None] * weight,
        bias=to_numpy(layer.bias) + beta @ weight,
    )


def set_rung(backbone: keras.Model, rung: str, moving: tuple[str, ...]) -> None:
    """Freeze what the rung keeps; a frozen normalisation keeps its statistics too.

    Args:
        backbone: Changed in place.
        rung: ``last`` (the last stage moves), ``full`` or ``scratch`` (all moves).
        moving: From ``backbones.catalog.last_stage``.

    Raises:
        RecipeError: The rung is another, or the backbone has no such layers.
    """
    if rung in ("full", "scratch"):
        backbone.trainable = True
        return
    if rung != "last":
        raise RecipeError(f"rung={rung!r} trains no backbone: last, full and scratch do")
    for layer in backbone.layers:
        layer.trainable = layer.name.startswith(moving)
    if not backbone.trainable_weights:
        raise RecipeError(
            f"no layer of the backbone is named {' or '.join(moving)}: take rung=full"
        )


# The plain layers that a recipe's ``top`` puts on a backbone, and their head.

Layers = list[tuple[Float32, Float32]]
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
    arrays = plain_layers(head)
    found = _dense(model)
    shapes = [tuple(layer.kernel.shape) for layer in found]
    if shapes != [weight.shape for weight, _ in arrays] or head.channels:
        return False
    for layer, (weight, bias) in zip(found, arrays, strict=True):
        layer.kernel.assign(weight)
        layer.bias.assign(bias)
    return True


def plain_layers(head: Head) -> Layers:
    """(weight, bias) of every layer of a head, without calibration, on the input as it is."""
    arrays = list(head.dense)
    if not arrays:
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


# Targets, loss and validation of a network that tells classes apart.


@dataclass(frozen=True)
class ClassTargets:
    """What is learned, row by row beside the crops.

    Attributes:
        shares: float32 array of shape (n, k): rows sum to 1, or to 0 where the
            row teaches nothing.
    """

    shares: Float32

    def rows(self, index: Int64) -> dict[str, Float32]:
        """The targets of some rows, as the trainer wants them."""
        return {"classes": self.shares[index]}


def class_loss(smoothing: float) -> Any:
    """Cross-entropy on logits against shares, smoothed.

    Args:
        smoothing: This much of every target is spread evenly (Szegedy et al., 2016).

    Returns:
        A loss of shares (n, k) and logits (n, k); one number a row.
    """

    def classes(shares: Any, logits: Any) -> Any:
        known = ops.sum(shares, axis=-1, keepdims=True)
        wanted = (1 - smoothing) * shares + smoothing * known / shares.shape[-1]
        return -ops.sum(wanted * ops.log_softmax(logits, axis=-1), axis=-1)

    return classes


def predict_logits(model: keras.Model, crops: UInt8, rows: Int64, *, mirror: bool) -> Float32:
    """Logits of rows, averaged over the mirror image where asked.

    Args:
        model: From ``classifier.build_classifier``.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,).
        mirror: Average over both views.

    Returns:
        float32 array of shape (n, k).
    """
    return predict_rows(model, crops, rows, mirror=mirror)["classes"]


def validate_classes(
    model: keras.Model,
    crops: UInt8,
    rows: Int64,
    labels: Int64,
    *,
    mirror: bool,
    predict: Predict = predict_rows,
) -> dict[str, float]:
    """Headline numbers on rows, without augmentation.

    Args:
        model: From ``classifier.build_classifier``.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,): which crops.
        labels: int array of shape (n,): their classes.
        mirror: Average over the mirror image.
        predict: Gives the outputs.

    Returns:
        ``val_loss`` (cross-entropy), ``val_accuracy``, ``val_macro_f1``.
    """
    from sklearn.metrics import f1_score

    logits = predict(model, crops, rows, mirror=mirror)["classes"].astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    found = logits.argmax(1)
    return {
        "val_loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "val_accuracy": float((found == labels).mean()),
        "val_macro_f1": float(f1_score(labels, found, average="macro")),
    }
