"""dlib as a peer: its defaults, its failures, and what is said where it is missing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks import peer_dlib
from benchmarks.peer_dlib import TOLERANCE, DlibReader
from facekit.errors import MissingExtraError

needs_dlib = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="dlib is not installed: pip install 'facekit-transfer[peers]'",
)


class Box:
    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def left(self) -> int:
        return self.numbers[0]

    def top(self) -> int:
        return self.numbers[1]

    def width(self) -> int:
        return self.numbers[2]

    def height(self) -> int:
        return self.numbers[3]


def fake_dlib(log: list[object]) -> SimpleNamespace:
    """Finds a face in the corner and one in the middle of any photo that is not black."""

    def detect(rgb: np.ndarray, enlarged: int) -> list[Box]:
        log.append(enlarged)
        if rgb[0, 0, 0] == 66:
            raise RuntimeError("out of memory")
        return [Box(0, 0, 20, 20), Box(40, 40, 20, 20)] if rgb.any() else []

    def points(file: str) -> object:
        assert Path(file).name == "shape_predictor_5_face_landmarks.dat"
        return lambda rgb, box: box.left()

    def network(file: str) -> SimpleNamespace:
        assert Path(file).name == "dlib_face_recognition_resnet_model_v1.dat"

        def describe(rgb: np.ndarray, left: int, jitters: int) -> list[float]:
            log.append(jitters)
            return [float(left + rgb[0, 0, 0])] * 128

        return SimpleNamespace(compute_face_descriptor=describe)

    return SimpleNamespace(
        get_frontal_face_detector=lambda: detect,
        shape_predictor=points,
        face_recognition_model_v1=network,
    )


def test_the_most_central_face_is_described_as_the_package_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[object] = []
    monkeypatch.setitem(sys.modules, "dlib", fake_dlib(log))
    monkeypatch.setattr(peer_dlib, "model_files", lambda: tmp_path)
    for name, size in (
        ("shape_predictor_5_face_landmarks", 9),
        ("dlib_face_recognition_resnet_model_v1", 22),
        ("shape_predictor_68_face_landmarks", 100),
    ):
        (tmp_path / f"{name}.dat").write_bytes(bytes(size * 100_000))
    reader = DlibReader()
    log.clear()
    reader.read([np.full((100, 100, 3), level, np.uint8) for level in (5, 0, 7, 66)])
    assert reader.vectors.shape == (4, 128) and reader.vectors.dtype == np.float32
    assert reader.vectors[[0, 2], 0].tolist() == [45.0, 47.0]
    assert reader.blank.tolist() == [False, True, False, True]
    assert log.count(1) == len(log) == 6  # enlarged once, one jitter
    assert reader.seconds > 0
    assert reader.megabytes() == {"megabytes": 3.1, "megabytes_installed": 13.1}


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_what_is_missing_is_named_in_one_line(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SimpleNamespace(origin="/nowhere/__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else spec)
    with pytest.raises(MissingExtraError, match=rf"^{missing} is not installed.*peers.*--peer"):
        DlibReader()


@needs_dlib
@pytest.mark.slow
@pytest.mark.real
def test_it_tells_real_people_apart(real_data: Path) -> None:
    homes = sorted((real_data / "lfw" / "persons").iterdir())[:2]
    photos = [path for home in homes for path in sorted(home.iterdir())[:3]]
    reader = DlibReader()
    reader.read([cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB) for p in photos])
    far = np.linalg.norm(reader.vectors[:, None] - reader.vectors[None], axis=2)
    assert not reader.blank.any()
    assert np.median(far[:3, :3][np.triu_indices(3, 1)]) < TOLERANCE < np.median(far[:3, 3:])
