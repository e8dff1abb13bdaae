"""Crops and matrices: from points, from boxes, refined, whole pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.frame import BOX_EYES, FaceFrame
from facekit.photos.align import align, align_faces
from facekit.photos.detection import Detection

FRAME = FaceFrame(side=80)
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    angle = np.deg2rad(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def carry(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ matrix[:, :2].T + matrix[:, 2]


def face(scale: float, degrees: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    """Five points of a typical face somewhere in a picture."""
    return carry(similarity(scale, degrees, shift), FRAME.points())


def dotted(*faces: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A grey picture with five coloured dots for each face."""
    image = np.full((480, 640, 3), 90, np.uint8)
    for points in faces:
        for point, colour in zip(points, COLOURS, strict=True):
            at = tuple(int(v) for v in np.round((point - 0.5) * 16))
            cv2.circle(image, at, 5 * 16, colour, -1, cv2.LINE_AA, shift=4)
    return image


def dots(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Centres of the five dots of a crop."""
    y, x = np.mgrid[0:80, 0:80] + 0.5
    found = []
    for colour in COLOURS:
        near = np.abs(crop.astype(int) - colour).max(-1) < 60
        found.append((x[near].mean(), y[near].mean()))
    return np.array(found)


def box_around(points: NDArray[np.float64], detector: str) -> tuple[float, float, float, float]:
    """The box that an upright face with these eyes would have."""
    line, distance = BOX_EYES[detector]
    middle = points[:2].mean(0)
    width = float(np.linalg.norm(points[1] - points[0])) / distance
    return middle[0] - width / 2, middle[1] - line * width, width, width


@pytest.mark.parametrize("degrees", [-30, 0, 12])
def test_points_land_in_their_places(degrees: float) -> None:
    points = face(2.2, degrees, (250, 160))
    found = Detection((0, 0, 1, 1), 0.9, points)
    crop, matrix = align(dotted(points), found, FRAME, detector="yunet")
    assert crop.shape == (80, 80, 3)
    assert dots(crop) == pytest.approx(FRAME.points(), abs=0.4)
    assert carry(matrix, points) == pytest.approx(FRAME.points())


@pytest.mark.parametrize("detector", BOX_EYES)
def test_a_box_alone_lands_the_eyes(detector: str) -> None:
    points = face(2.2, 0, (250, 160))
    found = Detection(box_around(points, detector), 0.9)
    crop, matrix = align(dotted(points), found, FRAME, detector=detector)
    assert dots(crop)[:2] == pytest.approx(FRAME.points()[:2], abs=0.4)
    assert carry(matrix, points)[:2] == pytest.approx(FRAME.points()[:2])


def test_refinement_turns_a_poor_box_into_the_frame() -> None:
    points = face(2.0, 14, (230, 150))
    x, y, width, height = box_around(points, "haar")
    poor = Detection((x + 0.06 * width, y - 0.08 * height, 1.2 * width, 1.2 * height), 0.9)
    picture = dotted(points)
    crop, _ = align(picture, poor, FRAME, detector="haar")
    assert np.abs(dots(crop) - FRAME.points()).max() > 4
    crop, matrix = align(picture, poor, FRAME, detector="haar", refine=lambda c: dots(c[0])[None])
    assert dots(crop) == pytest.approx(FRAME.points(), abs=0.6)
    assert carry(matrix, points) == pytest.approx(FRAME.points(), abs=0.6)


def test_only_boxes_are_refined_and_all_at_once() -> None:
    faces = [face(1.2, 0, (20, 60)), face(1.5, 0, (220, 90)), face(1.3, 0, (420, 80))]
    picture = dotted(*faces)
    found = [
        Detection(box_around(faces[0], "haar"), 0.9),
        Detection((0, 0, 1, 1), 0.9, faces[1]),
        Detection(box_around(faces[2], "haar"), 0.9),
    ]
    batches: list[int] = []

    def refine(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        batches.append(len(crops))
        return np.array([dots(crop) for crop in crops])

    crops, matrices = align_faces(picture, found, FRAME, detector="haar", refine=refine)
    assert batches == [2]
    assert crops.shape == (3, 80, 80, 3)
    for crop, matrix, points in zip(crops, matrices, faces, strict=True):
        assert dots(crop) == pytest.approx(FRAME.points(), abs=0.6)
        assert carry(matrix, points) == pytest.approx(FRAME.points(), abs=0.6)
    batches.clear()
    align_faces(picture, found[1:2], FRAME, detector="haar", refine=refine)
    assert batches == []


WRONG = {
    "one spot": np.full((5, 2), 9.0),
    "not a number": np.full((5, 2), np.nan),
    "tiny": carry(similarity(0.3, 0, (28, 28)), FRAME.points()),
    "huge": carry(similarity(3.0, 0, (-80, -80)), FRAME.points()),
    "upside down": carry(similarity(1.0, 180, (80, 80)), FRAME.points()),
    "elsewhere": FRAME.points() + 50,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_refinement_that_cannot_be_right_is_ignored(name: str) -> None:
    points = face(2.2, 0, (250, 160))
    found, picture = Detection(box_around(points, "haar"), 0.9), dotted(points)
    plain, first = align(picture, found, FRAME, detector="haar")
    crop, matrix = align(
        picture, found, FRAME, detector="haar", refine=lambda crops: WRONG[name][None]
    )
    assert np.array_equal(crop, plain)
    assert np.array_equal(matrix, first)


def test_a_whole_picture_fills_the_frame() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    found = Detection((10, 0, 80, 80), 1.0)
    crop, matrix = align(picture, found, FRAME, detector="none")
    assert np.array_equal(crop, picture[:, 10:90])
    assert matrix == pytest.approx(np.array([[1, 0, -10], [0, 1, 0]]))


def test_no_faces_give_empty_arrays() -> None:
    crops, matrices = align_faces(np.zeros((9, 9, 3), np.uint8), [], FRAME, detector="haar")
    assert crops.shape == (0, 80, 80, 3)
    assert matrices.shape == (0, 2, 3)
