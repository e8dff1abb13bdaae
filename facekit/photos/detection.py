"""What a detector finds, and the size at which it looks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import cv2
import numpy as np

from facekit.arrays import Float64, Floating, UInt8

Box = tuple[float, float, float, float]

#: Views have at least so many pixels on each side: on thinner ones OpenCV, which ran YuNet
#: before, read memory that nobody wrote; kept, so that answers stay what they were.
THINNEST: Final = 64


@dataclass(frozen=True)
class Detection:
    """One face.

    Attributes:
        box: (x, y, width, height) in pixels of the picture; may reach over
            its edges.
        score: The detector's certainty in [0, 1].
        points: float64 array of shape (5, 2) in pixels of the picture and in
            the order of ``facekit.frame``, or None when only a box is known.
    """

    box: Box
    score: float
    points: Float64 | None = None


def scaled(face: Detection, scale: float) -> Detection:
    """A face of a picture in pixels of the picture enlarged."""
    x, y, width, height = (value * scale for value in face.box)
    points = None if face.points is None else face.points * scale
    return Detection((x, y, width, height), face.score, points)


class Detector(Protocol):
    """Finds faces; one detector may be used from several threads.

    Attributes:
        name: "yunet", "haar" or "none"; a key of ``frame.BOX_EYES``, or "none".
        key: Changes with the detector's file, for caches.
    """

    name: str
    key: str

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces of a uint8 RGB picture (h, w, 3), biggest first."""
        ...


@dataclass(frozen=True)
class View:
    """A picture as a detector sees it: resized, perhaps with a margin.

    Attributes:
        image: The resized uint8 picture.
        scale: Pixels of the view for one pixel of the picture, (x, y).
        margin: Pixels of margin, (left and right, top and bottom).
    """

    image: UInt8
    scale: tuple[float, float] = (1.0, 1.0)
    margin: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, image: UInt8, longest: int, *, smallest: int = 1, margin: float = 0.0) -> View:
        """Resize to a bounded number of pixels, and never thinner than ``THINNEST``.

        Args:
            image: uint8 array of shape (h, w) or (h, w, 3).
            longest: The longer side of a 4:3 picture in pixels. Others get as
                many pixels, so that faces of a panorama stay visible.
            smallest: Shorter pictures are enlarged to this longer side.
            margin: Width of an added border of edge pixels, as a share of the
                shorter side.

        Returns:
            The View.
        """
        height, width = image.shape[:2]
        shrink = min(1.0, longest * np.sqrt(0.75 / (width * height)))
        factor = max(shrink, smallest / max(height, width)) if shrink == 1 else shrink
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        if size != (width, height):
            how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
            image = cv2.resize(image, size, interpolation=how)  # type: ignore[assignment]
        wide, high = (
            max(round(margin * min(size)), (THINNEST - side + 1) // 2, 0) for side in size
        )
        if wide or high:
            image = cv2.copyMakeBorder(  # type: ignore[assignment]
                image, high, high, wide, wide, cv2.BORDER_REPLICATE
            )
        return cls(image, (size[0] / width, size[1] / height), (wide, high))

    def within(self, whole: View) -> View:
        """This view of a view without a margin, as one of the picture that is shown there."""
        across, down = whole.scale
        return replace(self, scale=(self.scale[0] * across, self.scale[1] * down))

    @property
    def empty(self) -> bool:
        """Whether the picture is too thin for any face."""
        height, width = self.image.shape[:2]
        return bool(min(width - 2 * self.margin[0], height - 2 * self.margin[1]) < 8)

    def box(self, x: float, y: float, width: float, height: float) -> Box:
        """A box of the view in pixels of the picture."""
        (across, down), (left, top) = self.scale, self.margin
        return (x - left) / across, (y - top) / down, width / across, height / down

    def points(self, points: Floating) -> Float64:
        """Points (n, 2) of the view in pixels of the picture."""
        shifted: Float64 = np.asarray(points, np.float64) - self.margin
        return np.divide(shifted, self.scale)

    def shows(self, box: Box) -> bool:
        """Whether the middle of a box (in pixels of the picture) is in the picture."""
        height, width = self.image.shape[:2]
        x, y = self.margin
        middle = np.array(box[:2]) + np.array(box[2:]) / 2
        size = np.array([width - 2 * x, height - 2 * y]) / self.scale
        return bool(((middle >= 0) & (middle <= size)).all())


#: Overlap above which two boxes are one face; OpenCV's default.
OVERLAP: Final = 0.3


def shown(box: Box, faces: Sequence[Detection]) -> bool:
    """Whether a box is one of these faces, or a part of one."""
    x, y, width, height = box
    for left, top, wide, high in (face.box for face in faces):
        across = min(x + width, left + wide) - max(x, left)
        down = min(y + height, top + high) - max(y, top)
        shared = max(across, 0.0) * max(down, 0.0)
        if shared > OVERLAP * (width * height + wide * high - shared):
            return True
        if (
            abs(x + width / 2 - left - wide / 2) < wide / 2
            and abs(y + height / 2 - top - high / 2) < high / 2
        ):
            return True
    return False


def biggest_first(found: list[Detection]) -> list[Detection]:
    """Sort by area of the box, largest first."""
    return sorted(found, key=lambda d: d.box[2] * d.box[3], reverse=True)


_SILENT: Final = 0  # cv::utils::logging::LOG_LEVEL_SILENT


@functools.cache
def silence_opencv() -> None:
    """Once a process: what goes wrong is our error to report, not a log line."""
    old = getattr(cv2, "setLogLevel", None)  # OpenCV 4.12; later it moved
    set_level = old if old is not None else cv2.utils.logging.setLogLevel
    set_level(_SILENT)
