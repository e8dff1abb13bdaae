"""The trunk with its training heads: one output and one loss a target."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from facekit.labels import ATTRIBUTES
from facekit.recipe.schema import PretrainRecipe
from facekit.training.losses import attribute_loss, identity_loss
from facekit.training.optimizer import build_optimizer, use_jit

__all__ = ["ATTRIBUTE_PARTS", "Targets", "build_trainer"]

#: Parts of the embedding that the attribute head reads.
ATTRIBUTE_PARTS: tuple[str, ...] = ("pooled",)


@dataclass(frozen=True)
class Targets:
    """What the trunk learns from, row by row beside the crops.

    Attributes:
        attributes: int8 array of shape (n, 40): 1, 0, -1 for unknown.
        identity: float32 array of shape (n, d), unit vectors or zeros where the
            teacher has none; None trains without.
    """

    attributes: NDArray[np.int8]
    identity: NDArray[np.float32] | None = None

    def rows(self, index: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        """The targets of some rows, as the trainer wants them."""
        wanted = {"attributes": self.attributes[index].astype(np.float32)}
        if self.identity is not None:
            wanted["identity"] = self.identity[index]
        return wanted


def build_trainer(backbone: keras.Model, recipe: PretrainRecipe, targets: Targets) -> keras.Model:
    """Put heads on a backbone and compile it.

    Args:
        backbone: From ``backbones.catalog.build_backbone``.
        recipe: Targets, their weights, optimiser.
        targets: Only asked which targets there are.

    Returns:
        A compiled Keras model from crops to one output a target.
    """
    parts = backbone.output
    read = [parts[name] for name in ATTRIBUTE_PARTS]
    x = read[0] if len(read) == 1 else layers.Concatenate(name="attribute_parts")(read)
    x = layers.Dropout(recipe.backbone.dropout, name="attribute_dropout")(x)
    outputs = {"attributes": layers.Dense(len(ATTRIBUTES), name="attributes", dtype="float32")(x)}
    spec = recipe.targets["attributes"]
    losses = {"attributes": attribute_loss(spec.smoothing)}
    weights = {"attributes": spec.weight}
    if targets.identity is not None:
        outputs["identity"] = parts["identity"]
        spec = recipe.targets["identity"]
        losses["identity"] = identity_loss(spec.relation_weight)
        weights["identity"] = spec.weight
    trainer = keras.Model(backbone.input, outputs, name="trainer")
    trainer.compile(
        build_optimizer(recipe.optimizer), loss=losses, loss_weights=weights, jit_compile=use_jit()
    )
    return trainer
