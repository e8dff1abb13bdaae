"""Which detector to use: one name, one function."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facekit.arrays import UInt8
from facekit.errors import UsageError
from facekit.photos.detection import Detection, Detector
from facekit.photos.detectors import Haar, Look, YuNet, shipped_haar
from facekit.system.files import read_regular, write_atomically
from facekit.system.home import models_folder


class WholePicture:
    """No search: the centre square of the picture is the face."""

    name = "none"
    key = "none"

    def detect(self, rgb: UInt8) -> list[Detection]:
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
        data = read_regular(path, _MOST_DETECTOR)
    except OSError as error:
        raise UsageError(f"the detector {path} cannot be read: {error.strerror}") from error
    if kind == ".onnx":
        return YuNet(data)
    return Haar((Look(data.decode("utf-8", "replace"), longest=480, neighbours=4),))


# The YuNet file: where it lies, how it is checked, added and fetched.

#: The model as opencv_zoo publishes it (MIT), and its hash.
YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_URLS: Final = (
    f"https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/{YUNET_FILE}",
    f"https://huggingface.co/opencv/face_detection_yunet/resolve/main/{YUNET_FILE}",
)
#: The file has 233 kB; an answer that is longer is something else.
_MOST_BYTES: Final = 4_000_000
#: Of a detector of the user's own.
_MOST_DETECTOR: Final = 1 << 28


def yunet_path() -> Path:
    """Where facekit looks for YuNet; the file may not be there yet."""
    return models_folder() / YUNET_FILE


def read_yunet() -> bytes:
    """The model's bytes, checked against the pinned hash.

    Raises:
        UsageError: The file is missing, unreadable or not the pinned one.
    """
    path = yunet_path()
    try:
        data = read_regular(path, _MOST_BYTES)
    except FileNotFoundError as error:
        raise UsageError(
            "the YuNet model is not in facekit's model folder: run "
            "`facekit models fetch yunet` or `facekit models add FILE`"
        ) from error
    except OSError as error:
        raise UsageError(f"{YUNET_FILE} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != YUNET_SHA256:
        raise UsageError(
            f"{path} was altered (its sha256 is not {YUNET_SHA256[:12]}…): "
            "delete it and run `facekit models fetch yunet`"
        )
    return data


def add_detector(path: Path) -> Path:
    """Copy a YuNet file into the model folder.

    Args:
        path: The file as opencv_zoo publishes it, under any name.

    Returns:
        Where it lies now.

    Raises:
        UsageError: The file cannot be read or copied, or is another one.
    """
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != YUNET_SHA256:
        raise UsageError(
            f"{path.name} is not the pinned {YUNET_FILE} (its sha256 is not "
            f"{YUNET_SHA256[:12]}…); another detector is used with --detector FILE"
        )
    return _store(data)


def fetch_yunet(urls: Sequence[str] = YUNET_URLS, *, timeout: float = 30.0) -> Path:
    """Download YuNet from its public home; nothing else in crops uses a network.

    Args:
        urls: Places to try, in order.
        timeout: Seconds without an answer after which a place is given up.

    Returns:
        Where the file lies now.

    Raises:
        UsageError: No place gave the pinned file.
    """
    import http.client  # late: only this verb opens a socket
    import urllib.request

    reasons = []
    for url in urls:
        place = url.split("/")[2] or "the file"
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                data = answer.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            reasons.append(f"{place}: {getattr(error, 'reason', error)}")
            continue
        if hashlib.sha256(data).hexdigest() == YUNET_SHA256:
            return _store(data)
        reasons.append(f"{place}: sent another file than the pinned one")
    raise UsageError(
        f"YuNet could not be fetched ({'; '.join(reasons)}): download {YUNET_FILE} elsewhere "
        "and run `facekit models add FILE`"
    )


def _store(data: bytes) -> Path:
    target = yunet_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, data)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from error
    return target
