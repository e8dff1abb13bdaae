"""Measures of a crop that show nothing of who is on it: blank, blurred, tiny.

The thresholds were chosen by looking at the lowest crops of FER-2013 and CelebA:
below a spread of 6 nothing can be seen (all black, all grey), at 9 a face is
there; below a sharpness of 0.47 eyes and mouth run together, at 0.52 most faces
are merely soft.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BLANK", "BLURRED", "TINY", "CropMeasures", "measure_crops"]

#: Standard deviation of the brightness below which a crop is blank, of 255.
BLANK: Final = 6.0
#: Sharpness below which a crop is blurred.
BLURRED: Final = 0.47
#: Shorter side in pixels below which a picture is tiny: two thirds of FER-2013's.
TINY: Final = 32

#: Widths of the two blurs, as shares of the side: 1.5 and 4 pixels of 80.
_FINE, _COARSE = 1.5 / 80, 4 / 80
#: Left out at every edge, as a share of the side: a frame repeats pixels there.
_EDGE: Final = 0.1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CropMeasures:
    """Measures of n crops.

    Attributes:
        spread: float32 array of shape (n,): standard deviation of the brightness,
            in [0, 127.5].
        sharpness: float32 array of shape (n,): fine detail over coarse detail, in
            [0, inf); 0 for a blank crop. Light and contrast do not change it.
    """

    spread: Floats
    sharpness: Floats

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Where there is next to nothing to see."""
        return np.asarray(self.spread < BLANK)

    @property
    def blurred(self) -> NDArray[np.bool_]:
        """Where something is to be seen, and not sharply."""
        return np.asarray((self.sharpness < BLURRED) & ~self.blank)


def measure_crops(
    crops: NDArray[np.uint8],
    *,
    rows: ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CropMeasures:
    """Measure crops one by one.

    Args:
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,), which crops; None for all.
        progress: Called with (measured, all), now and then.

    Returns:
        The measures, in the order of ``rows``.
    """
    index = np.arange(len(crops)) if rows is None else np.asarray(rows, np.int64)
    out = np.zeros((len(index), 2), np.float32)
    for place, row in enumerate(index):
        out[place] = _measure(crops[row])
        if progress is not None and (place % 256 == 255 or place == len(index) - 1):
            progress(place + 1, len(index))
    return CropMeasures(out[:, 0], out[:, 1])


def _measure(crop: NDArray[np.uint8]) -> tuple[float, float]:
    side = len(crop)
    edge = round(_EDGE * side)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.GaussianBlur(grey, (0, 0), _FINE * side)
    coarse = cv2.GaussianBlur(grey, (0, 0), _COARSE * side)
    spread, small, large = (
        float(part[edge : side - edge, edge : side - edge].std())
        for part in (grey, grey - fine, fine - coarse)
    )
    return spread, small / large if spread >= BLANK and large > 0 else 0.0
