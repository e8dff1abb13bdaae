"""Measure a trainer on rows that it does not learn from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from facekit.recipe.schema import PretrainRecipe
from facekit.training.multitask import Targets

__all__ = ["validate"]

_BLOCK = 256  # crops at once; bounds the memory


def validate(
    model: keras.Model,
    recipe: PretrainRecipe,
    crops: NDArray[np.uint8],
    targets: Targets,
    rows: NDArray[np.int64],
) -> dict[str, float]:
    """Losses and headline numbers on rows, without augmentation.

    Args:
        model: Trainer from ``build_trainer``.
        recipe: Weights of the targets.
        crops: uint8 RGB array of shape (n, side, side, 3).
        targets: Rows beside ``crops``.
        rows: Positions to use.

    Returns:
        ``val_loss`` (weighted), the loss of each target, ``mean_accuracy`` at
        threshold 0.5 in [0, 1] and, where a teacher knows any of the rows,
        ``identity_cosine`` in [-1, 1].
    """
    predicted = _predict(model, crops, rows)
    wanted = targets.rows(rows)
    losses = {
        name: _mean_loss(loss, wanted[name], predicted[name]) for name, loss in model.loss.items()
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


def _mean_loss(loss: Any, wanted: NDArray[np.float32], predicted: NDArray[np.float32]) -> float:
    """Mean over rows, block by block: a loss may compare all rows of a block."""
    total = 0.0
    for start in range(0, len(wanted), _BLOCK):
        rows = slice(start, start + _BLOCK)
        values = loss(ops.convert_to_tensor(wanted[rows]), ops.convert_to_tensor(predicted[rows]))
        total += float(ops.convert_to_numpy(ops.sum(values)))
    return total / len(wanted)


def _predict(
    model: keras.Model, crops: NDArray[np.uint8], rows: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Outputs of a model for some rows."""
    blocks = [
        model.predict_on_batch(crops[rows[i : i + _BLOCK]]) for i in range(0, len(rows), _BLOCK)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _cosine(predicted: NDArray[np.float32], teacher: NDArray[np.float32]) -> dict[str, float]:
    """Mean cosine over the rows whose teacher vector is not zero."""
    seen = (teacher**2).sum(1) > 0.5
    if not seen.any():
        return {}
    norms = np.maximum(np.linalg.norm(predicted, axis=1), 1e-12)
    cosine = (predicted * teacher).sum(1) / norms
    return {"identity_cosine": float(cosine[seen].mean())}
