"""A frozen backbone under a dense head in Keras: what cached features replace."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from facekit.bundle.bundle import Bundle
from facekit.recipe.schema import OptimizerSpec
from facekit.training.keras import restore_backbone
from facekit.training.schedule import build_optimizer, use_jit


def build_frozen(bundle: Bundle, parts: Sequence[str], classes: int) -> keras.Model:
    """Put one softmax layer on parts of a backbone that does not move.

    Args:
        bundle: Made by ``facekit pretrain``; start Keras first.
        parts: Parts of the embedding that the layer reads, flattened.
        classes: k, at least 2.

    Returns:
        A compiled Keras model from uint8 RGB crops (n, side, side, 3) to
        probabilities (n, k), for labels in [0, k).

    Raises:
        BundleError: The bundle's weights do not fit its family.
        RecipeError: The bundle's family is not in the catalog.
    """
    backbone = restore_backbone(bundle)
    backbone.trainable = False
    read = [layers.Flatten(name=f"read_{part}")(backbone.output[part]) for part in parts]
    x = read[0] if len(read) == 1 else layers.Concatenate(name="read_parts")(read)
    chances = layers.Dense(classes, activation="softmax", name="classes", dtype="float32")(x)
    model = keras.Model(backbone.input, chances, name="frozen")
    model.compile(
        build_optimizer(OptimizerSpec()),
        loss="sparse_categorical_crossentropy",
        jit_compile=use_jit(),
    )
    return model
