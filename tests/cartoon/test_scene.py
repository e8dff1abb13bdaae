"""Scenes: boxes and points are true, and a Haar cascade finds the faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_scene, make_person
from facekit.errors import UsageError
from facekit.labels import ATTRIBUTES


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_points_lie_in_boxes_and_boxes_in_the_picture(count: int) -> None:
    people = [make_person(0, i) for i in range(count)]
    scene = draw_scene(people, rng(count), (320, 240))
    assert scene.image.shape == (240, 320, 3)
    assert scene.image.dtype == np.uint8
    assert scene.boxes.shape == (count, 4)
    assert scene.points.shape == (count, 5, 2)
    assert len(scene.expressions) == len(scene.attributes) == count
    assert all(tuple(truth) == ATTRIBUTES for truth in scene.attributes)
    low, high = scene.boxes[:, None, :2], scene.boxes[:, None, :2] + scene.boxes[:, None, 2:]
    assert ((scene.points > low) & (scene.points < high)).all()
    assert (scene.boxes[:, :2] > 0).all()
    assert (scene.boxes[:, :2] + scene.boxes[:, 2:] < (320, 240)).all()


def test_faces_do_not_cover_one_another() -> None:
    for count in (2, 4, 6):
        boxes = draw_scene([make_person(1, i) for i in range(count)], rng(count)).boxes
        for i, (x, y, w, h) in enumerate(boxes):
            for x2, y2, w2, h2 in boxes[i + 1 :]:
                wide = min(x + w, x2 + w2) - max(x, x2)
                high = min(y + h, y2 + h2) - max(y, y2)
                assert wide <= 0 or high <= 0


def test_same_seed_same_scene() -> None:
    people = [make_person(0, i) for i in range(2)]
    one, two = draw_scene(people, rng(1), (160, 120)), draw_scene(people, rng(1), (160, 120))
    assert (one.image == two.image).all()
    assert (one.image != draw_scene(people, rng(2), (160, 120)).image).any()


def test_expressions_can_be_asked_for() -> None:
    people = [make_person(0, i) for i in range(2)]
    scene = draw_scene(people, rng(1), (160, 120), expressions=["happy", "sad"])
    assert scene.expressions == ("happy", "sad")
    assert [truth["Smiling"] for truth in scene.attributes] == [True, False]


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="at least 64x64"):
        draw_scene([], rng(0), (640, 20))
    with pytest.raises(UsageError, match="1 expressions for 2 people"):
        draw_scene([make_person(0, 0)] * 2, rng(0), expressions=["happy"])


def test_haar_finds_most_faces() -> None:
    """The demo predicts on scenes with the cascade that ships with OpenCV."""
    path = f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml"
    cascade = cv2.CascadeClassifier(path)
    total = found = extra = 0
    for number in range(12):
        people = [make_person(5, 4 * number + k) for k in range(1 + number % 4)]
        scene = draw_scene(people, rng(number))
        gray = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
        boxes = np.array(cascade.detectMultiScale(gray, 1.1, 4, minSize=(40, 40))).reshape(-1, 4)
        centers = boxes[:, :2] + boxes[:, 2:] / 2
        truth = scene.boxes[:, :2] + scene.boxes[:, 2:] / 2
        gap = np.linalg.norm(centers[:, None] - truth[None], axis=2) / scene.boxes[:, 2]
        near = gap < 0.35
        total += len(people)
        found += int(near.any(0).sum())
        extra += int((~near.any(1)).sum())
    assert total == 30
    assert found >= 0.8 * total
    assert extra <= 0.2 * total
