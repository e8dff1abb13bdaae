"""The backbone in ONNX Runtime: threads, batches and checks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, UInt8
from facekit.errors import BundleError, UsageError
from facekit.system.pool import cores

#: Crops a run; bounds the memory.
BATCH: Final = 32
#: ONNX Runtime prints only what ends the process; errors reach us as exceptions.
_FATAL: Final = 4


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
        # From 1.29 on it looks up a host and leaves a device id in the home folder;
        # this alone prevents it, and only before the first import of the process.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime as ort  # late: a tenth of a second

        ort.set_default_logger_severity(_FATAL)
        options = ort.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = threads or cores()
        options.inter_op_num_threads = 1
        # Waiting threads sleep: others decode and detect on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own types share no public base
            reason = str(error).splitlines()[0]
            raise BundleError(f"{name} is no graph that ONNX Runtime can run: {reason}") from error
        self._session = session
        self.side = _checked_side(session.get_inputs(), name)
        self.parts = {out.name: tuple(out.shape[1:]) for out in session.get_outputs()}
        fixed = all(isinstance(size, int) for shape in self.parts.values() for size in shape)
        types = {out.type for out in session.get_outputs()}
        if not fixed or types != {"tensor(float)"}:
            raise BundleError(f"{name}: every output must be float32 with a fixed shape")

    def embed(self, crops: UInt8, parts: Sequence[str] | None = None) -> dict[str, Float32]:
        """Embed crops in batches.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3).
            parts: Which parts to compute; None for all.

        Returns:
            float32 array of shape (n, ...) for each part, in the order asked.

        Raises:
            UsageError: The crops have another shape or type.
            BundleError: There is no such part.
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
            for name, value in zip(names, self._session.run(names, {"crops": block}), strict=True):
                out[name][start : start + BATCH] = value
        return out


def _checked_side(inputs: list[Any], name: str) -> int:
    if len(inputs) == 1 and inputs[0].name == "crops" and inputs[0].type == "tensor(uint8)":
        batch, *shape = inputs[0].shape
        if not isinstance(batch, int) and len(shape) == 3 and shape[0] == shape[1]:
            side, channels = shape[0], shape[2]
            if isinstance(side, int) and channels == 3:
                return side
    found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    raise BundleError(f"{name} takes {found}; needed is crops, uint8 (n, side, side, 3) with any n")
