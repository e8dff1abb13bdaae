"""The face frame: the one square crop that every face is brought into.

Float64 are float64 pixels (x, y), x to the right and y down, in YuNet's order:
the person's right eye (left in the picture), left eye, nose tip, right mouth
corner, left mouth corner.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np

from facekit.arrays import Float64, UInt8

#: Eye centres (right, left) of sources that come already cropped, as shares of
#: width and height: medians of YuNet's points on 400 random images of CelebA and
#: of FER-2013, and on all of CK+.
#: `python -m benchmarks frame` shows where they land in the frame.
ALIGNED_EYES: Final[dict[str, tuple[tuple[float, float], tuple[float, float]]]] = {
    "celeba": ((69.1 / 178, 112.3 / 218), (108.9 / 178, 112.7 / 218)),
    "fer": ((14.6 / 48, 18.8 / 48), (32.9 / 48, 19.0 / 48)),
    "ckplus": ((13.8 / 48, 19.9 / 48), (32.5 / 48, 19.6 / 48)),
}

#: Where eyes lie inside a detector's box, as shares of its width and height:
#: (eye line from the top, distance between the eyes). YuNet's box is taller
#: than wide; the distance is a share of the width. Medians against YuNet's
#: points on CelebA, LFW and unaligned photos, the three averaged with equal
#: weight (`python -m benchmarks detectors` prints them again).
BOX_EYES: Final[dict[str, tuple[float, float]]] = {"yunet": (0.381, 0.463), "haar": (0.389, 0.387)}

#: Pixels that the corners of a crop may lie from the image's own.
_SAME: Final = 1.0

#: Nose tip and mouth corners relative to the middle of the eyes, in units of
#: the eye distance: medians of YuNet's points on 400 CelebA images.
_BELOW_EYES: Final[tuple[tuple[float, float], ...]] = (
    (0.0, 0.560),
    (-0.420, 0.983),
    (0.420, 0.983),
)


@dataclass(frozen=True)
class FaceFrame:
    """Geometry of the crop that a backbone reads.

    Attributes:
        side: Height and width of the crop in pixels.
        eye_y: Height of the eye line from the top, as a share of the side.
        eye_distance: Distance between the eye centres, as a share of the side.
    """

    side: int = 80
    eye_y: float = 0.45
    eye_distance: float = 0.33

    @property
    def key(self) -> str:
        """Short hash that changes with any part of the geometry."""
        text = repr(sorted(asdict(self).items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def points(self) -> Float64:
        """Where the five points of a typical face lie.

        Returns:
            float64 array of shape (5, 2) in pixels of the frame.
        """
        eye = self.eye_distance * self.side
        middle = np.array([self.side / 2, self.eye_y * self.side])
        offsets = np.array([(-0.5, 0.0), (0.5, 0.0), *_BELOW_EYES])
        return middle + offsets * eye

    def matrix_from_points(self, points: Float64) -> Float64:
        """Least-squares similarity (rotation, one scale, shift) into the frame.

        Args:
            points: float array of shape (5, 2) in pixels of the image.

        Returns:
            float64 array of shape (2, 3) that maps image to frame pixels.
        """
        source = np.asarray(points, np.float64)
        target = self.points()
        a, b = source - source.mean(0), target - target.mean(0)
        spread = float((a**2).sum())
        if not np.isfinite(spread) or spread <= 0:
            raise ValueError("five points that fall on one spot give no transform")
        cos = float((a * b).sum()) / spread
        sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
        rotation = np.array([[cos, -sin], [sin, cos]])
        shift = target.mean(0) - rotation @ source.mean(0)
        return np.column_stack([rotation, shift])

    def matrix_from_eyes(self, right: Float64, left: Float64) -> Float64:
        """Similarity that brings the two eye centres to their places.

        Args:
            right: The person's right eye (x, y), left in the picture.
            left: The person's left eye (x, y).

        Returns:
            float64 array of shape (2, 3).
        """
        target = self.points()[:2]
        source = np.asarray([right, left], np.float64)
        d, e = source[1] - source[0], target[1] - target[0]
        norm = float(d @ d)
        if not np.isfinite(norm) or norm <= 0:
            raise ValueError("two eyes on one spot give no transform")
        cos, sin = float(d @ e) / norm, float(d[0] * e[1] - d[1] * e[0]) / norm
        rotation = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([rotation, target[0] - rotation @ source[0]])

    def matrix_from_box(self, box: tuple[float, float, float, float], detector: str) -> Float64:
        """Upright crop from a box alone, calibrated to land the eyes in place.

        Args:
            box: (x, y, width, height) in pixels.
            detector: Key of ``BOX_EYES``.

        Returns:
            float64 array of shape (2, 3).
        """
        x, y, width, height = box
        line, distance = BOX_EYES[detector]
        middle = np.array([x + width / 2, y + line * height])
        half = np.array([distance * width / 2, 0.0])
        return self.matrix_from_eyes(middle - half, middle + half)

    def matrix_from_aligned(self, source: str, width: int, height: int) -> Float64:
        """Fixed crop for a source whose images are aligned already.

        Where the crop is the image to within a pixel, it is the image itself.

        Args:
            source: Key of ``ALIGNED_EYES``.
            width: Image width in pixels.
            height: Image height in pixels.

        Returns:
            float64 array of shape (2, 3).
        """
        size = np.array([width, height])
        right, left = (np.array(eye) * size for eye in ALIGNED_EYES[source])
        matrix = self.matrix_from_eyes(right, left)
        whole = np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64)
        off = whole @ matrix[:, :2].T + matrix[:, 2] - whole
        if width == height == self.side and np.abs(off).max() < _SAME:
            return np.eye(2, 3)  # resampling would only blur
        return matrix

    def warp(self, image: UInt8, matrix: Float64) -> UInt8:
        """Crop an image into the frame; edges are filled from the nearest pixel.

        Args:
            image: uint8 RGB array of shape (height, width, 3).
            matrix: float array of shape (2, 3), image to frame pixels.

        Returns:
            uint8 RGB array of shape (side, side, 3).
        """
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        if scale > 0:
            image, matrix = _part(image, matrix, scale, self.side)
        size = (self.side, self.side)
        # Pixel centres sit at half coordinates, so shift by half a pixel each way.
        half = matrix.copy()
        half[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
        return cv2.warpAffine(  # type: ignore[return-value]
            image, half, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def _part(image: UInt8, matrix: Float64, scale: float, side: int) -> tuple[UInt8, Float64]:
    """The part of an image that the frame reads, shrunk if need be; matrix to match.

    A warp alone samples too few pixels of a much bigger face, so such a face is
    area-averaged to about 1.5 times the final density first. A cut inside the
    image lies beyond a pad that covers what averaging and interpolation read;
    where the frame leaves the image the part ends at the image's own edge,
    which is what the warp continues.
    """
    size = np.array([image.shape[1], image.shape[0]], np.float64)
    cells = np.maximum(1, np.rint(size * scale * 1.5)) if scale < 0.5 else size
    cell = size / cells  # of the whole image, so that a cut does not move the averages
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64)
    places = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T)
    pad = 2 + 2 / scale
    first = np.clip(np.floor((places.min(1) - pad) / cell), 0, cells - 1)
    last = np.clip(np.ceil((places.max(1) + pad) / cell), first + 1, cells)
    low, high = (np.floor(end * cell + 0.5).astype(int) for end in (first, last))
    part = image[low[1] : high[1], low[0] : high[0]]
    out = matrix.copy()
    out[:, 2] += matrix[:, :2] @ low
    if scale < 0.5:
        small = (last - first).astype(int)
        part = cv2.resize(part, small.tolist(), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        out[:, :2] *= (high - low) / small
    return part, out
