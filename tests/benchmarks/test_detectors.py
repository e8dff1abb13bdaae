"""Detectors compared: shares, false boxes and eye errors are counted right."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import detectors as bench
from benchmarks.detectors import measure_detectors, overlap
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.errors import UsageError
from facekit.frame import BOX_EYES, FaceFrame
from facekit.photos.detection import Detection

FRAME = FaceFrame(side=80)
#: Where every drawn photo has its face.
BOX = (100.0, 80.0, 60.0, 80.0)


def eyes_in(box: tuple[float, float, float, float], detector: str) -> NDArray[np.float64]:
    """Five points of a face whose eyes lie in this detector's box as calibrated."""
    matrix = FRAME.matrix_from_box(box, detector)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    return FRAME.points() @ back[:2, :2].T + back[:2, 2]


class Truth:
    """Stands in for YuNet: it finds the face in grey photos, nothing in black ones."""

    name = "yunet"
    key = "truth"

    def __init__(self, model: bytes = b"", *, score: float = 0.7) -> None:
        pass

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        return [Detection(BOX, 0.9, eyes_in(BOX, "yunet"))] if rgb.any() else []


class Boxes:
    """Stands in for Haar: a box too far right by a tenth of the eye distance, and a false one."""

    name = "haar"
    key = "boxes"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        points = eyes_in(BOX, "yunet")
        distance = float(points[1, 0] - points[0, 0])
        line, share = BOX_EYES["haar"]
        width = distance / share
        x = points[:2, 0].mean() - width / 2 + 0.1 * distance
        y = points[0, 1] - line * width
        found = [Detection((400, 10, 30, 30), 0.4)]
        return [Detection((x, y, width, width), 0.9), *found] if rgb.max() > 100 else found


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photos: a bright one, a dim one that Haar misses, a black one without a face."""
    monkeypatch.setattr(bench, "YuNet", Truth)
    monkeypatch.setattr(bench, "read_yunet", lambda: b"")
    monkeypatch.setattr(
        bench, "find_detector", lambda name: Truth() if name == "yunet" else Boxes()
    )
    folder = tmp_path / "wild" / "a"
    folder.mkdir(parents=True)
    for grey in (0, 60, 200):
        image = np.full((300, 500, 3), grey, np.uint8)
        assert cv2.imwrite(str(folder / f"{grey}.png"), image)
    return tmp_path


def test_everything_is_counted(data: Path) -> None:
    record = measure_detectors(data, frame=FRAME)
    assert list(record["sources"]) == ["wild"]
    assert not record["refined"]
    yunet, haar = record["sources"]["wild"]["yunet"], record["sources"]["wild"]["haar"]
    assert yunet["photos"] == haar["photos"] == 3
    assert yunet["photos_with_face"] == pytest.approx(2 / 3, abs=1e-3)
    assert haar["photos_with_face"] == pytest.approx(1 / 3, abs=1e-3)
    assert (yunet["false_boxes_per_photo"], haar["false_boxes_per_photo"]) == (0, 1)
    assert yunet["eye_error"]["points"]["mean"] == pytest.approx(0, abs=1e-3)
    assert yunet["eye_error"]["box"]["mean"] == pytest.approx(0, abs=1e-3)
    assert haar["eye_error"]["box"]["mean"] == pytest.approx(0.1, abs=1e-3)
    assert haar["eye_error"]["box"]["faces"] == 1
    assert "points" not in haar["eye_error"]
    assert record["box_eyes"]["yunet"] == pytest.approx(BOX_EYES["yunet"], abs=1e-3)
    assert record["box_eyes"]["haar"] == pytest.approx(BOX_EYES["haar"], abs=1e-3)
    assert "refined" not in bench.render(record)


def test_refinement_is_measured(data: Path) -> None:
    def half_way(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        shift = np.array([-0.05 * FRAME.eye_distance * FRAME.side, 0])
        return np.repeat((FRAME.points() + shift)[None], len(crops), 0)

    record = measure_detectors(data, frame=FRAME, refine=half_way)
    errors = record["sources"]["wild"]["haar"]["eye_error"]
    assert errors["box"]["mean"] == pytest.approx(0.1, abs=1e-3)
    assert errors["refined"]["mean"] == pytest.approx(0.05, abs=1e-3)
    text = bench.render(record)
    assert "eyes, refined" in text
    assert "0.050" in text


def test_overlap() -> None:
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (1, 1, 2, 2)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 2, 2), (2, 0, 2, 2)) == 0
    assert overlap((0, 0, 2, 2), (5, 5, 2, 2)) == 0


def test_the_command_refines_with_the_points_of_the_model(data: Path, tiny_bundle: Path) -> None:
    record = BENCHMARKS["detectors"].run(BenchOptions(data=data, model=str(tiny_bundle)))
    assert record["refined"]
    errors = record["sources"]["wild"]["haar"]["eye_error"]
    # The tiny model always says that the face is in place, so nothing moves.
    assert errors["refined"]["mean"] == pytest.approx(errors["box"]["mean"], abs=1e-3)


def test_without_pictures_there_is_nothing_to_measure(data: Path) -> None:
    with pytest.raises(UsageError, match="no pictures"):
        measure_detectors(data / "wild")
