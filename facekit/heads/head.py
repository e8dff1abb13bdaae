"""What every head does: read named parts of an embedding, give scores."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import AnyArray, Float32
from facekit.errors import BundleError
from facekit.heads.arrays import pack
from facekit.system.files import write_atomically

#: How the arrays of ``Head.channels`` are named in the file, before the part.
CHANNELS: Final = "channels."


@dataclass(frozen=True, eq=False, kw_only=True)
class Head(ABC):
    """A small function from named parts of an embedding to k scores.

    Attributes:
        parts: The parts it reads, flattened and joined in this order (d numbers).
        labels: The k names of its scores.
        activation: How logits become scores.
        channels: By part name, float32 array of shape (c, r) that the part's
            last axis is multiplied with first; empty for none.
        mean: float32 array of shape (d,) taken off the input, or None.
        scale: float32 array of shape (d,), in (0, inf), that divides the input
            after that, or None.
        calibration: float32 array of shape (k, 2), slope and offset of each
            logit before the activation, or None.
        thresholds: float32 array of shape (k,): the score from which a label is
            given, or None for 0.5.
    """

    kind: ClassVar[str] = ""

    parts: tuple[str, ...]
    labels: tuple[str, ...]
    activation: Activation = "sigmoid"
    channels: Mapping[str, Float32] = field(default_factory=dict)
    mean: Float32 | None = None
    scale: Float32 | None = None
    calibration: Float32 | None = None
    thresholds: Float32 | None = None

    def __post_init__(self) -> None:
        """Make every array float32 and check that the shapes fit together."""
        object.__setattr__(self, "parts", tuple(map(str, self.parts)))
        object.__setattr__(self, "labels", tuple(map(str, self.labels)))
        if not self.parts or len(set(self.labels)) != len(self.labels):
            raise ValueError("a head needs at least one part, and labels that differ")
        if self.activation not in get_args(Activation):
            allowed = ", ".join(get_args(Activation))
            raise ValueError(f"activation is {self.activation!r}, allowed are {allowed}")
        channels = {name: float32(name, value) for name, value in self.channels.items()}
        object.__setattr__(self, "channels", channels)
        if not set(channels) <= set(self.parts) or any(c.ndim != 2 for c in channels.values()):
            raise ValueError("channels need a matrix (c, r) for parts that the head reads")
        d, k = self.sizes
        if k != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {k} outputs")
        self._fit("mean", (d,))
        self._fit("scale", (d,))
        self._fit("calibration", (k, 2))
        self._fit("thresholds", (k,))
        if self.scale is not None and not (self.scale > 0).all():
            raise ValueError("scale must be above 0 everywhere")

    def _fit(self, name: str, shape: tuple[int, ...]) -> None:
        value = getattr(self, name)
        if value is None:
            return
        array = float32(name, value)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, needs {shape}")
        object.__setattr__(self, name, array)

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, int]:
        """(d, k): how many numbers it reads and how many scores it gives."""

    @property
    def parameters(self) -> int:
        """How many learnt numbers it holds, channels included."""
        arrays = [*self.weights().values(), *self.channels.values()]
        return sum(array.size for array in arrays)

    def width(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """How many numbers it would read of parts of these shapes.

        Args:
            shapes: Shape of one row of each part, by name; parts that are not
                there count nothing, channels that do not fit -1.
        """
        total = 0
        for name in self.parts:
            shape = shapes.get(name, (0,))
            matrix = self.channels.get(name)
            if matrix is not None:
                if shape[-1] != matrix.shape[0]:
                    return -1
                shape = (*shape[:-1], matrix.shape[1])
            total += math.prod(shape)
        return total

    @property
    def dense(self) -> tuple[tuple[Float32, Float32], ...]:
        """(weight, bias) of every layer, ReLU between them; empty where it is no such chain."""
        return ()

    @abstractmethod
    def forward(self, x: Float32) -> Float32:
        """Raw logits (n, k) of standardised inputs (n, d)."""

    @abstractmethod
    def weights(self) -> dict[str, Float32]:
        """The learnt arrays by the name they have in the file."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray], common: dict[str, Any]) -> Self:
        """Rebuild from ``weights()`` and the attributes all heads share."""

    def logits(self, embedding: Mapping[str, AnyArray], *, calibrated: bool = True) -> Float32:
        """Numbers before the activation.

        Args:
            embedding: float arrays of shape (n, ...) by part name.
            calibrated: Apply ``calibration``; False gives what it is fitted on.

        Returns:
            float32 array of shape (n, k).

        Raises:
            BundleError: The embedding lacks a part or has another size.
        """
        x = read_parts(embedding, self.parts, self.channels)
        if x.shape[1] != self.sizes[0]:
            raise BundleError(
                f"the parts {', '.join(self.parts)} hold {x.shape[1]} numbers, the head reads "
                f"{self.sizes[0]}: use it with the backbone it was made for"
            )
        if self.mean is not None:
            x = x - self.mean
        if self.scale is not None:
            x = x / self.scale
        out = self.forward(x)
        if calibrated and self.calibration is not None:
            out = out * self.calibration[:, 0] + self.calibration[:, 1]
        return out

    def scores(self, embedding: Mapping[str, AnyArray]) -> Float32:
        """Scores of every label.

        Args:
            embedding: float arrays of shape (n, ...) by part name.

        Returns:
            float32 array of shape (n, k); within [0, 1] unless the activation
            is "none".

        Raises:
            BundleError: The embedding lacks a part or has another size.
        """
        return activate(self.logits(embedding), self.activation)

    def to_bytes(self, *, half: bool = False) -> bytes:
        """The head as an .npz file; see ``save``."""
        store = np.float16 if half else np.float32
        optional = {
            name: value
            for name in ("mean", "scale", "calibration", "thresholds")
            if (value := getattr(self, name)) is not None
        }
        return pack(
            {
                "kind": np.array(self.kind),
                "parts": np.array(self.parts),
                "labels": np.array(self.labels),
                "activation": np.array(self.activation),
                **optional,
                **{f"{CHANNELS}{name}": m.astype(store) for name, m in self.channels.items()},
                **{name: value.astype(store) for name, value in self.weights().items()},
            }
        )

    def save(self, path: Path, *, half: bool = False) -> None:
        """Write the head as an .npz file without pickle, in one step.

        Args:
            path: The file; its folder must exist.
            half: Store the weights as float16; arithmetic stays float32.
        """
        write_atomically(path, self.to_bytes(half=half))


def float32(name: str, value: ArrayLike) -> Float32:
    """A float32 copy; ValueError when a number is not finite."""
    with np.errstate(over="ignore"):  # float64 may hold more; NumPy would print a warning
        array = np.ascontiguousarray(value, np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array


# Logits to scores.

Activation = Literal["sigmoid", "softmax", "none"]

#: The logit beyond which exp overflows float32 or a probability is exactly 0 or 1.
_LOGIT_LIMIT: Final = 80.0


def activate(logits: Float32, activation: Activation) -> Float32:
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


# Named parts of an embedding side by side, as heads read them.


def read_parts(
    embedding: Mapping[str, AnyArray],
    parts: tuple[str, ...],
    channels: Mapping[str, Float32] | None = None,
) -> Float32:
    """The named parts of an embedding, flattened and side by side.

    Args:
        embedding: float arrays of shape (n, ...) by part name.
        parts: Which parts, in which order.
        channels: By part name, float array of shape (c, r) that the last axis is
            multiplied with first (the same at every place of a grid).

    Returns:
        float32 array of shape (n, d).

    Raises:
        BundleError: The embedding lacks a part.
    """
    missing = [name for name in parts if name not in embedding]
    if missing:
        raise BundleError(
            f"the embedding has no part {missing[0]!r}, only {', '.join(embedding) or 'none'}: "
            "use the head with the backbone it was made for"
        )
    arrays = [np.asarray(embedding[name], np.float32) for name in parts]
    if channels:
        try:
            arrays = [
                value @ channels[name] if name in channels else value
                for name, value in zip(parts, arrays, strict=True)
            ]
        except ValueError as error:
            raise BundleError(
                "the embedding's parts have other channels than the head reads: "
                "use the head with the backbone it was made for"
            ) from error
    flat = [array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
