"""One layer: the head that most tasks need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from facekit.heads.head import Floats, Head, float32

__all__ = ["LinearHead"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearHead(Head):
    """Scores from one matrix; with one label it is a single neuron.

    Attributes:
        weight: float32 array of shape (d, k).
        bias: float32 array of shape (k,).
    """

    kind: ClassVar[str] = "linear"

    weight: Floats
    bias: Floats

    def __post_init__(self) -> None:
        """Check the matrix, then what all heads share."""
        object.__setattr__(self, "weight", float32("weight", self.weight))
        object.__setattr__(self, "bias", float32("bias", self.bias))
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[1:]:
            raise ValueError(
                f"weight has shape {self.weight.shape} and bias {self.bias.shape}, "
                "needed are (d, k) and (k,)"
            )
        super().__post_init__()

    @property
    def sizes(self) -> tuple[int, int]:
        """(d, k): how many numbers it reads and how many scores it gives."""
        d, k = self.weight.shape
        return d, k

    def forward(self, x: Floats) -> Floats:
        """Raw logits (n, k) of standardised inputs (n, d)."""
        out: Floats = x @ self.weight + self.bias
        return out

    def weights(self) -> dict[str, Floats]:
        """The learnt arrays by the name they have in the file."""
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], common: dict[str, Any]) -> Self:
        """Rebuild from ``weights()`` and the attributes all heads share."""
        return cls(weight=arrays["weight"], bias=arrays["bias"], **common)
