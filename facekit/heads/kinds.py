"""The kinds of heads, and a head from its file: the `kind` stored in it says which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from facekit.arrays import AnyArray, Float32, Int64
from facekit.errors import BundleError
from facekit.heads.arrays import unpack
from facekit.heads.head import CHANNELS, Head, float32


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearHead(Head):
    """Scores from one matrix; with one label it is a single neuron.

    Attributes:
        weight: float32 array of shape (d, k).
        bias: float32 array of shape (k,).
    """

    kind: ClassVar[str] = "linear"

    weight: Float32
    bias: Float32

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

    def forward(self, x: Float32) -> Float32:
        """Raw logits (n, k) of standardised inputs (n, d)."""
        out: Float32 = x @ self.weight + self.bias
        return out

    @property
    def dense(self) -> tuple[tuple[Float32, Float32], ...]:
        """(weight, bias) of its one layer."""
        return ((self.weight, self.bias),)

    def weights(self) -> dict[str, Float32]:
        """The learnt arrays by the name they have in the file."""
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray], common: dict[str, Any]) -> Self:
        """Rebuild from ``weights()`` and the attributes all heads share."""
        return cls(weight=arrays["weight"], bias=arrays["bias"], **common)


@dataclass(frozen=True, eq=False, kw_only=True)
class MlpHead(Head):
    """Scores from a multilayer perceptron with ReLU hidden layers.

    Attributes:
        layers: (weight, bias) of every layer from input to output, float32
            arrays of shapes (inputs, outputs) and (outputs,).
    """

    kind: ClassVar[str] = "mlp"

    layers: tuple[tuple[Float32, Float32], ...]

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

    def forward(self, x: Float32) -> Float32:
        """Raw logits (n, k) of standardised inputs (n, d)."""
        for weight, bias in self.layers[:-1]:
            x = x @ weight + bias
            np.maximum(x, 0, out=x)
        weight, bias = self.layers[-1]
        out: Float32 = x @ weight + bias
        return out

    @property
    def dense(self) -> tuple[tuple[Float32, Float32], ...]:
        """(weight, bias) of every layer, input to output."""
        return self.layers

    def weights(self) -> dict[str, Float32]:
        """The learnt arrays by the name they have in the file."""
        return {
            f"{name}_{i}": array
            for i, layer in enumerate(self.layers)
            for name, array in zip(("weight", "bias"), layer, strict=True)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray], common: dict[str, Any]) -> Self:
        """Rebuild from ``weights()`` and the attributes all heads share."""
        depth = sum(name.startswith("weight_") for name in arrays)
        layers = tuple((arrays[f"weight_{i}"], arrays[f"bias_{i}"]) for i in range(depth))
        return cls(layers=layers, **common)


#: Every kind of head; a file that names another is refused.
KINDS: dict[str, type[Head]] = {cls.kind: cls for cls in (LinearHead, MlpHead)}


def load_head(source: Path | bytes, name: str = "") -> Head:
    """Read a head that ``Head.save`` wrote.

    Args:
        source: An .npz file, or its bytes.
        name: What to call it in an error; the file's name by default.

    Returns:
        A LinearHead or an MlpHead.

    Raises:
        BundleError: The file is missing, damaged, of another kind, or its
            arrays do not fit together.
    """
    name = name or (source.name if isinstance(source, Path) else "the head")
    arrays = unpack(source, name)
    try:
        kind = str(arrays["kind"])
        if kind not in KINDS:
            raise ValueError(f"its kind is {kind!r}, known are {', '.join(KINDS)}")
        common: dict[str, Any] = {
            "parts": tuple(map(str, arrays["parts"])),
            "labels": tuple(map(str, arrays["labels"])),
            "activation": str(arrays["activation"]),
            "channels": {
                key.removeprefix(CHANNELS): value
                for key, value in arrays.items()
                if key.startswith(CHANNELS)
            },
        }
        for key in ("mean", "scale", "calibration", "thresholds"):
            common[key] = arrays.get(key)
        return KINDS[kind].from_arrays(arrays, common)
    except KeyError as error:
        raise BundleError(f"{name} is not a head: it lacks the array {error}") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{name} is not a usable head: {error}") from error


def fit_linear(
    x: Float32, truth: AnyArray, *, l2: float, classes: int | None = None, **named: Any
) -> LinearHead:
    """Logistic regression on standardised inputs, as a head.

    Args:
        x: float32 array of shape (n, d); it is standardised in place.
        truth: int array of shape (n,) of classes, or (n, k) of 1, 0 and -1.
        l2: As for ``fit_logistic``.
        classes: How many there are, of classes.
        named: The head's ``parts``, ``labels`` and ``activation``.
    """
    from facekit.heads.logistic import fit_logistic, standardise

    mean, scale = standardise(x)
    x -= mean
    x /= scale
    weight, bias = fit_logistic(x, truth, l2=l2, classes=classes)
    return LinearHead(weight=weight, bias=bias, mean=mean, scale=scale, **named)


def calibrate_head(
    head: Head, logits: Float32, labels: Int64, shift: Float32 | None = None
) -> Head:
    """Shift a head's logits, then divide them by the temperature that suits the labels.

    Args:
        head: Softmax.
        logits: float array of shape (m, k): what it gives, uncalibrated.
        labels: int array of shape (m,).
        shift: float32 array of shape (k,), added to the logits; None for zeros.

    Returns:
        The head with a calibration.
    """
    from facekit.evaluation.calibration import fit_temperature  # brings SciPy

    k = len(head.labels)
    shift = np.zeros(k, np.float32) if shift is None else shift
    slope = 1 / fit_temperature(labels, logits + shift)
    calibration = np.column_stack([np.full(k, slope), slope * shift]).astype(np.float32)
    return replace(head, calibration=calibration)
