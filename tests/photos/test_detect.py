"""One name, one detector."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import UsageError
from facekit.photos import detect
from facekit.photos import detect as detector_file
from facekit.photos.detect import find_detector

CASCADES = Path(cv2.__file__).parent / "data"


class Stub:
    """Stands in for YuNet, which needs a file that tests do not have."""

    name = "yunet"

    def __init__(self, model: bytes) -> None:
        self.model = model


@pytest.fixture
def model(facekit_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file at YuNet's place with the right hash."""
    monkeypatch.setattr(detect, "YuNet", Stub)
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(detector_file, "YUNET_SHA256", digest)
    path = detector_file.yunet_path()
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


def test_auto_is_haar_without_the_file(facekit_home: Path) -> None:
    assert (
        find_detector().name == find_detector("auto").name == find_detector("haar").name == "haar"
    )


def test_auto_is_yunet_with_the_file(model: Path) -> None:
    for name in ("auto", "yunet"):
        found = find_detector(name)
        assert isinstance(found, Stub)
        assert found.model == b"weights"
    assert find_detector("haar").name == "haar"


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_an_altered_file_is_refused(name: str, model: Path) -> None:
    model.write_bytes(b"other weights")
    with pytest.raises(UsageError, match=r"was altered .* fetch yunet"):
        find_detector(name)


def test_yunet_without_its_file_says_what_to_do(facekit_home: Path) -> None:
    with pytest.raises(UsageError, match=r"models fetch yunet.* models add FILE"):
        find_detector("yunet")


def test_none_takes_the_centre_square() -> None:
    detector = find_detector("none")
    (face,) = detector.detect(np.zeros((60, 100, 3), np.uint8))
    assert (face.box, face.score, face.points) == ((20, 0, 60, 60), 1.0, None)
    (face,) = detector.detect(np.zeros((100, 61, 3), np.uint8))
    assert face.box == (0, 19.5, 61, 61)


def test_a_file_is_taken_by_its_kind(model: Path, tmp_path: Path) -> None:
    own = tmp_path / "own ñ.onnx"
    own.write_bytes(b"own weights")
    assert find_detector(str(own)).model == b"own weights"  # type: ignore[attr-defined]
    cascade = tmp_path / "ñ.xml"
    cascade.write_bytes((CASCADES / "haarcascade_frontalface_alt2.xml").read_bytes())
    found = find_detector(os.fspath(cascade))
    assert found.name == "haar"
    assert found.key != find_detector("haar").key


@pytest.mark.parametrize("name", ["retinaface", "YUNET", "detector.pt", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"give auto, yunet, haar, none, or the path"):
        find_detector(name)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        find_detector(str(tmp_path / "none.xml"))
    for name, what in (("text.xml", "no Haar cascade"), ("text.onnx", "no YuNet face detector")):
        (tmp_path / name).write_text("Dear diary")
        with pytest.raises(UsageError, match=what):
            find_detector(str(tmp_path / name))
