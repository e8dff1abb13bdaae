"""The five-point head: wrong crops, and what it makes of them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.cartoon import draw_celeba
from facekit.datasets.celeba import read_celeba
from facekit.frame import FaceFrame
from facekit.photos.detection import Detection
from facekit.photos.image import decode
from facekit.workflows.pretrain import heads as points
from facekit.workflows.pretrain.heads import POINT_LABELS, POINT_PARTS, fit_points, jitter

FRAME = FaceFrame(side=48)


def cells(crops: NDArray[np.uint8], parts: tuple[str, ...]) -> dict[str, NDArray[np.float32]]:
    """A plain embedding: every part is the contrast in 12x12 cells of the grey crop."""
    assert parts == POINT_PARTS
    grey = crops.mean(-1, dtype=np.float32).reshape(len(crops), 12, 4, 12, 4).mean((2, 4))
    return {parts[0]: (grey - grey.mean((1, 2), keepdims=True))[..., None] / 64}


class Truth:
    """A detector that knows the drawn points of every picture of a folder."""

    name, key = "truth", "truth"

    def __init__(self, folder: Path) -> None:
        self.known = {}
        lines = (folder / "list_landmarks_align_celeba.txt").read_text().splitlines()[2:]
        for name, *numbers in map(str.split, lines):
            pixels = decode(folder / "img_align_celeba" / name)
            self.known[self.hash(pixels)] = np.array(numbers, float).reshape(5, 2)

    @staticmethod
    def hash(rgb: NDArray[np.uint8]) -> str:
        return hashlib.sha256(rgb.tobytes()).hexdigest()

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        return [Detection((40, 70, 100, 100), 1.0, self.known[self.hash(rgb)])]


def test_jitter_turns_zooms_and_shifts_a_little() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([jitter(FRAME, rng) for _ in range(500)])
    linear = drawn[:, :, :2]
    zoom = np.sqrt(np.linalg.det(linear))
    angle = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    middle = np.full(2, FRAME.side / 2)
    shift = (linear @ middle + drawn[:, :, 2] - middle) / FRAME.side
    turn, grow, move = points._ROTATION, 1 + points._ZOOM, points._SHIFT
    for seen, low, high in ((angle, -turn, turn), (shift, -move, move)):
        assert low <= seen.min() < 0.9 * low and 0.9 * high < seen.max() <= high
    assert 1 / grow <= zoom.min() < 1 < zoom.max() <= grow
    assert zoom.max() / zoom.min() > 0.9 * grow**2
    # A similarity: the two columns stay at right angles and of one length.
    gram = linear.transpose(0, 2, 1) @ linear / (zoom**2)[:, None, None]
    assert np.allclose(gram, np.eye(2), atol=1e-9)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ridge for hundreds of views; the product's is made for tens of thousands."""
    monkeypatch.setattr(points, "_STRENGTH", 100.0)


def test_the_head_finds_drawn_eyes_better_than_the_box(tmp_path: Path, few: None) -> None:
    folder = draw_celeba(tmp_path / "celeba", people=25, photos=4, seed=3)
    paths = {
        split: list(read_celeba(folder, splits=(split,)).images)  # type: ignore[arg-type]
        for split in ("train", "val")
    }
    found = fit_points(paths["train"] * 5, paths["val"], FRAME, cells, detector=Truth(folder))
    assert found is not None
    head, measured = found
    assert head.labels == POINT_LABELS and len(POINT_LABELS) == 10
    assert measured["faces"] == len(paths["val"])
    assert measured["eye_error"] < 0.8 * measured["eye_error_unrefined"]
    assert measured["eye_error"] < measured["eye_error_95"]
    typical = head.scores(cells(np.full((1, 48, 48, 3), 128, np.uint8), head.parts))
    # A blank crop says nothing, so the answer is a typical face.
    assert np.abs(typical.reshape(5, 2) * FRAME.side - FRAME.points()).max() < 8


def test_the_same_seed_fits_the_same_head(cartoon_celeba: Path) -> None:
    images = list(read_celeba(cartoon_celeba, splits=("train",)).images) * 3  # type: ignore[arg-type]
    truth = Truth(cartoon_celeba)
    weights = []
    for seed in (0, 0, 1):
        found = fit_points(images, images[:4], FRAME, cells, seed=seed, detector=truth)
        assert found is not None
        weights.append(found[0].weights()["weight"])
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_too_few_faces_fit_nothing(cartoon_celeba: Path) -> None:
    images = list(read_celeba(cartoon_celeba, splits=("train",)).images)  # type: ignore[arg-type]
    assert fit_points(images, images, FRAME, cells, detector=Truth(cartoon_celeba)) is None


def test_an_unreadable_image_is_passed_over(cartoon_celeba: Path, tmp_path: Path) -> None:
    images = list(read_celeba(cartoon_celeba, splits=("train",)).images) * 3  # type: ignore[arg-type]
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    found = fit_points([bad, *images], [bad], FRAME, cells, detector=Truth(cartoon_celeba))
    assert found is not None and found[1] == {"faces": 0}


def test_without_yunet_there_is_no_head(facekit_home: Path, cartoon_celeba: Path) -> None:
    images = list(read_celeba(cartoon_celeba, splits=("train",)).images)  # type: ignore[arg-type]
    assert fit_points(images * 3, images, FRAME, cells) is None


@pytest.mark.real
def test_yunet_teaches_it_on_photos(real_data: Path, facekit_home: Path, few: None) -> None:
    model = real_data.parent / "models" / "face_detection_yunet_2023mar.onnx"
    if not model.is_file():
        pytest.skip(f"no YuNet file in {model.parent}")
    (facekit_home / "models").mkdir()
    shutil.copy(model, facekit_home / "models")
    photos = sorted((real_data / "celeba" / "img_align_celeba").iterdir())[:300]
    found = fit_points(photos[:240] * 4, photos[240:], FRAME, cells)
    assert found is not None
    assert found[1]["faces"] >= 55
    assert found[1]["eye_error"] < 0.8 * found[1]["eye_error_unrefined"]
