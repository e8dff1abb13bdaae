"""Which detector to use: one name, one function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.crops.detection import Detection, Detector
from facekit.crops.detector_file import read_yunet, yunet_path
from facekit.crops.haar import Haar, Look, shipped_haar
from facekit.crops.yunet import YuNet
from facekit.errors import UsageError

__all__ = ["Detection", "Detector", "WholePicture", "find_detector"]


class WholePicture:
    """No search: the centre square of the picture is the face."""

    name = "none"
    key = "none"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """The centre square of a uint8 RGB picture (h, w, 3), with score 1."""
        height, width = rgb.shape[:2]
        side = min(height, width)
        return [Detection(((width - side) / 2, (height - side) / 2, side, side), 1.0)]


def find_detector(name: str = "auto") -> Detector:
    """Open a detector by its name.

    Args:
        name: "yunet" (needs its file in the model folder), "haar" (always
            there), "auto" (YuNet if its file is there, else Haar), "none"
            (the whole picture is the face), or the path of a YuNet-like
            ``.onnx`` or a Haar cascade ``.xml``.

    Returns:
        The Detector.

    Raises:
        UsageError: No such detector, or its file is missing, altered or foreign.
    """
    if name == "auto":
        name = "yunet" if yunet_path().exists() else "haar"
    if name == "none":
        return WholePicture()
    if name == "haar":
        return shipped_haar()
    if name == "yunet":
        return YuNet(read_yunet())
    return _from_file(Path(name))


def _from_file(path: Path) -> Detector:
    kind = path.suffix.lower()
    if kind not in (".onnx", ".xml"):
        raise UsageError(
            f"no detector is called {str(path)!r}: give auto, yunet, haar, none, "
            "or the path of a YuNet .onnx or a Haar cascade .xml"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the detector {path} cannot be read: {error.strerror}") from error
    if kind == ".onnx":
        return YuNet(data)
    return Haar((Look(data.decode("utf-8", "replace"), longest=480, neighbours=4),))
