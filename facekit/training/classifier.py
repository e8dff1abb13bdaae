"""A classifier on a backbone: which layers move, and where the head starts."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from facekit.backbones.catalog import last_stage
from facekit.errors import RecipeError
from facekit.heads.head import Head
from facekit.heads.linear import LinearHead
from facekit.recipe.transfer import TransferRecipe
from facekit.training.classes import class_loss
from facekit.training.optimizer import build_optimizer, use_jit
from facekit.training.top import build_top, read_top, start_top
from facekit.training.variables import to_numpy

__all__ = [
    "CLASSIFIER_PART",
    "build_classifier",
    "build_trunk",
    "read_head",
    "set_rung",
]

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
        A compiled Keras model from crops to ``{"classes": logits (n, k)}``.

    Raises:
        RecipeError: The rung is unknown or the backbone has no last stage.
    """
    set_rung(backbone, recipe.rung, last_stage(recipe.backbone.family, len(recipe.backbone.widths)))
    x = backbone.output[CLASSIFIER_PART]
    if recipe.top is not None:
        logits = build_top(x, recipe.top, classes)
    else:
        logits = _normalised(x, recipe.head.dropout, classes)
    trainer = keras.Model(backbone.input, {"classes": logits}, name="classifier")
    if start is not None and recipe.top is not None:
        if not start_top(trainer, start):
            raise ValueError("the head to start from has other layers than the recipe's top")
    elif isinstance(start, LinearHead):
        _start_normalised(trainer, start)
    trainer.compile(
        build_optimizer(recipe.optimizer),
        loss={"classes": class_loss(recipe.head.smoothing)},
        jit_compile=use_jit(),
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
