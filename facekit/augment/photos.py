"""Augmented copies of a few photos, with albumentations.

A face is kept with its surroundings, so that a turned or shrunk copy shows what
was really beside it; only where the photo itself ends, the edge is continued
from the nearest pixel. Everything follows from the seed of the photo: a copy
does not change when others are added, and a larger number keeps the first ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from facekit.arrays import Floating, UInt8
from facekit.errors import UsageError
from facekit.frame import FaceFrame
from facekit.recipe.enroll import PhotoAugmentSpec

#: Ranges of the augmentations that the recipe switches on and off by their
#: share: what a phone, a window and a bad connection do to a face of 80 px.
_BRIGHTNESS: Final = 0.25  # of the range
_CONTRAST: Final = 0.25
_GAMMA: Final = (70, 140)  # per cent
_HUE: Final = 6  # of 180
_SATURATION: Final = 40  # of 255
_NOISE: Final = (0.01, 0.04)  # standard deviation, of the range
_BLUR: Final = (0.4, 1.2)  # pixels at a side of 80
_DOWN: Final = (0.35, 0.8)  # of the side
#: White between the pictures of a contact sheet, in pixels.
_GAP: Final = 2


def wide_crop(rgb: UInt8, matrix: Floating, frame: FaceFrame) -> UInt8:
    """A face with its surroundings: the face frame lies in the middle.

    Twice the frame's side at the frame's own scale, so that pixels
    ``side // 2 : side // 2 + side`` of both axes are the crop itself.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).
        matrix: float array of shape (2, 3), the photo's pixels to the frame's.
        frame: The face frame.

    Returns:
        uint8 RGB array of shape (2 * side, 2 * side, 3).
    """
    moved = np.array(matrix, np.float64)
    moved[:, 2] += frame.side // 2
    return replace(frame, side=2 * frame.side).warp(rgb, moved)


def augment_photos(
    wide: Sequence[UInt8],
    spec: PhotoAugmentSpec,
    *,
    frame: FaceFrame,
    copies: int,
    seeds: Sequence[int],
) -> UInt8:
    """Augmented copies of photos, all copies of the first one first.

    Args:
        wide: n results of ``wide_crop``.
        spec: Which augmentations, how often and how strong.
        frame: The face frame.
        copies: Of each photo, in [0, inf).
        seeds: n numbers in [0, inf); the same number gives the same copies.

    Returns:
        uint8 RGB array of shape (n * copies, side, side, 3).

    Raises:
        UsageError: The pictures or their number do not fit.
    """
    side = frame.side
    if len(seeds) != len(wide) or copies < 0:
        raise UsageError(f"{len(wide)} photos, {len(seeds)} seeds, {copies} copies do not fit")
    if any(one.dtype != np.uint8 or one.shape != (2 * side, 2 * side, 3) for one in wide):
        raise UsageError(f"needed are uint8 pictures of shape ({2 * side}, {2 * side}, 3)")
    out = np.empty((len(wide) * copies, side, side, 3), np.uint8)
    if not len(out):
        return out
    chain = _chain(spec, side)
    for i, (picture, seed) in enumerate(zip(wide, seeds, strict=True)):
        chain.set_random_seed(int(seed) % 2**32)
        for j in range(copies):
            out[i * copies + j] = chain(image=picture)["image"]
    return out


def _chain(spec: PhotoAugmentSpec, side: int) -> Any:
    """Mirror and geometry on the wide picture, the cut, then light and damage."""
    # It asks a server for its newest version on import unless told not to.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as alb  # late: half a second

    warp = {"interpolation": cv2.INTER_CUBIC, "border_mode": cv2.BORDER_REPLICATE, "p": 1.0}
    shift = spec.shift / 2  # its share is one of the wide picture
    stretch = _around(spec.stretch)
    pixel = side / 80
    area = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
    return alb.Compose(
        [
            alb.HorizontalFlip(p=spec.mirror),
            alb.Affine(
                scale=_around(spec.zoom),
                keep_ratio=True,
                rotate=(-spec.rotation, spec.rotation),
                translate_percent=(-shift, shift),
                **warp,
            ),
            alb.Affine(scale={"x": stretch, "y": stretch}, **warp),
            alb.CenterCrop(side, side),
            alb.RandomBrightnessContrast(_BRIGHTNESS, _CONTRAST, p=spec.light),
            alb.RandomGamma(_GAMMA, p=spec.light),
            alb.HueSaturationValue(_HUE, _SATURATION, 0, p=spec.colour),
            alb.GaussianBlur(0, (_BLUR[0] * pixel, _BLUR[1] * pixel), p=spec.blur),
            alb.Downscale(_DOWN, area, p=spec.low_resolution),
            alb.GaussNoise(_NOISE, p=spec.noise),
        ]
    )


def _around(amount: float) -> tuple[float, float]:
    """Factors from a little smaller to a little larger."""
    return 1 / (1 + amount), 1 + amount


def contact_sheet(rows: Sequence[UInt8]) -> UInt8:
    """One picture of many: a row of pictures for each photo, on white.

    Args:
        rows: For each photo a uint8 RGB array of shape (m, side, side, 3); m may
            differ, side may not.

    Returns:
        uint8 RGB array of shape (height, width, 3).

    Raises:
        UsageError: There is nothing to show, or the sides differ.
    """
    sides = {row.shape[1:] for row in rows if len(row)}
    if len(sides) != 1:
        raise UsageError(f"a contact sheet shows pictures of one size, not {sorted(sides)}")
    step = next(iter(sides))[0] + _GAP
    most = max(len(row) for row in rows)
    sheet = np.full((len(rows) * step + _GAP, most * step + _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = i * step + _GAP, j * step + _GAP
            sheet[y : y + len(picture), x : x + len(picture)] = picture
    return sheet
