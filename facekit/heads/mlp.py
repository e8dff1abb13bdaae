"""A few layers with ReLU between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from facekit.heads.head import Floats, Head, float32

__all__ = ["MlpHead"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MlpHead(Head):
    """Scores from a multilayer perceptron with ReLU hidden layers.

    Attributes:
        layers: (weight, bias) of every layer from input to output, float32
            arrays of shapes (inputs, outputs) and (outputs,).
    """

    kind: ClassVar[str] = "mlp"

    layers: tuple[tuple[Floats, Floats], ...]

    def __post_init__(self) -> None:
        """Check the chain of layers, then what all heads share."""
        layers = tuple((float32("weight", w), float32("bias", b)) for w, b in self.layers)
        object.__setattr__(self, "layers", layers)
        if not layers:
            raise ValueError("an MLP head needs at least one layer")
        for i, (weight, bias) in enumerate(layers):
            inputs = weight.shape[:1] if i == 0 else layers[i - 1][0].shape[1:]
            if weight.ndim != 2 or weight.shape[:1] != inputs or bias.shape != weight.shape[1:]:
                raise ValueError(
                    f"layer {i} has weight {weight.shape} and bias {bias.shape}: "
                    "it does not fit the layer before it"
                )
        super().__post_init__()

    @property
    def sizes(self) -> tuple[int, int]:
        """(d, k): how many numbers it reads and how many scores it gives."""
        return self.layers[0][0].shape[0], self.layers[-1][0].shape[1]

    def forward(self, x: Floats) -> Floats:
        """Raw logits (n, k) of standardised inputs (n, d)."""
        for weight, bias in self.layers[:-1]:
            x = x @ weight + bias
            np.maximum(x, 0, out=x)
        weight, bias = self.layers[-1]
        out: Floats = x @ weight + bias
        return out

    def weights(self) -> dict[str, Floats]:
        """The learnt arrays by the name they have in the file."""
        return {
            f"{name}_{i}": array
            for i, layer in enumerate(self.layers)
            for name, array in zip(("weight", "bias"), layer, strict=True)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], common: dict[str, Any]) -> Self:
        """Rebuild from ``weights()`` and the attributes all heads share."""
        depth = sum(name.startswith("weight_") for name in arrays)
        layers = tuple((arrays[f"weight_{i}"], arrays[f"bias_{i}"]) for i in range(depth))
        return cls(layers=layers, **common)
