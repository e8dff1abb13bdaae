"""The backbone in ONNX Runtime: threads, batches and checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, UInt8
from facekit.errors import BundleError, UsageError
from facekit.system.graph import Graph

#: Crops a run; bounds the memory.
BATCH: Final = 32
#: Of all parts of one face; VGGFace has some 100,000.
_MOST_NUMBERS: Final = 1 << 24
#: Squares of larger numbers soon have no place in float32.
_LARGEST: Final = 1e15


class OnnxBackbone:
    """An ONNX graph from uint8 crops to named parts of an embedding.

    Attributes:
        side: Height and width of the crops in pixels.
        parts: Shape of every part without the batch axis, by name.
    """

    side: int
    parts: dict[str, tuple[int, ...]]

    def __init__(self, model: bytes, *, name: str = "the backbone", threads: int = 0) -> None:
        """Open the graph on the CPU.

        Args:
            model: An ONNX file's bytes, input "crops" uint8 (n, side, side, 3).
            name: What to call it in an error.
            threads: In [1, inf), or 0 for one a core.

        Raises:
            BundleError: The graph cannot be read or takes other input.
        """
        self._name = name
        try:
            self._graph = Graph(model, threads=threads)
        except Exception as error:  # ONNX Runtime's own types share no public base
            raise BundleError(
                f"{name} is no graph that ONNX Runtime can run: {_reason(error)}"
            ) from error
        session = self._graph.session()
        self.side = _checked_side(session.get_inputs(), name)
        self.parts = {out.name: tuple(out.shape[1:]) for out in session.get_outputs()}
        fixed = all(isinstance(size, int) for shape in self.parts.values() for size in shape)
        types = {out.type for out in session.get_outputs()}
        if not fixed or types != {"tensor(float)"}:
            raise BundleError(f"{name}: every output must be float32 with a fixed shape")
        if sum(map(math.prod, self.parts.values())) > _MOST_NUMBERS:
            raise BundleError(f"{name}: gives more than {_MOST_NUMBERS:,} numbers a face")

    def embed(self, crops: UInt8, parts: Sequence[str] | None = None) -> dict[str, Float32]:
        """Embed crops in batches.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3).
            parts: Which parts to compute; None for all.

        Returns:
            float32 array of shape (n, ...) for each part, in the order asked.

        Raises:
            UsageError: The crops have another shape or type.
            BundleError: There is no such part, or the graph fails or gives no numbers.
        """
        if crops.dtype != np.uint8 or crops.shape[1:] != (self.side, self.side, 3):
            raise UsageError(
                f"crops are {crops.dtype} of shape {crops.shape}, "
                f"needed is uint8 of shape (n, {self.side}, {self.side}, 3)"
            )
        names = list(self.parts if parts is None else parts)
        for name in names:
            if name not in self.parts:
                raise BundleError(f"no part {name!r}: the backbone has {', '.join(self.parts)}")
        out = {name: np.empty((len(crops), *self.parts[name]), np.float32) for name in names}
        for start in range(0, len(crops) if names else 0, BATCH):
            block = np.ascontiguousarray(crops[start : start + BATCH])
            for name, value in zip(names, self._run(names, block), strict=True):
                out[name][start : start + BATCH] = value
        return out

    def _run(self, names: list[str], block: UInt8) -> list[Float32]:
        """A graph from elsewhere may stop, or give anything: no other exception leaves it."""
        try:
            values = self._graph.run(names, {"crops": block})
        except Exception as error:
            raise BundleError(f"{self._name} cannot be run: {_reason(error)}") from error
        for name, value in zip(names, values, strict=True):
            if value.shape != (len(block), *self.parts[name]):
                raise BundleError(f"{self._name} gives {name!r} in another shape than it says")
            if not (np.abs(value) < _LARGEST).all():  # NaN is not below it either
                raise BundleError(f"{self._name} gives {name!r} in numbers that are not finite")
        return values


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _checked_side(inputs: list[Any], name: str) -> int:
    if len(inputs) == 1 and inputs[0].name == "crops" and inputs[0].type == "tensor(uint8)":
        batch, *shape = inputs[0].shape
        if not isinstance(batch, int) and len(shape) == 3 and shape[0] == shape[1]:
            side, channels = shape[0], shape[2]
            if isinstance(side, int) and channels == 3:
                return side
    found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    raise BundleError(f"{name} takes {found}; needed is crops, uint8 (n, side, side, 3) with any n")
