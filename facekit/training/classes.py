"""Targets, loss and validation of a network that tells classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

__all__ = ["ClassTargets", "class_loss", "predict_logits", "validate_classes"]

_BLOCK = 256  # crops at once; bounds the memory


@dataclass(frozen=True)
class ClassTargets:
    """What is learned, row by row beside the crops.

    Attributes:
        shares: float32 array of shape (n, k): rows sum to 1, or to 0 where the
            row teaches nothing.
    """

    shares: NDArray[np.float32]

    def rows(self, index: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
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


def predict_logits(
    model: keras.Model, crops: NDArray[np.uint8], rows: NDArray[np.int64], *, mirror: bool
) -> NDArray[np.float32]:
    """Logits of rows, averaged over the mirror image where asked.

    Args:
        model: From ``classifier.build_classifier``.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,).
        mirror: Average over both views.

    Returns:
        float32 array of shape (n, k).
    """
    blocks = []
    for start in range(0, len(rows), _BLOCK):
        images = crops[rows[start : start + _BLOCK]]
        logits = model.predict_on_batch(images)["classes"]
        if mirror:
            other = model.predict_on_batch(np.ascontiguousarray(images[:, :, ::-1]))["classes"]
            logits = (logits + other) / 2
        blocks.append(logits)
    return np.concatenate(blocks)


def validate_classes(
    model: keras.Model,
    crops: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    mirror: bool,
) -> dict[str, float]:
    """Headline numbers on rows, without augmentation.

    Args:
        model: From ``classifier.build_classifier``.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,): which crops.
        labels: int array of shape (n,): their classes.
        mirror: Average over the mirror image.

    Returns:
        ``val_loss`` (cross-entropy), ``val_accuracy``, ``val_macro_f1``.
    """
    from sklearn.metrics import f1_score

    logits = predict_logits(model, crops, rows, mirror=mirror).astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    found = logits.argmax(1)
    return {
        "val_loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "val_accuracy": float((found == labels).mean()),
        "val_macro_f1": float(f1_score(labels, found, average="macro")),
    }
