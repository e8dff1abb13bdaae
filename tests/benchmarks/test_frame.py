"""Eyes in the frame: measured right, and wrong frames noticed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import frame as bench
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.errors import UsageError
from facekit.frame import ALIGNED_EYES, FaceFrame
from facekit.photos.detection import Detection

FRAME = FaceFrame(side=80)
#: Blue values of the five dots; red is full where there is a dot.
MARKS = (40, 80, 120, 160, 200)


class DotFinder:
    """Finds the five dots that ``draw`` puts into a picture."""

    name = "yunet"
    key = "dots"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        points = []
        for mark in MARKS:
            rows, columns = np.nonzero((rgb[..., 0] == 255) & (rgb[..., 2] == mark))
            if not len(rows):
                return []
            points.append((columns.mean() + 0.5, rows.mean() + 0.5))
        found = np.array(points)
        return [Detection((*found.min(0), *np.ptp(found, axis=0)), 0.9, found)]


def draw(path: Path, size: tuple[int, int], points: NDArray[np.float64]) -> None:
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    for (x, y), mark in zip(points, MARKS, strict=True):
        left, top = round(x - 1.5), round(y - 1.5)
        image[top : top + 3, left : left + 3] = (255, 0, mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def five(right: NDArray[np.float64], left: NDArray[np.float64]) -> NDArray[np.float64]:
    """A typical face with these eyes."""
    matrix = FRAME.matrix_from_eyes(right, left)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    return FRAME.points() @ back[:2, :2].T + back[:2, 2]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drawn celeba and wild folders; there is no fer and no lfw."""
    monkeypatch.setattr(bench, "find_detector", lambda name: DotFinder())
    eyes = np.array(ALIGNED_EYES["celeba"]) * (178 * 4, 218 * 4)
    for i in range(3):
        path = tmp_path / "celeba" / "img_align_celeba" / f"{i}.png"
        draw(path, (178 * 4, 218 * 4), five(*(eyes + (0, 8 * i))))
        path.rename(path.with_suffix(".jpg"))  # the bytes decide
    rng = np.random.default_rng(0)
    for i in range(4):
        right = rng.uniform(100, 200, 2)
        draw(tmp_path / "wild" / "a" / f"{i}.png", (600, 500), five(right, right + (120, 30)))
    draw(tmp_path / "wild" / "b" / "none.png", (90, 90), np.zeros((5, 2)) - 9)
    return tmp_path


def test_places_are_measured(data: Path) -> None:
    record = bench.measure_frame(data, frame=FRAME)
    assert list(record["sources"]) == ["celeba", "wild"]
    wild = record["sources"]["wild"]
    assert (wild["pictures"], wild["faces"]) == (5, 4)
    assert wild["right_eye_x"] == pytest.approx(0.5 - FRAME.eye_distance / 2, abs=0.003)
    assert wild["eye_distance"] == pytest.approx(FRAME.eye_distance, abs=0.003)
    assert wild["eye_y_spread"] < 0.002
    # The middle one of three CelebA pictures lies 8 px lower than it should.
    celeba = record["sources"]["celeba"]
    scale = FRAME.eye_distance / (39.8 * 4)
    assert celeba["eye_y"] == pytest.approx(FRAME.eye_y + 8 * scale, abs=0.002)
    assert celeba["eye_y_spread"] == pytest.approx(8 * scale, abs=0.002)
    assert celeba["eye_distance_spread"] < 0.004
    assert "wild" in bench.render(record)


def test_the_sample_is_bounded_and_repeatable(data: Path) -> None:
    first = bench.measure_frame(data, limit=2, seed=3)
    assert first == bench.measure_frame(data, limit=2, seed=3)
    assert first["sources"]["wild"]["pictures"] == 2


def test_the_montage_shows_mean_faces_and_marks(data: Path, tmp_path: Path) -> None:
    bench.measure_frame(data, frame=FRAME, montage=tmp_path / "mean.png")
    image = cv2.imread(str(tmp_path / "mean.png"))
    assert image.shape == (320 + 28, 2 * 320, 3)
    x, y = (round(v * 4) for v in FRAME.points()[0])
    assert image[y + 28, x, 1] > 200  # a green cross at the right eye
    assert image[y + 28, 320 + x, 1] > 200


def test_without_pictures_there_is_nothing_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "find_detector", lambda name: DotFinder())
    with pytest.raises(UsageError, match="needs --data"):
        bench.measure_frame(None)
    with pytest.raises(UsageError, match="no pictures in any of celeba"):
        bench.measure_frame(tmp_path)


def test_the_command_writes_into_the_home_alone(
    data: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    record = BENCHMARKS["frame"].run(BenchOptions(data=data, limit=2))
    montage = facekit_home / "bench" / "frame.png"
    assert record["montage"] == str(montage) and montage.is_file()
    assert f"mean faces: {montage}" in str(BENCHMARKS["frame"].render(record))
    assert not list(here.iterdir())


def test_without_faces_no_montage_is_named(
    tmp_path: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "find_detector", lambda name: DotFinder())
    draw(tmp_path / "wild" / "b" / "none.png", (90, 90), np.zeros((5, 2)) - 9)
    record = BENCHMARKS["frame"].run(BenchOptions(data=tmp_path))
    assert "montage" not in record
    assert not list(facekit_home.rglob("*.png"))
