"""The graph of a backbone in whole numbers of eight bits: a second one, for prediction.

Static quantisation by ONNX Runtime's own tools: pairs of QuantizeLinear and
DequantizeLinear around every operator, unsigned activations whose ranges are those
seen on crops, signed weights with a scale for each channel. Weights keep seven bits:
on processors without VNNI two products of eight bits are added in sixteen, which
overflows; with seven they fit, so that one file serves every processor.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import UInt8
from facekit.errors import BundleError, MissingExtraError

#: The file's name in a bundle.
INT8: Final = "backbone-int8.onnx"
#: Crops at once: every activation of the network is kept for them.
_BATCH: Final = 16


def to_int8(graph: Path, crops: UInt8, *, seven_bits: bool = True) -> bytes:
    """Quantise a backbone.

    Args:
        graph: An ONNX file, input "crops" uint8 (n, side, side, 3).
        crops: uint8 RGB array of shape (n, side, side, 3) that shows the ranges of the
            activations; some hundreds.
        seven_bits: Weights of seven bits; False is for processors with VNNI alone.

    Returns:
        The ONNX file, with the same input and outputs.

    Raises:
        MissingExtraError: onnx is not installed.
        BundleError: The graph cannot be quantised.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnx", "train") from error
    from onnxruntime import quantization as tools
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _quiet():
        folded, out = Path(folder, "folded.onnx"), Path(folder, INT8)
        try:
            quant_pre_process(str(graph), str(folded), skip_symbolic_shape=True)
            tools.quantize_static(
                str(folded),
                str(out),
                _reader(crops),
                quant_format=tools.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=seven_bits,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
            )
        except Exception as error:  # ONNX Runtime's own types share no public base
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise BundleError(f"{graph} cannot be quantised: {reason}") from error
        return out.read_bytes()


def _reader(crops: UInt8) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Blocks(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._starts = iter(range(0, len(crops), _BATCH))

        def get_next(self) -> dict[str, UInt8] | None:
            start = next(self._starts, None)
            if start is None:
                return None
            return {"crops": np.ascontiguousarray(crops[start : start + _BATCH])}

    return Blocks()


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools log advice to the root logger and warn of their own old calls."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
