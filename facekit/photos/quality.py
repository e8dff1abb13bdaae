"""How good a face is for telling who it is, and what is wrong with it.

The bars were chosen where a person's own photos begin to be lost: 12 people of
LFW, ten clean photos of each enrolled, the other 155 made worse step by step and
scored at the bar that 1 % of strangers pass. Clean, 0.6 % of them are lost.

    eyes apart, pixels   16: 0.6 %   12: 1.9 %   10: 1.9 %   8: 6.5 %   6: 19 %
    blur, pixels of 80   1: 1.3 %   1.5: 2.6 %   2: 3.9 %   2.5: 14 %   3: 35 %
      its sharpness      0.43       0.34         0.29       0.26        0.24
    motion, pixels of 80 5: 0.6 % (sharpness 0.37)   9: 9 % (0.30)   13: 37 % (0.29)
    brightness           0.14: 1.3 %   0.10: 1.9 %   0.07: 7.7 %   0.05: 27 %

Turned faces were taken from CelebA (17,064 pairs of one person, the other photo
turned by less than 20 degrees): the share of pairs less alike than 1 % of the
pairs of strangers is 14 % below 10 degrees, 24 % at 35, 32 % at 52 and 46 % from
60 on. Worse photos bring strangers no nearer: of all of those above, 3.6 % or
fewer pass a bar that 3.2 % of clean ones pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Bool, Float32, Floating, UInt8
from facekit.recipe.enroll import QualitySpec

Fault = Literal["too_small", "blurred", "dark", "extreme_pose"]

#: Nose tip in front of the plane of eyes and mouth, and width of the mouth, in
#: eye distances: a rank-3 factorisation of YuNet's points on 7,158 images of
#: CelebA and their mirror images (Tomasi and Kanade, "Shape and Motion from Image
#: Streams under Orthography", 1992). Whether its degrees are right was checked by
#: eye alone.
_NOSE: Final = 0.323
_MOUTH: Final = 0.842
#: The face itself, as shares of the crop's side: rows, then columns.
_INNER: Final = (0.25, 0.85, 0.175, 0.825)
#: Widths of the two blurs, as shares of the side, and the edge left out; those
#: of ``evaluation.picture``, here along one line only.
_FINE, _COARSE, _EDGE = 1.5 / 80, 4 / 80, 0.1


@dataclass(frozen=True)
class FaceQuality:
    """Measures of one face.

    Attributes:
        eye_distance: Pixels of the photo between the eyes, of the face as it would
            be from the front, in (0, inf).
        sharpness: Fine detail over coarse detail along the worst of four
            directions, in [0, inf): motion blurs one. Sharp photos have 0.5 to 0.9.
        brightness: Mean of the face, in [0, 1].
        contrast: Standard deviation of the face's brightness, in [0, 127.5].
        turn: Degrees to the side, in [0, 180]; 0 is from the front.
    """

    eye_distance: float
    sharpness: float
    brightness: float
    contrast: float
    turn: float


@dataclass(frozen=True)
class Flaw:
    """Why a face is refused.

    Attributes:
        code: One word.
        reason: One line: what was measured, what is needed, what to do.
    """

    code: Fault
    reason: str


def measure_face(crop: UInt8, points: Floating, *, eye_distance: float) -> FaceQuality:
    """Measure one face.

    Args:
        crop: uint8 RGB array of shape (side, side, 3) in the face frame.
        points: float array of shape (5, 2) in pixels of the crop, in the order of
            ``facekit.frame``.
        eye_distance: Pixels of the photo between the eyes.

    Returns:
        The measures.
    """
    grey: Float32 = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    top, bottom, left, right = (round(share * len(crop)) for share in _INNER)
    inner = grey[top:bottom, left:right]
    return FaceQuality(
        eye_distance=float(eye_distance),
        sharpness=_sharpness(grey),
        brightness=float(inner.mean()) / 255,
        contrast=float(inner.std()),
        turn=turn_of(points),
    )


def turn_of(points: ArrayLike) -> float:
    """How far a face is turned to the side, by how far its nose is off the middle.

    Args:
        points: float array of shape (5, 2), in the order of ``facekit.frame``.

    Returns:
        Degrees in [0, 180], whichever the side; 0 where the points say nothing.
    """
    face = np.asarray(points, np.float64)
    top, low = face[:2].mean(0), face[3:].mean(0)
    length = float(np.linalg.norm(low - top))
    if not length > 0:
        return 0.0
    down = (low - top) / length
    across = np.array([down[1], -down[0]])
    width = float((face[1] - face[0] + face[4] - face[3]) @ across) / (1 + _MOUTH)
    nose = float((face[2] - top) @ across) / _NOSE
    return float(np.degrees(np.arctan2(abs(nose), width)))


def find_flaw(quality: FaceQuality, spec: QualitySpec) -> Flaw | None:
    """The first thing that is wrong with a face.

    Args:
        quality: Its measures.
        spec: The bars.

    Returns:
        What is wrong, or None for a face that can be used.
    """
    if quality.eye_distance < spec.smallest:
        return Flaw(
            "too_small",
            f"the eyes are {quality.eye_distance:.0f} pixels apart; at least "
            f"{spec.smallest:g} are needed: use a larger picture",
        )
    if quality.brightness < spec.brightness:
        return Flaw(
            "dark",
            f"the face is too dark (brightness {quality.brightness:.2f} of 1; at least "
            f"{spec.brightness:g} is needed): use a photo in better light",
        )
    if quality.contrast < BLANK:
        return Flaw(
            "dark",
            f"next to nothing can be seen of the face (its brightness varies by "
            f"{quality.contrast:.1f} of 255; at least {BLANK:g} is needed): use a photo in "
            "better light",
        )
    if quality.sharpness < spec.sharpness:
        return Flaw(
            "blurred",
            f"the face is blurred (sharpness {quality.sharpness:.2f}; at least "
            f"{spec.sharpness:g} is needed): use a sharper photo",
        )
    if quality.turn > spec.turn:
        return Flaw(
            "extreme_pose",
            f"the face is turned about {quality.turn:.0f} degrees to the side; at most "
            f"{spec.turn:g} can be used: use a photo from nearer the front",
        )
    return None


def _sharpness(grey: Float32) -> float:
    """The lowest ratio of fine to coarse detail along four directions."""
    side = len(grey)
    edge = round(_EDGE * side)
    middle = slice(edge, side - edge)
    ratios = []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        fine, coarse = (cv2.filter2D(grey, -1, _line(w * side, step)) for w in (_FINE, _COARSE))
        small = float((grey - fine)[middle, middle].std())
        large = float((fine - coarse)[middle, middle].std())
        ratios.append(small / large if large > 0 else 0.0)
    return min(ratios)


def _line(width: float, step: tuple[int, int]) -> Float32:
    """A Gaussian along one direction, as a square kernel."""
    reach = int(np.ceil(3 * width))
    places = np.arange(-reach, reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    along = places * float(np.hypot(*step))
    kernel[reach + places * step[0], reach + places * step[1]] = np.exp(
        -(along**2) / (2 * width**2)
    )
    return np.asarray(kernel / kernel.sum(), np.float32)


# Measures of a crop that show nothing of who is on it: blank, blurred, tiny.
#
# The thresholds were chosen by looking at the lowest crops of FER-2013 and CelebA:
# below a spread of 6 nothing can be seen (all black, all grey), at 9 a face is
# there; below a sharpness of 0.47 eyes and mouth run together, at 0.52 most faces
# are merely soft.

#: Standard deviation of the brightness below which a crop is blank, of 255.
BLANK: Final = 6.0
#: Sharpness below which a crop is blurred.
BLURRED: Final = 0.47
#: Shorter side in pixels below which a picture is tiny: two thirds of FER-2013's.
TINY: Final = 32

#: Widths of the two blurs, as shares of the side: 1.5 and 4 pixels of 80.
_PICTURE_FINE, _PICTURE_COARSE = 1.5 / 80, 4 / 80
#: Left out at every edge, as a share of the side: a frame repeats pixels there.
_PICTURE_EDGE: Final = 0.1


@dataclass(frozen=True)
class CropMeasures:
    """Measures of n crops.

    Attributes:
        spread: float32 array of shape (n,): standard deviation of the brightness,
            in [0, 127.5].
        sharpness: float32 array of shape (n,): fine detail over coarse detail, in
            [0, inf); 0 for a blank crop. Light and contrast do not change it.
    """

    spread: Float32
    sharpness: Float32

    @property
    def blank(self) -> Bool:
        """Where there is next to nothing to see."""
        return np.asarray(self.spread < BLANK)

    @property
    def blurred(self) -> Bool:
        """Where something is to be seen, and not sharply."""
        return np.asarray((self.sharpness < BLURRED) & ~self.blank)


def measure_crops(
    crops: UInt8,
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


def _measure(crop: UInt8) -> tuple[float, float]:
    side = len(crop)
    edge = round(_PICTURE_EDGE * side)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.GaussianBlur(grey, (0, 0), _PICTURE_FINE * side)
    coarse = cv2.GaussianBlur(grey, (0, 0), _PICTURE_COARSE * side)
    spread, small, large = (
        float(part[edge : side - edge, edge : side - edge].std())
        for part in (grey, grey - fine, fine - coarse)
    )
    return spread, small / large if spread >= BLANK and large > 0 else 0.0
