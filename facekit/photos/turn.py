"""Which way up a photo is, where nothing but its faces can say so.

Scans and pictures from messengers have no EXIF orientation. Of 138 photos (LFW and
CelebA unaligned), each in four turns, YuNet is surest of the upright one in all: best
scores there are 0.897 and more, upside down 99 % are below 0.90, and the upright one is
ahead by 0.020 to 0.10. The embedded detector finds faces in 99 % upright (95 % with 0.67
and more), in 25 % upside down, in 8 % sideways. Of 84 others ``look`` has all upright ones
right; of turned ones 99 to 100 % with YuNet, 71 (upside down) to 89 % with the embedded.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from facekit.arrays import Float64, UInt8
from facekit.photos.detection import Box, Detection, Detector

#: By detector: best score below which the upright look is in doubt; how far another turn
#: must be ahead, and the score it needs, so that photos without faces get none.
_BARS: Final = {"yunet": (0.9, 0.02, 0.85), "haar": (0.5, 0.3, 0.9)}


#: Longer side in pixels of the largest view that a detector takes.
_WIDEST: Final = 1600


def look(rgb: UInt8, detector: Detector) -> tuple[int, list[Detection]]:
    """Find faces; where there is none, or a doubtful one, in the other three turns too.

    Args:
        rgb: uint8 RGB array of shape (h, w, 3).
        detector: Finds faces.

    Returns:
        Quarter turns (counterclockwise) that bring the faces upright, and the faces in
        pixels of the picture so turned, biggest first.
    """
    found = detector.detect(rgb)
    sure, ahead, needed = _BARS.get(detector.name, (0.0, 1.0, 1.0))
    best = _best(found)
    if best >= sure:
        return 0, found
    small = _reduced(rgb)
    turns = {turn: detector.detect(turned(small, turn)) for turn in (2, 1, 3)}
    turn = max(turns, key=lambda one: _best(turns[one]))
    if _best(turns[turn]) < max(best + ahead, needed):
        return 0, found
    return turn, turns[turn] if small is rgb else detector.detect(turned(rgb, turn))


def _reduced(rgb: UInt8) -> UInt8:
    """As many pixels as the widest look of a detector sees: turning more costs seconds."""
    scale = _WIDEST / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = tuple(max(1, round(side * scale)) for side in rgb.shape[1::-1])
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def turned(rgb: UInt8, turn: int) -> UInt8:
    """The picture after quarter turns counterclockwise."""
    return np.ascontiguousarray(np.rot90(rgb, turn)) if turn else rgb


def turn_matrix(turn: int, width: int, height: int) -> Float64:
    """float64 array of shape (3, 3): pixels of a picture to pixels of it turned."""
    right, low = width - 1.0, height - 1.0
    quarters: dict[int, list[list[float]]] = {
        0: [[1, 0, 0], [0, 1, 0]],
        1: [[0, 1, 0], [-1, 0, right]],
        2: [[-1, 0, right], [0, -1, low]],
        3: [[0, -1, low], [1, 0, 0]],
    }
    return np.array([*quarters[turn], [0, 0, 1]], np.float64)


def box_before(box: Box, turn: int, width: float, height: float) -> Box:
    """A box of the turned picture in pixels of the picture as it was, (width, height) large."""
    x, y, wide, high = box
    return {
        0: (x, y, wide, high),
        1: (width - y - high, x, high, wide),
        2: (width - x - wide, height - y - high, wide, high),
        3: (y, height - x - wide, high, wide),
    }[turn]


def _best(found: list[Detection]) -> float:
    return max((one.score for one in found), default=0.0)
