"""A scene is known again when it is resized or moved, and told from others."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_scene, make_person
from facekit.photos.likeness import COLOURS, describe_colours, describe_scene, has_colours


def scene(number: int) -> np.ndarray:
    return draw_scene([make_person(5, number)], np.random.default_rng(number)).image


def test_a_resized_photo_is_the_same_scene() -> None:
    image = scene(1)
    small = cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA)
    assert describe_scene(image) @ describe_scene(small) == pytest.approx(1, abs=1e-3)
    assert describe_colours(image) @ describe_colours(small) > 0.95


def test_colours_are_shares_and_do_not_care_where_they_are() -> None:
    image = scene(2)
    found = describe_colours(image)
    assert found.shape == (COLOURS,)
    assert float((found**2).sum()) == pytest.approx(1, abs=1e-5)
    turned = describe_colours(np.ascontiguousarray(image[::-1, ::-1]))
    assert found @ turned > 0.98
    assert abs(float(describe_scene(image) @ describe_scene(image[::-1, ::-1].copy()))) < 0.95


def test_other_scenes_differ() -> None:
    first = [scene(number) for number in range(8)]
    colours = np.stack([describe_colours(one) for one in first])
    alike = (colours @ colours.T)[~np.eye(8, dtype=bool)]
    assert (alike >= 0).all()
    assert np.median(alike) < 0.8
    red = np.full((50, 50, 3), (200, 20, 20), np.uint8)
    blue = np.full((50, 50, 3), (20, 20, 200), np.uint8)
    assert describe_colours(red) @ describe_colours(blue) == pytest.approx(0, abs=1e-6)


def test_a_blank_photo_has_no_shape() -> None:
    assert not describe_scene(np.full((30, 40, 3), 7, np.uint8)).any()


def test_grey_sepia_and_tinted_prints_have_no_colours_of_their_own() -> None:
    rng = np.random.default_rng(4)
    photo = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (90, 90))
    assert has_colours(photo)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[:, :, None].astype(np.float32) / 255
    for white in ((255, 255, 255), (245, 210, 170), (180, 200, 250)):
        print_ = (grey * np.array(white)).astype(np.uint8)
        worn = cv2.imdecode(cv2.imencode(".jpg", print_, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 1)
        assert not has_colours(print_)
        assert not has_colours(np.ascontiguousarray(worn))
    assert not has_colours(np.full((9, 9, 3), 128, np.uint8))
