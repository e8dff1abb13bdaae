"""Shapes: smooth outlines in face units."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["arc", "curve", "mirrored", "wavy"]

Points = NDArray[np.float64]


def curve(points: ArrayLike, *, closed: bool = False, steps: int = 5) -> Points:
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
def _weights(steps: int) -> Points:
    """Catmull-Rom weights of four neighbours at the steps of one segment."""
    t = np.arange(steps)[:, None] / steps
    return 0.5 * np.hstack(
        [
            ((2 - t) * t - 1) * t,
            (3 * t - 5) * t * t + 2,
            ((4 - 3 * t) * t + 1) * t,
            (t - 1) * t * t,
        ]
    )


def arc(
    center: Sequence[float],
    radii: Sequence[float],
    start: float = 0,
    end: float = 360,
    steps: int = 24,
) -> Points:
    """Part of an ellipse; degrees run clockwise from the right."""
    return _circle(start, end, steps) * radii + center


@cache
def _circle(start: float, end: float, steps: int) -> Points:
    t = np.radians(np.linspace(start, end, steps))
    return np.column_stack([np.cos(t), np.sin(t)])


def mirrored(half: ArrayLike) -> Points:
    """Close an outline: its right half, top to bottom, then the same on the left."""
    right = np.asarray(half, np.float64)
    left = right[::-1] * (-1.0, 1.0)
    keep = np.abs(left[:, 0]) > 1e-9  # points on the axis are there already
    return np.concatenate([right, left[keep]])


def wavy(points: ArrayLike, depth: float, length: float, phase: float = 0.0) -> Points:
    """Push a line in and out along its normals, in waves of the given length."""
    p = np.asarray(points, np.float64)
    if depth == 0:
        return p
    step = np.gradient(p, axis=0)
    norm = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    way = np.concatenate([[0.0], np.cumsum(norm)[:-1]])
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / norm[:, None]
    return p + normal * (depth * np.sin(2 * np.pi * way / length + phase))[:, None]
