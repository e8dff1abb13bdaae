"""Views: where things of a resized, bordered picture lie in the picture itself."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.photos.detection import THINNEST, Detection, View, biggest_first


def blank(width: int, height: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("size", "margin"), [((1280, 960), 0.0), ((900, 1200), 0.25), ((50, 40), 0.5), ((3000, 90), 0)]
)
def test_boxes_and_points_come_back(size: tuple[int, int], margin: float) -> None:
    image = blank(*size)
    x, y = size[0] * 3 // 4, size[1] // 3
    image[y : y + size[1] // 4, x : x + size[0] // 8] = 255
    view = View.of(image, 640, smallest=160, margin=margin)
    rows, columns = np.nonzero(view.image[..., 0] > 127)
    seen = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
    pixel = max(1 / scale for scale in view.scale)
    expected = (x, y, size[0] // 8, size[1] // 4)
    assert view.box(*map(float, seen)) == pytest.approx(expected, abs=1.1 * pixel)
    corner = view.points(np.array([[seen[0], seen[1]]], np.float32))
    assert corner == pytest.approx(np.array([[x, y]]), abs=1.1 * pixel)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((640, 480), (480, 640)),  # as it is
        ((4000, 3000), (480, 640)),
        ((3000, 4000), (640, 480)),
        ((5000, 5000), (554, 554)),  # as many pixels as 640 x 480
        ((20_000, 300), (68, 4525)),  # a panorama keeps faces that can be seen
        ((48, 48), (160, 160)),
        ((1, 1), (160, 160)),
    ],
)
def test_the_number_of_pixels_is_bounded(size: tuple[int, int], shape: tuple[int, int]) -> None:
    assert View.of(blank(*size), 640, smallest=160).image.shape[:2] == shape


@pytest.mark.parametrize("size", [(2000, 3), (3, 2000), (300, 2), (160, 63)])
def test_no_view_is_too_thin_for_the_network(size: tuple[int, int]) -> None:
    image = View.of(blank(*size), 640, smallest=160).image
    assert min(image.shape[:2]) >= THINNEST


def test_pictures_too_thin_for_a_face_are_known() -> None:
    assert View.of(blank(2000, 7), 640).empty
    assert not View.of(blank(2000, 9), 640).empty
    assert not View.of(blank(8, 8), 640, smallest=160).empty


def test_only_boxes_in_the_picture_are_shown() -> None:
    view = View.of(blank(100, 50), 640, smallest=160, margin=0.25)
    assert view.shows((-30, -20, 80, 60))  # reaches over the edge, centred inside
    assert view.shows((60, 10, 40, 40))
    for box in ((-30, 0, 40, 40), (90, 0, 40, 40), (30, -40, 40, 40), (30, 40, 40, 40)):
        assert not view.shows(box)


def test_the_biggest_face_is_first() -> None:
    boxes = [(0, 0, 5, 5), (9, 9, 8, 8), (3, 3, 9, 2)]
    found = biggest_first([Detection(box, 0.9) for box in boxes])
    assert [each.box for each in found] == [boxes[1], boxes[0], boxes[2]]
