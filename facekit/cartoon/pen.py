"""Pen: anti-aliased shapes in face units on a canvas of pixels.

Face units: the origin lies between the eyes, the eyes are 1 apart, x to the
right and y down. A pose turns the head a little (the face is a curved surface,
so features shift against the outline), then a similarity puts the eyes where
they belong on the canvas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.arrays import Float64, UInt8

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_DEPTH = 0.9  # how far the middle of the face stands out, in face units
_HALF_WIDTH = 1.35  # where that surface meets the plane of the ears


@dataclass(frozen=True)
class Pose:
    """Turn of the head in radians; roll is part of where the eyes are put."""

    yaw: float = 0.0
    pitch: float = 0.0


class Pen:
    """Draws in face units on an RGB canvas, in place.

    Args:
        canvas: uint8 RGB array of shape (height, width, 3).
        eyes: float array of shape (2, 2), where the right and the left eye (left
            and right in the picture) go, in pixels of the canvas.
        pose: Turn of the head.
    """

    def __init__(self, canvas: UInt8, eyes: ArrayLike, pose: Pose) -> None:
        self.canvas = canvas
        self._corner = np.zeros(2)  # of the canvas, while only a part of it is drawn on
        right, left = np.asarray(eyes, np.float64)
        across, down = (left - right) / np.cos(pose.yaw)
        matrix = np.array([[across, down], [-down, across]])
        # Where x and y, depth, and the point between the eyes go.
        self._across = np.diag(np.cos([pose.yaw, pose.pitch])) @ matrix
        self._depth = np.sin([pose.yaw, pose.pitch]) @ matrix
        self._middle = (right + left) / 2 - _surface(np.array([0.5])) * self._depth
        self.unit = float(np.hypot(across, down))  #: pixels for 1 face unit

    def place(self, points: ArrayLike, lift: float = 0.0, flat: float | None = None) -> Float64:
        """Face units to canvas pixels.

        Args:
            points: float array of shape (n, 2).
            lift: Height over the surface of the face (noses, glasses).
            flat: Constant depth instead of the surface (hair, ears, body).

        Returns:
            float64 array of shape (n, 2).
        """
        xy = np.asarray(points, np.float64)
        placed: Float64 = xy @ self._across
        if flat is None:
            placed += _surface(xy[:, :1]) * self._depth
            flat = 0.0
        placed += self._middle + (flat + lift) * self._depth
        return placed

    def fill(
        self, points: ArrayLike, color: Color, *, lift: float = 0.0, flat: float | None = None
    ) -> None:
        """Fill a polygon of shape (n, 2) with a color (RGB, 0 to 255)."""
        spots = _fixed(self.place(points, lift, flat) - self._corner)
        cv2.fillPoly(self.canvas, [spots], color, cv2.LINE_AA, _SHIFT)

    def line(
        self,
        points: ArrayLike,
        color: Color,
        width: float,
        *,
        closed: bool = False,
        lift: float = 0.0,
        flat: float | None = None,
    ) -> None:
        """Draw a line through points of shape (n, 2); the width in face units."""
        spots = _fixed(self.place(points, lift, flat) - self._corner)
        thick = max(1, round(width * self.unit))
        cv2.polylines(self.canvas, [spots], closed, color, thick, cv2.LINE_AA, _SHIFT)

    def soft(
        self,
        points: ArrayLike,
        color: Color,
        alpha: float,
        blur: float,
        *,
        flat: float | None = None,
    ) -> None:
        """Blend a polygon with a soft edge.

        Args:
            points: float array of shape (n, 2).
            color: RGB, 0 to 255.
            alpha: Opacity in the middle, 0 to 1.
            blur: Standard deviation of the edge in face units.
            flat: As in ``place``.
        """
        spots = self.place(points, flat=flat) - self._corner
        sigma = blur * self.unit
        step = max(1, int(sigma / 1.5))  # a blurred shape needs few pixels
        box = self._box(spots, margin=3 * sigma + 1)
        if box is None:
            return
        left, top, right, bottom = box
        size = (-(-(right - left) // step), -(-(bottom - top) // step))
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [_fixed((spots - (left, top)) / step)], 255, cv2.LINE_AA, _SHIFT)
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.3, sigma / step))  # type: ignore[assignment]
        if step > 1:
            full = cv2.resize(mask, (size[0] * step, size[1] * step))
            mask = full[: bottom - top, : right - left]  # type: ignore[assignment]
        area = self.canvas[top:bottom, left:right]
        over = np.empty_like(area)
        over[:] = np.array(color).round()
        _blend(area, over, mask, alpha)

    @contextmanager
    def inside(
        self, points: ArrayLike, *, lift: float = 0.0, flat: float | None = None
    ) -> Iterator[None]:
        """Keep what is drawn within the block to the inside of a polygon."""
        spots = self.place(points, lift, flat) - self._corner
        box = self._box(spots, margin=2)
        if box is None:  # nothing of it is on the canvas
            box = (0, 0, 1, 1)
        left, top, right, bottom = box
        whole, corner = self.canvas, self._corner
        area = whole[top:bottom, left:right]
        self.canvas, self._corner = area.copy(), corner + (left, top)
        yield
        mask = np.zeros(area.shape[:2], np.uint8)
        cv2.fillPoly(mask, [_fixed(spots - (left, top))], 255, cv2.LINE_AA, _SHIFT)
        _blend(area, self.canvas, mask, 1.0)
        self.canvas, self._corner = whole, corner

    def _box(self, spots: Float64, margin: float) -> tuple[int, int, int, int] | None:
        """Pixels around the points that lie on the canvas."""
        height, width = self.canvas.shape[:2]
        low = np.floor(spots.min(0) - margin).astype(int)
        high = np.ceil(spots.max(0) + margin).astype(int) + 1
        left, top = max(0, int(low[0])), max(0, int(low[1]))
        right, bottom = min(width, int(high[0])), min(height, int(high[1]))
        return (left, top, right, bottom) if right > left and bottom > top else None


def _surface(x: Float64) -> Float64:
    """Depth of the face over the plane of the ears."""
    return _DEPTH * np.sqrt(np.maximum(1 - (x / _HALF_WIDTH) ** 2, 0))


def _blend(area: UInt8, over: UInt8, mask: UInt8, alpha: float) -> None:
    """Lay one picture over another, in place, where the mask says so."""
    weight = mask * np.float32(alpha / 255)
    area[:] = cv2.blendLinear(area, over, 1 - weight, weight)


def _fixed(points: Float64) -> NDArray[np.int32]:
    # A pixel's centre is its whole coordinate in OpenCV and half a pixel further
    # in this package (frame.py).
    return np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


# Shapes: smooth outlines in face units.


def curve(points: ArrayLike, *, closed: bool = False, steps: int = 5) -> Float64:
    """Smooth (Catmull-Rom) curve through points of shape (n, 2)."""
    p = np.asarray(points, np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    q = np.concatenate([ends[0], p, ends[1]])
    out = (_weights(steps) @ q[_neighbours(len(q) - 3)]).reshape(-1, 2)
    return out if closed else np.concatenate([out, p[-1:]])


@cache
def _neighbours(segments: int) -> NDArray[np.intp]:
    return np.arange(segments)[:, None] + np.arange(4)


@cache
def _weights(steps: int) -> Float64:
    """Catmull-Rom weights of four neighbours at the steps of one segment."""
    t = np.arange(steps)[:, None] / steps
    return 0.5 * np.hstack(
        [((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t]
    )


def arc(
    center: Sequence[float],
    radii: Sequence[float],
    start: float = 0,
    end: float = 360,
    steps: int = 24,
) -> Float64:
    """Part of an ellipse; degrees run clockwise from the right."""
    return _circle(start, end, steps) * radii + center


@cache
def _circle(start: float, end: float, steps: int) -> Float64:
    t = np.radians(np.linspace(start, end, steps))
    return np.column_stack([np.cos(t), np.sin(t)])


def mirrored(half: ArrayLike) -> Float64:
    """Close an outline: its right half, top to bottom, then the same on the left."""
    right = np.asarray(half, np.float64)
    left = right[::-1] * (-1.0, 1.0)
    keep = np.abs(left[:, 0]) > 1e-9  # points on the axis are there already
    return np.concatenate([right, left[keep]])


def wavy(points: ArrayLike, depth: float, length: float, phase: float = 0.0) -> Float64:
    """Push a line in and out along its normals, in waves of the given length."""
    p = np.asarray(points, np.float64)
    if depth == 0:
        return p
    step = np.gradient(p, axis=0)
    norm = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    way = np.concatenate([[0.0], np.cumsum(norm)[:-1]])
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / norm[:, None]
    return p + normal * (depth * np.sin(2 * np.pi * way / length + phase))[:, None]


# Colors: RGB, 0 to 255, mixed and shaded.

Color = tuple[float, float, float]


def mix(one: Color, other: Color, share: float) -> Color:
    """Blend two colors; share 0 is the first, 1 the second."""
    a, b, c = (x + (y - x) * share for x, y in zip(one, other, strict=True))
    return a, b, c


def shade(color: Color, factor: float) -> Color:
    """Darker (below 1) or lighter (above 1, half way to white at 1.5)."""
    if factor > 1:
        return mix(color, (255.0, 255.0, 255.0), factor - 1)
    a, b, c = (channel * factor for channel in color)
    return a, b, c
