"""YuNet: three looks, coordinates brought back, garbage left out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.cartoon import draw_scene, make_person
from facekit.errors import UsageError
from facekit.photos import detectors
from facekit.photos.detect import YUNET_FILE
from facekit.photos.detectors import SCORE, YuNet

Rows = NDArray[np.float32]
Answer = Callable[[tuple[int, int]], Rows | None]


def face(x: float, y: float, width: float, height: float, score: float = 0.9) -> Rows:
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    flat = [value for a, b in points for value in (x + a * width, y + b * height)]
    return np.array([[x, y, width, height, *flat, score]], np.float32)


class Network:
    """Stands in for YuNet's network; remembers the sizes that it was shown."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.sizes = answer, []

    def rows(self, rgb: NDArray[np.uint8]) -> Rows:
        self.sizes.append((rgb.shape[1], rgb.shape[0]))
        found = self.answer(self.sizes[-1])
        return np.zeros((0, 15), np.float32) if found is None else found


@pytest.fixture
def yunet(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], tuple[YuNet, Network]]:
    def make(answer: Answer) -> tuple[YuNet, Network]:
        network = Network(answer)
        monkeypatch.setattr(detectors, "YuNetNetwork", lambda *_, **__: network)
        detector = YuNet(b"weights")
        network.sizes.clear()
        return detector, network

    return make


def test_boxes_and_points_are_in_pixels_of_the_picture(yunet) -> None:
    def answer(size: tuple[int, int]) -> Rows | None:
        return face(10, 20, 30, 40, 0.75) if size == (640, 480) else None

    detector, network = yunet(answer)
    (found,) = detector.detect(np.zeros((960, 1280, 3), np.uint8))
    assert network.sizes == [(640, 480), (220, 180), (1280, 960)]  # 160 x 120, 30 px around
    assert found.box == pytest.approx((20, 40, 60, 80))
    assert found.score == pytest.approx(0.75)
    assert isinstance(found.score, float)
    assert found.points.shape == (5, 2)
    assert found.points.dtype == np.float64
    assert found.points[0] == pytest.approx((20 + 0.3 * 60, 40 + 0.4 * 80))


def test_a_face_that_fills_the_picture_is_found_with_a_margin(yunet) -> None:
    def answer(size: tuple[int, int]) -> Rows | None:
        return face(30, 30, 120, 120) if size == (209, 209) else None

    detector, network = yunet(answer)
    (found,) = detector.detect(np.zeros((554, 554, 3), np.uint8))
    assert network.sizes == [(554, 554), (209, 209)]  # 139 px and a quarter on each side
    scale = 554 / 139
    assert found.box == pytest.approx([-5 * scale, -5 * scale, 120 * scale, 120 * scale])


def test_every_look_counts_and_a_face_counts_once(yunet) -> None:
    """A big face in front hides no small ones, and more pixels never find fewer."""
    big, small, nose = face(100, 100, 200, 200), face(1000, 300, 20, 20), face(480, 480, 50, 50)
    answers = {
        (640, 480): big,
        (1600, 1200): np.concatenate([face(250, 250, 500, 500), nose, small]),
        (1280, 960): face(800, 240, 16, 16),
    }
    detector, _ = yunet(answers.get)
    few = detector.detect(np.zeros((960, 1280, 3), np.uint8))
    many = detector.detect(np.zeros((1200, 1600, 3), np.uint8))
    assert [each.box for each in few] == [(200, 200, 400, 400), (800, 240, 16, 16)]
    assert [each.box for each in many] == [(250, 250, 500, 500), (1000, 300, 20, 20)]


def test_a_doubtful_small_face_is_left_out(yunet) -> None:
    for score, many in ((0.72, 0), (0.76, 1)):
        detector, _ = yunet({(1600, 1200): face(1000, 300, 20, 20, score)}.get)
        assert len(detector.detect(np.zeros((1200, 1600, 3), np.uint8))) == many


def test_a_small_face_found_first_hides_no_big_one(yunet) -> None:
    answers = {(640, 480): face(600, 10, 30, 30), (220, 180): face(40, 40, 100, 110)}
    detector, _ = yunet(answers.get)
    assert len(detector.detect(np.zeros((480, 640, 3), np.uint8))) == 2


def test_small_faces_get_a_third_look_where_there_is_more_to_see(yunet) -> None:
    detector, network = yunet(lambda size: face(5, 5, 9, 9) if max(size) > 1000 else None)
    assert len(detector.detect(np.zeros((1500, 2000, 3), np.uint8))) == 1
    assert network.sizes[-1] == (1600, 1200)
    network.sizes.clear()
    assert detector.detect(np.zeros((480, 640, 3), np.uint8)) == []
    assert len(network.sizes) == 2


def test_a_large_picture_is_shrunk_once_for_all_looks(yunet, monkeypatch) -> None:
    taken, resize = [], cv2.resize

    def counted(image: NDArray[np.uint8], *args: object, **named: object) -> NDArray[np.uint8]:
        taken.append(image.shape[1])
        return resize(image, *args, **named)

    monkeypatch.setattr(cv2, "resize", counted)
    detector, network = yunet({(640, 480): face(10, 20, 30, 40)}.get)
    (found,) = detector.detect(np.zeros((2400, 3200, 3), np.uint8))
    assert taken == [3200, 1600, 1600]
    assert network.sizes == [(640, 480), (220, 180), (1600, 1200)]
    assert found.box == pytest.approx((50, 100, 150, 200))
    taken.clear()
    detector.detect(np.zeros((30, 90_000, 3), np.uint8))  # padded: its views are its own
    assert set(taken) == {90_000}


def test_small_pictures_are_enlarged(yunet) -> None:
    detector, network = yunet({(160, 160): face(40, 40, 80, 80)}.get)
    (found,) = detector.detect(np.zeros((48, 48, 3), np.uint8))
    assert network.sizes == [(160, 160), (240, 240)]
    assert found.box == pytest.approx((12, 12, 24, 24))


def test_what_cannot_be_a_face_is_left_out(yunet) -> None:
    good = face(100, 100, 50, 60)
    bad = [face(100, 100, 0, 60), face(-5000, -2000, 4, 4), face(0, -1e36, 10, 1e36)]
    rows = np.concatenate([*bad, good, face(10, 10, 60, 90)])
    detector, _ = yunet({(640, 480): rows}.get)
    found = detector.detect(np.zeros((480, 640, 3), np.uint8))
    assert [each.box for each in found] == [(10, 10, 60, 90), (100, 100, 50, 60)]


def test_no_face_in_a_picture_without_room(yunet) -> None:
    detector, network = yunet(lambda size: face(10, 10, 9, 9))
    assert detector.detect(np.zeros((2000, 3, 3), np.uint8)) == []
    assert network.sizes == []


def test_the_key_names_file_and_score(yunet) -> None:
    detector, _ = yunet(lambda size: None)
    assert detector.name == "yunet"
    keys = {detector.key, YuNet(b"others").key, YuNet(b"weights", score=0.5).key}
    assert len(keys) == 3
    assert str(SCORE) in detector.key


def test_foreign_files_are_refused(tiny_onnx: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    for data in (b"", b"no onnx at all", tiny_onnx):
        with pytest.raises(UsageError, match="no YuNet face detector"):
            YuNet(data)
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def real_yunet(real_data: Path) -> YuNet:
    path = real_data.parent / "models" / YUNET_FILE
    if not path.exists():
        pytest.skip(f"no {YUNET_FILE} beside the real data")
    return YuNet(path.read_bytes())


@pytest.mark.real
def test_the_real_network_finds_drawn_faces(real_yunet: YuNet) -> None:
    scene = draw_scene([make_person(5, i) for i in range(3)], np.random.default_rng(5), (480, 360))
    found = sorted(real_yunet.detect(scene.image), key=lambda each: each.box[0])
    assert len(found) == 3
    for each, points in zip(found, scene.points, strict=True):
        assert each.points is not None
        distance = np.linalg.norm(points[1] - points[0])
        assert np.linalg.norm(each.points[:2] - points[:2], axis=1).max() < 0.25 * distance


@pytest.mark.real
@pytest.mark.parametrize("size", [(9, 640), (20, 640), (2, 2), (640, 12)])
def test_the_real_network_finds_nothing_in_thin_pictures(
    real_yunet: YuNet, size: tuple[int, int]
) -> None:
    for grey in (0, 128):
        assert real_yunet.detect(np.full((*size, 3), grey, np.uint8)) == []


@pytest.mark.real
def test_one_detector_serves_many_threads(real_yunet: YuNet) -> None:
    people = [make_person(5, i) for i in range(2)]
    images = [
        draw_scene(people, np.random.default_rng(i), (320 + 32 * i, 240)).image for i in range(4)
    ]
    alone = [[each.box for each in real_yunet.detect(image)] for image in images]
    together: dict[int, list[object]] = {}

    def work(i: int) -> None:
        for _ in range(5):
            together[i] = [each.box for each in real_yunet.detect(images[i])]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(4)] == alone
