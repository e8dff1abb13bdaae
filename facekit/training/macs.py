"""Count multiply-adds of a Keras model."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["count_macs"]


def count_macs(model: Any) -> int:
    """Multiply-adds of convolutions and dense layers for one crop.

    Args:
        model: Built Keras model; nested models are counted too.

    Returns:
        A count in [0, inf).
    """
    total = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in {"Conv2D", "DepthwiseConv2D"}:
            height, width = layer.output.shape[1:3]
            total += math.prod(layer.kernel.shape) * height * width
        elif kind == "Dense":
            total += math.prod(layer.kernel.shape)
        elif hasattr(layer, "layers"):
            total += count_macs(layer)
    return int(total)
