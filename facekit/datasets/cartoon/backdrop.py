"""Backdrop: what is behind the people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["paint_backdrop"]


def paint_backdrop(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Paint one of five kinds of soft background.

    Args:
        size: Width and height in pixels.
        rng: Source of what is painted.

    Returns:
        uint8 RGB array of shape (height, width, 3).
    """
    width, height = size
    tones = rng.uniform(50, 225, (2, 3))
    tones = 0.6 * tones + 0.4 * tones.mean(1, keepdims=True)  # not too colorful
    ramp = np.linspace(0, 1, 32)[:, None, None]
    small = (tones[0] + (tones[1] - tones[0]) * ramp).astype(np.uint8).repeat(32, axis=1)
    if rng.random() < 0.4:
        small = small.transpose(1, 0, 2)
    canvas = cv2.resize(np.ascontiguousarray(small), size, interpolation=cv2.INTER_LINEAR)
    kind = int(rng.integers(5))
    long = max(size)
    color = tuple(np.clip(tones.mean(0) + rng.uniform(-60, 60, 3), 0, 255).tolist())
    if kind == 1:  # lamps out of focus
        for _ in range(9):
            at = (rng.uniform(0, 1, 2) * size).astype(int).tolist()
            radius = int(rng.uniform(0.03, 0.11) * long)
            glow = tuple(np.clip(np.array(color) + rng.uniform(-30, 70, 3), 0, 255).tolist())
            cv2.circle(canvas, at, radius, glow, -1, cv2.LINE_AA)
    elif kind == 2:  # stripes
        for x in np.arange(0, width, max(6, long // 9)):
            cv2.line(canvas, (int(x), 0), (int(x + 0.2 * width), height), color, long // 40,
                     cv2.LINE_AA)  # fmt: skip
    elif kind == 3:  # a window or a picture on the wall
        low = (rng.uniform(-0.1, 0.6, 2) * size).astype(int)
        high = low + (rng.uniform(0.25, 0.5, 2) * size).astype(int)
        cv2.rectangle(canvas, low.tolist(), high.tolist(), color, -1)
        cv2.rectangle(canvas, low.tolist(), high.tolist(), (60, 48, 40), max(1, long // 90))
    elif kind == 4:  # hills
        way = np.linspace(0, 1, 24)
        ridge = 0.62 + 0.1 * np.sin(way * rng.uniform(4, 9) + rng.uniform(0, 6))
        line = np.column_stack([way, ridge]) * size
        hill = np.vstack([line, (width, height), (0, height)]).astype(np.int32)
        cv2.fillPoly(canvas, [hill], color, cv2.LINE_AA)
    return canvas  # type: ignore[return-value]
