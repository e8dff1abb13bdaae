"""How often a face gets another answer when it is shown a little otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from facekit.arrays import Int64, UInt8
from facekit.bundle.bundle import Bundle

#: Images that are shown again, evenly over those measured.
MOST: Final = 500
#: Of the crop's side: how far a face is moved. Two detectors disagree by about as much.
_SHIFT: Final = 0.05
#: JPEG quality, as messengers have it at their worst.
_QUALITY: Final = 30


def _mirror(crops: UInt8) -> UInt8:
    return np.ascontiguousarray(crops[:, :, ::-1])


def _shift(crops: UInt8) -> UInt8:
    step = max(1, round(_SHIFT * crops.shape[2]))
    padded = np.pad(crops, ((0, 0), (0, 0), (step, 0), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded[:, :, : crops.shape[2]])


def _jpeg(crops: UInt8) -> UInt8:
    out = np.empty_like(crops)
    for i, crop in enumerate(crops):
        good, data = cv2.imencode(".jpg", crop[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert good
        again = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert again is not None
        out[i] = again[:, :, ::-1]
    return out


#: Ways to show a crop otherwise, by the name that records give them.
VIEWS: Final[dict[str, Callable[[UInt8], UInt8]]] = {
    "mirror": _mirror,
    "shift": _shift,
    "jpeg": _jpeg,
}


def flip_rates(
    bundle: Bundle, labels: tuple[str, ...], crops: UInt8, rows: Int64
) -> dict[str, float]:
    """Share of images whose answer is another one in each of ``VIEWS``.

    Args:
        bundle: Where it averages over the mirror image it does so here, too, and
            ``mirror`` is 0 but for rounding.
        labels: The classes of one of its heads.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,), n at least 1: the crops that were measured.

    Returns:
        ``{"mirror", "shift", "jpeg"}`` in [0, 1]: mirrored, moved by 5 % of the side,
        stored again at JPEG quality 30; of at most 500 images.
    """
    head = next(name for name, one in bundle.heads.items() if one.labels == labels)
    taken = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.int64))
    seen = np.ascontiguousarray(crops[rows[taken]])

    def answers(images: UInt8) -> Int64:
        found: Int64 = bundle.scores(images, [head])[head].argmax(1)
        return found

    plain = answers(seen)
    return {name: float((answers(show(seen)) != plain).mean()) for name, show in VIEWS.items()}
