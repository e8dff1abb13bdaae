"""Losses of the trunk's targets; each gives one number a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

__all__ = ["attribute_loss", "identity_loss"]

Loss = Callable[[Any, Any], Any]


def attribute_loss(smoothing: float = 0.0) -> Loss:
    """Binary cross-entropy that skips unknown labels.

    Args:
        smoothing: Labels become ``smoothing`` and ``1 - smoothing``.

    Returns:
        A loss of labels (n, 40) with 1, 0 and -1 for unknown, and logits (n, 40).
    """

    def attributes(labels: Any, logits: Any) -> Any:
        known = ops.cast(labels >= 0, logits.dtype)
        wanted = ops.clip(ops.cast(labels, logits.dtype), smoothing, 1 - smoothing)
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
