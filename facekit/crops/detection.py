"""What a detector finds, and the size at which it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Detection", "Detector", "View", "biggest_first"]

Box = tuple[float, float, float, float]


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
    points: NDArray[np.float64] | None = None


class Detector(Protocol):
    """Finds faces; one detector may be used from several threads.

    Attributes:
        name: "yunet", "haar" or "none"; a key of ``frame.BOX_EYES``, or "none".
        key: Changes with the detector's file, for caches.
    """

    name: str
    key: str

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Faces of a uint8 RGB picture (h, w, 3), biggest first."""
        ...


@dataclass(frozen=True)
class View:
    """A picture as a detector sees it: resized, perhaps with a margin.

    Attributes:
        image: The resized uint8 picture.
        scale: Pixels of the view for one pixel of the picture, (x, y).
        margin: Pixels of margin on every side of the view.
    """

    image: NDArray[np.uint8]
    scale: tuple[float, float]
    margin: int

    @classmethod
    def of(
        cls, image: NDArray[np.uint8], longest: int, *, smallest: int = 1, margin: float = 0.0
    ) -> View:
        """Resize so that the longer side lies in [smallest, longest].

        Args:
            image: uint8 array of shape (h, w) or (h, w, 3).
            longest: Upper bound of the longer side in pixels.
            smallest: Lower bound of the longer side in pixels.
            margin: Width of an added border of edge pixels, as a share of the
                longer side; the bounds hold without it.

        Returns:
            The View.
        """
        height, width = image.shape[:2]
        side = max(height, width)
        factor = min(max(side, smallest), longest) / side
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        if size != (width, height):
            how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
            image = cv2.resize(image, size, interpolation=how)  # type: ignore[assignment]
        edge = round(margin * max(size))
        if edge:
            image = cv2.copyMakeBorder(  # type: ignore[assignment]
                image, edge, edge, edge, edge, cv2.BORDER_REPLICATE
            )
        return cls(image, (size[0] / width, size[1] / height), edge)

    def box(self, x: float, y: float, width: float, height: float) -> Box:
        """A box of the view in pixels of the picture."""
        across, down = self.scale
        return (
            (x - self.margin) / across,
            (y - self.margin) / down,
            width / across,
            height / down,
        )

    def points(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (n, 2) of the view in pixels of the picture."""
        return (np.asarray(points, np.float64) - self.margin) / np.array(self.scale)


def biggest_first(found: list[Detection]) -> list[Detection]:
    """Sort by area of the box, largest first."""
    return sorted(found, key=lambda d: d.box[2] * d.box[3], reverse=True)
