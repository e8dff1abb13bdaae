"""Haar cascades on drawn scenes: the detector that is always there."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cartoon import Scene, draw_scene, make_person
from facekit.errors import UsageError
from facekit.photos import detectors as haar
from facekit.photos.detection import Box
from facekit.photos.detectors import Haar, Look, shipped_haar

ALT = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt.xml"


@pytest.fixture(scope="module")
def scene() -> Scene:
    people = [make_person(5, i) for i in range(3)]
    return draw_scene(people, np.random.default_rng(5), (480, 360))


@pytest.fixture(scope="module")
def detector() -> Haar:
    return shipped_haar()


def middle(box: Box) -> np.ndarray:
    return np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])


@pytest.mark.parametrize("factor", [1, 2])
def test_drawn_faces_are_found_in_pixels_of_the_picture(
    scene: Scene, detector: Haar, factor: int
) -> None:
    image = cv2.resize(scene.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    found = detector.detect(image)
    assert len(found) == 3
    assert [each.points for each in found] == [None] * 3
    assert all(0 <= each.score <= 1 and isinstance(each.score, float) for each in found)
    areas = [each.box[2] * each.box[3] for each in found]
    assert areas == sorted(areas, reverse=True)
    for points in scene.points * factor:
        eyes, distance = points[:2].mean(0), np.linalg.norm(points[1] - points[0])
        near = min(np.linalg.norm(middle(each.box) - eyes) for each in found)
        assert near < distance


def test_an_empty_scene_has_no_face(detector: Haar) -> None:
    assert detector.detect(draw_scene([], np.random.default_rng(1), (320, 240)).image) == []
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []
    assert detector.detect(np.zeros((3, 5000, 3), np.uint8)) == []


def test_a_face_that_fills_the_picture_is_found_with_a_margin(scene: Scene, detector: Haar) -> None:
    x, y, width, height = (round(v) for v in scene.boxes[2])
    close = scene.image[y : y + height, x : x + width]
    first = Haar(detector._looks[:1])
    assert first.detect(close) == []
    (found,) = detector.detect(close)
    assert np.abs(middle(found.box) - np.array([width, height]) / 2).max() < 0.25 * width


def test_later_looks_are_taken_only_when_one_finds_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [Look(ALT.read_text("utf-8"), longest, 3) for longest in (480, 400, 240)]
    detector, asked = Haar(tuple(looks)), []
    empty: list[object] = []

    def search(cascade: object, look: Look, grey: np.ndarray) -> list[object]:
        asked.append(look.longest)
        return empty if look.longest > 400 else [(np.array([5, 5, 50, 50]), 0.5)]

    monkeypatch.setattr(haar, "_search", search)
    assert len(detector.detect(scene.image)) == 1
    assert asked == [480, 400]


def test_light_weights_are_no_face_and_heavy_ones_are_certain(scene: Scene) -> None:
    text = ALT.read_text("utf-8")

    def scores(lowest: float) -> list[float]:
        look = Look(text, 480, 3, even=107.0, slope=3.0, lowest=lowest)
        return [each.score for each in Haar((look,)).detect(scene.image)]

    assert scores(1000.0) == []
    assert len(scores(0.0)) >= 3
    assert max(scores(0.0)) > 0.9


def test_an_unknown_cascade_scores_by_agreement(scene: Scene) -> None:
    found = Haar((Look(ALT.read_text("utf-8"), 480, 4),)).detect(scene.image)
    assert len(found) == 3
    assert all(4 / 9 <= each.score < 1 for each in found)


@pytest.mark.parametrize("text", ["", "no XML", "<?xml version='1.0'?><a><b>1</b></a>"])
def test_what_is_no_cascade_is_refused(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no Haar cascade"):
        Haar((Look(text, 480, 4),))
    assert capfd.readouterr().err == ""


def test_the_key_changes_with_cascade_and_looks() -> None:
    text = ALT.read_text("utf-8")
    looks = (Look(text, 480, 4), Look(text, 400, 4), Look(text + " ", 480, 4))
    assert len({Haar((look,)).key for look in looks}) == 3


def test_one_detector_serves_many_threads(scene: Scene, detector: Haar) -> None:
    alone = [each.box for each in detector.detect(scene.image)]
    together: list[list[Box]] = []

    def work() -> None:
        together.append([each.box for each in detector.detect(scene.image)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [alone] * 3
