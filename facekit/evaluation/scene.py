"""What a whole photo looks like, in numbers that show neither faces nor things.

Two photos of one occasion share walls, light and clothes. Of 3,120 pairs of
photos of one person (12 people of LFW, 4 of CelebA unaligned) the 19 that share
their colours most (``colours`` 0.86 and more) were looked at: next to all show
the same clothes or the same room. Of pairs of different people, 0.1 % share so
much.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.likeness import describe

__all__ = ["COLOURS", "describe_colours", "describe_scene"]

#: Numbers of ``describe_colours``.
COLOURS: Final = 256
#: Side of the picture that is looked at.
_SIDE: Final = 48
#: Cells of lightness, green to red and blue to yellow in CIELAB, and their range
#: in OpenCV's 8 bits: photographs have no stronger colours than these.
_CELLS: Final = (4, 8, 8)
_RANGE: Final = (0, 256, 88, 168, 88, 168)

Floats = NDArray[np.float32]


def describe_scene(rgb: NDArray[np.uint8]) -> Floats:
    """Where a photo is light and dark, coarsely.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).

    Returns:
        float32 array of shape (63,) and length 1, or zeros for a blank photo; the
        product of two is 1 for the same photo, however large it is.
    """
    return describe(_small(rgb))


def describe_colours(rgb: NDArray[np.uint8]) -> Floats:
    """Which colours a photo has, wherever they are.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).

    Returns:
        float32 array of shape (``COLOURS``,): roots of the shares of colours, so
        that the product of two is Bhattacharyya's coefficient, in [0, 1].
    """
    lab = cv2.cvtColor(_small(rgb), cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], None, list(_CELLS), list(_RANGE)).ravel()
    return np.sqrt(np.asarray(counts / max(float(counts.sum()), 1.0), np.float32))


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
