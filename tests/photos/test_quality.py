"""Each measure follows what it is named after, and each bar refuses with its numbers."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_face, make_person
from facekit.frame import FaceFrame
from facekit.photos.quality import FaceQuality, find_flaw, measure_face, turn_of
from facekit.recipe.enroll import QualitySpec

FRAME = FaceFrame()
#: Eyes and mouth in one plane, the nose before it, in eye distances.
SHAPE = np.array(
    [(-0.5, 0, 0), (0.5, 0, 0), (0, 0.5, -0.323), (-0.421, 0.934, 0), (0.421, 0.934, 0)]
)
GOOD = FaceQuality(eye_distance=40, sharpness=0.6, brightness=0.5, contrast=40, turn=5)
SPEC = QualitySpec()


def seen(yaw: float, pitch: float = 0, roll: float = 0, size: float = 26) -> np.ndarray:
    """The five points of a head that is turned, from far away."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    side = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]])
    return (SHAPE @ (nod @ side).T)[:, :2] @ lean.T * size + 40


def face(number: int = 0) -> np.ndarray:
    image, _, _ = draw_face(make_person(3, number), "neutral", np.random.default_rng(number))
    height, width = image.shape[:2]
    return FRAME.warp(image, FRAME.matrix_from_aligned("celeba", width, height))


def measured(crop: np.ndarray) -> FaceQuality:
    return measure_face(crop, FRAME.points(), eye_distance=30)


@pytest.mark.parametrize("yaw", [0, 15, 40, 60, 80, -25, -70])
def test_a_turn_is_measured_in_degrees(yaw: float) -> None:
    assert turn_of(seen(yaw)) == pytest.approx(abs(yaw), abs=0.1)
    assert turn_of(seen(yaw, roll=30, size=90)) == pytest.approx(abs(yaw), abs=0.1)


def test_nodding_changes_a_turn_little() -> None:
    assert turn_of(seen(0, pitch=25)) == pytest.approx(0, abs=0.1)
    assert turn_of(seen(40, pitch=20)) == pytest.approx(40, abs=12)


def test_a_face_from_behind_is_turned_far_and_a_spot_not_at_all() -> None:
    assert turn_of(seen(110)) > 90
    assert turn_of(np.ones((5, 2))) == 0
    assert turn_of(FRAME.points()) == pytest.approx(0, abs=1e-6)


def test_blur_takes_sharpness_whatever_its_direction() -> None:
    crop = face()
    sharp = measured(crop).sharpness
    blurred = [measured(cv2.GaussianBlur(crop, (0, 0), s)).sharpness for s in (0.7, 1.5, 2.5)]
    assert sharp > blurred[0] > blurred[1] > blurred[2]
    assert blurred[2] < SPEC.sharpness < sharp
    for kernel in (np.eye(11), np.fliplr(np.eye(11)), np.ones((1, 11)), np.ones((11, 1))):
        moved = cv2.filter2D(crop, -1, kernel / kernel.sum())
        assert measured(moved).sharpness < 0.7 * sharp


def test_light_changes_brightness_and_not_sharpness() -> None:
    crop = face()
    half = (crop * 0.5).astype(np.uint8)
    bright, dark = measured(crop), measured(half)
    assert dark.brightness == pytest.approx(bright.brightness / 2, abs=0.01)
    assert dark.contrast == pytest.approx(bright.contrast / 2, rel=0.05)
    assert dark.sharpness == pytest.approx(bright.sharpness, rel=0.1)
    assert bright.turn < 1
    assert bright.eye_distance == 30


def test_the_measures_do_not_depend_on_the_side() -> None:
    small = measured(face())
    large = FaceFrame(side=160)
    image, _, _ = draw_face(make_person(3, 0), "neutral", np.random.default_rng(0), (356, 436))
    crop = large.warp(image, large.matrix_from_aligned("celeba", 356, 436))
    other = measure_face(crop, large.points(), eye_distance=30)
    assert other.brightness == pytest.approx(small.brightness, abs=0.03)
    assert other.sharpness == pytest.approx(small.sharpness, rel=0.3)


def test_a_blank_crop_has_no_sharpness_and_is_refused() -> None:
    for value in (0, 128, 255):
        blank = measured(np.full((80, 80, 3), value, np.uint8))
        assert blank.sharpness == pytest.approx(0, abs=1e-3)
        flaw = find_flaw(blank, SPEC)
        assert flaw is not None
        assert flaw.code == "dark"


def test_a_good_face_has_no_flaw() -> None:
    assert find_flaw(GOOD, SPEC) is None
    assert find_flaw(measured(face()), SPEC) is None


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"eye_distance": 9.2}, "too_small", ("9 pixels", "at least 12")),
        ({"brightness": 0.05}, "dark", ("0.05", "at least 0.08")),
        ({"contrast": 3.14}, "dark", ("3.1 of 255", "at least 6")),
        ({"sharpness": 0.2}, "blurred", ("0.20", "at least 0.32")),
        ({"turn": 71.6}, "extreme_pose", ("72 degrees", "at most 60")),
    ],
)
def test_a_reason_is_one_line_with_the_numbers(
    changes: dict[str, float], code: str, words: tuple[str, ...]
) -> None:
    flaw = find_flaw(replace(GOOD, **changes), SPEC)
    assert flaw is not None
    assert flaw.code == code
    assert "\n" not in flaw.reason
    for word in words:
        assert word in flaw.reason


def test_the_bars_themselves_pass_and_recipes_move_them() -> None:
    edge = replace(
        GOOD,
        eye_distance=SPEC.smallest,
        brightness=SPEC.brightness,
        sharpness=SPEC.sharpness,
        turn=SPEC.turn,
    )
    assert find_flaw(edge, SPEC) is None
    strict = QualitySpec(smallest=20)
    flaw = find_flaw(edge, strict)
    assert flaw is not None
    assert "at least 20" in flaw.reason
