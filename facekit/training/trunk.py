"""The trunk with its training heads: one output and one loss a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from facekit.arrays import Float32, Int8, Int64, UInt8
from facekit.backbones.layers import PixelMean
from facekit.recipe.schema import PretrainRecipe
from facekit.training.distill import TAUGHT_IDENTITY, add_teaching
from facekit.training.outputs import BLOCK, Predict, predict_rows
from facekit.training.schedule import build_optimizer, use_jit

#: Parts of the embedding that the attribute head reads.
ATTRIBUTE_PARTS: tuple[str, ...] = ("pooled",)


@dataclass(frozen=True)
class Targets:
    """What the trunk learns from, row by row beside the crops.

    Attributes:
        attributes: int8 array of shape (n, k): 1, 0, -1 for unknown.
        identity: float32 array of shape (n, d), unit vectors or zeros where the
            teacher has none; None trains without.
    """

    attributes: Int8
    identity: Float32 | None = None

    def rows(self, index: Int64) -> dict[str, Float32]:
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
        A compiled Keras model from crops to one output a target, and what
        ``distill.add_teaching`` adds.
    """
    parts = backbone.output
    read = [parts[name] for name in ATTRIBUTE_PARTS]
    x = read[0] if len(read) == 1 else layers.Concatenate(name="attribute_parts")(read)
    x = layers.Dropout(recipe.backbone.dropout, name="attribute_dropout")(x)
    count = targets.attributes.shape[1]
    outputs = {"attributes": layers.Dense(count, name="attributes", dtype="float32")(x)}
    spec = recipe.targets["attributes"]
    losses = {"attributes": attribute_loss(spec.smoothing)}
    weights = {"attributes": spec.weight}
    if targets.identity is not None:
        outputs["identity"] = parts["identity"]
        spec = recipe.targets["identity"]
        losses["identity"] = identity_loss(spec.relation_weight)
        weights["identity"] = spec.weight
    add_teaching(recipe.distill, outputs, losses, weights)
    if recipe.distill.identity:
        outputs[TAUGHT_IDENTITY] = parts["identity"]
        losses[TAUGHT_IDENTITY] = identity_loss()
        weights[TAUGHT_IDENTITY] = recipe.distill.identity
    trainer = keras.Model(backbone.input, outputs, name="trainer")
    trainer.compile(
        build_optimizer(recipe.optimizer), loss=losses, loss_weights=weights, jit_compile=use_jit()
    )
    return trainer


# Losses of the trunk's targets; each gives one number a row.

Loss = Callable[[Any, Any], Any]


def attribute_loss(smoothing: float = 0.0) -> Loss:
    """Binary cross-entropy that skips unknown labels.

    Args:
        smoothing: Labels become ``smoothing`` and ``1 - smoothing``; soft ones, of mixed
            images, lie as far between them.

    Returns:
        A loss of labels (n, 40) in [0, 1] and -1 for unknown, and logits (n, 40).
    """

    def attributes(labels: Any, logits: Any) -> Any:
        known = ops.cast(labels >= 0, logits.dtype)
        labels = ops.cast(labels, logits.dtype)
        wanted = labels * (1 - smoothing) + (1 - labels) * smoothing
        # Stable form of cross-entropy on logits.
        loss = ops.maximum(logits, 0) - logits * wanted + ops.log1p(ops.exp(-ops.abs(logits)))
        return ops.sum(loss * known, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1)

    return attributes


def identity_loss(relation_weight: float = 0.0) -> Loss:
    """Distance to a teacher's unit vectors.

    One minus the cosine, plus the squared error of the batch's similarity
    matrix (relational distillation, Park et al., CVPR 2019, with cosines). A row
    of zeros is an image the teacher could not read, and costs nothing.

    Args:
        relation_weight: Weight of the second term.

    Returns:
        A loss of teacher vectors (n, d) of length 1 or 0, and predictions (n, d).
    """

    def identity(teacher: Any, predicted: Any) -> Any:
        known = ops.cast(ops.sum(ops.square(teacher), axis=-1) > 0.5, predicted.dtype)
        norm = ops.sqrt(ops.sum(ops.square(predicted), axis=-1, keepdims=True) + 1e-12)
        unit = predicted / norm
        loss = 1 - ops.sum(unit * teacher, axis=-1)
        if relation_weight:
            pairs = ops.matmul(unit, ops.transpose(unit))
            wanted = ops.matmul(teacher, ops.transpose(teacher))
            error = ops.square(pairs - wanted) * known[None, :]
            loss = loss + relation_weight * ops.mean(error, axis=-1)
        return loss * known

    return identity


# Measure a trainer on rows that it does not learn from.


def validate(
    model: keras.Model,
    recipe: PretrainRecipe,
    crops: UInt8,
    targets: Targets,
    rows: Int64,
    predict: Predict = predict_rows,
) -> dict[str, float]:
    """Losses and headline numbers on rows, without augmentation.

    Args:
        model: Trainer from ``build_trainer``.
        recipe: Weights of the targets.
        crops: uint8 RGB array of shape (n, side, side, 3).
        targets: Rows beside ``crops``.
        rows: Positions to use.
        predict: Gives the outputs.

    Returns:
        ``val_loss`` (weighted), the loss of each target, ``mean_accuracy`` at
        threshold 0.5 in [0, 1] and, where a teacher knows any of the rows,
        ``identity_cosine`` in [-1, 1].
    """
    predicted = predict(model, crops, rows)
    wanted = targets.rows(rows)
    losses = {
        name: _mean_loss(loss, wanted[name], predicted[name])
        for name, loss in model.loss.items()
        if name in wanted  # teachers see training images alone
    }
    weights = {str(name): spec.weight for name, spec in recipe.targets.items()}
    total: float = sum(weights[name] * value for name, value in losses.items())
    out = {"val_loss": total, **{f"val_{name}_loss": value for name, value in losses.items()}}
    known = wanted["attributes"] >= 0
    right = (predicted["attributes"] > 0) == (wanted["attributes"] > 0.5)
    out["mean_accuracy"] = float(right[known].mean())
    if "identity" in predicted:
        out |= _cosine(predicted["identity"], wanted["identity"])
    return out


def _mean_loss(loss: Any, wanted: Float32, predicted: Float32) -> float:
    """Mean over rows, block by block: a loss may compare all rows of a block."""
    total = 0.0
    for start in range(0, len(wanted), BLOCK):
        rows = slice(start, start + BLOCK)
        values = loss(ops.convert_to_tensor(wanted[rows]), ops.convert_to_tensor(predicted[rows]))
        total += float(ops.convert_to_numpy(ops.sum(values)))
    return total / len(wanted)


def _cosine(predicted: Float32, teacher: Float32) -> dict[str, float]:
    """Mean cosine over the rows whose teacher vector is not zero."""
    seen = (teacher**2).sum(1) > 0.5
    if not seen.any():
        return {}
    norms = np.maximum(np.linalg.norm(predicted, axis=1), 1e-12)
    cosine = (predicted * teacher).sum(1) / norms
    return {"identity_cosine": float(cosine[seen].mean())}


# Measure the mean training image that some networks take off first.

_MEAN_BLOCK = 1024  # crops at once; bounds the memory


def measure_pixel_mean(backbone: keras.Model, crops: UInt8, rows: Int64) -> None:
    """Give a backbone the mean of its training images, if it has a place for it.

    Args:
        backbone: Changed in place.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,): those that are trained on.
    """
    for layer in backbone.layers:
        if not isinstance(layer, PixelMean):
            continue
        before = keras.Model(backbone.input, layer.input)
        total = np.zeros(layer.mean.shape)
        for start in range(0, len(rows), _MEAN_BLOCK):
            images = np.ascontiguousarray(crops[np.sort(rows[start : start + _MEAN_BLOCK])])
            total += np.asarray(before.predict_on_batch(images), np.float64).sum(0)
        layer.mean.assign(total / len(rows))
