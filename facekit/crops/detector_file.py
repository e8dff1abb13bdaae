"""The YuNet file: where it lies, how it is checked, added and fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facekit.atomic import write_atomically
from facekit.errors import UsageError
from facekit.home import models_folder

__all__ = [
    "YUNET_FILE",
    "YUNET_SHA256",
    "add_detector",
    "fetch_yunet",
    "read_yunet",
    "yunet_path",
]

#: The model as opencv_zoo publishes it (MIT), and its hash.
YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_URLS: Final = (
    f"https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/{YUNET_FILE}",
    f"https://huggingface.co/opencv/face_detection_yunet/resolve/main/{YUNET_FILE}",
)
#: The file has 233 kB; an answer that is longer is something else.
_MOST_BYTES: Final = 4_000_000


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
        data = path.read_bytes()
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
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
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
