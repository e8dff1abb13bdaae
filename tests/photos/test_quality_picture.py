"""Blank and blurred crops are told from sharp ones, whatever the light."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_face, make_person
from facekit.frame import FaceFrame
from facekit.photos.quality import measure_crops


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    image, _, _ = draw_face(make_person(1, 4), "happy", np.random.default_rng(0))
    frame = FaceFrame()
    return frame.warp(image, frame.matrix_from_aligned("celeba", image.shape[1], image.shape[0]))


def test_a_face_is_neither_blank_nor_blurred(face: np.ndarray) -> None:
    measures = measure_crops(face[None])
    assert measures.spread[0] > 15 and measures.sharpness[0] > 0.6
    assert not measures.blank[0] and not measures.blurred[0]


@pytest.mark.parametrize("side", [40, 80, 160])
def test_blur_shows_at_every_side(face: np.ndarray, side: int) -> None:
    whole = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(whole, (0, 0), 0.04 * side)
    measures = measure_crops(np.stack([whole, blurred]))
    assert measures.blurred.tolist() == [False, True]
    assert not measures.blank.any()


def test_light_and_contrast_do_not_count_as_blur(face: np.ndarray) -> None:
    dim = (face * 0.5 + 20).astype(np.uint8)
    sharp = measure_crops(np.stack([face, dim])).sharpness
    assert sharp[1] == pytest.approx(sharp[0], rel=0.05)


def test_blank_crops_are_blank_and_not_blurred() -> None:
    rng = np.random.default_rng(0)
    crops = np.stack(
        [
            np.zeros((80, 80, 3), np.uint8),
            np.full((80, 80, 3), 128, np.uint8),
            rng.normal(90, 3, (80, 80, 3)).astype(np.uint8),
        ]
    )
    measures = measure_crops(crops)
    assert measures.blank.all() and not measures.blurred.any()
    assert (measures.sharpness == 0).all()


def test_rows_are_measured_in_their_order(face: np.ndarray) -> None:
    crops = np.stack([face, np.zeros_like(face)])
    seen: list[tuple[int, int]] = []
    measures = measure_crops(crops, rows=[1, 0, 1], progress=lambda d, n: seen.append((d, n)))
    assert measures.blank.tolist() == [True, False, True]
    assert seen == [(3, 3)]
