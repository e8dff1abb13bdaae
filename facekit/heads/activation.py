"""Logits to scores."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Activation", "activate"]

Floats = NDArray[np.float32]
Activation = Literal["sigmoid", "softmax", "none"]

#: The logit beyond which exp overflows float32 or a probability is exactly 0 or 1.
_LOGIT_LIMIT: Final = 80.0


def activate(logits: Floats, activation: Activation) -> Floats:
    """Logits to scores.

    Args:
        logits: float array of shape (n, k).
        activation: "sigmoid" (each label by itself), "softmax" (the labels
            exclude each other) or "none" (the numbers themselves).

    Returns:
        float32 array of shape (n, k); within [0, 1] unless "none".
    """
    if activation == "none":
        return logits.astype(np.float32, copy=False)
    if activation == "sigmoid":
        limited = np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)
        scores = 1 / (1 + np.exp(-limited))
    else:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(scores, np.float32)
