"""Boxes and labels on pictures; no file is ever replaced."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import UsageError
from facekit.report.annotate import draw_faces, labels_of, save_beside, verdicts_of

FACE = {
    "box": [20, 10, 30, 40],
    "detection_score": 0.9,
    "attributes": {"Bald": 0.1, "Smiling": 0.97, "Male": 0.6, "Wearing_Hat": 0.75},
    "emotions": {"happy": 0.8, "sad": 0.2},
}


def test_labels_are_what_is_likely_likeliest_first() -> None:
    assert labels_of(FACE) == ["Smiling 97%", "Wearing Hat 75%", "Male 60%", "happy 80%"]
    assert labels_of(FACE, most=1) == ["Smiling 97%", "happy 80%"]


def known(**verdicts: tuple[str, float]) -> dict[str, object]:
    """A face with a verdict and a probability for each name."""
    identities = {
        name: {"score": 0.0, "probability": p, "verdict": verdict}
        for name, (verdict, p) in verdicts.items()
    }
    return {**FACE, "identities": identities}


def test_verdicts_are_yes_and_unsure_or_one_line_that_says_no() -> None:
    assert verdicts_of(FACE) == []
    face = known(me=("unsure", 0.4), anna=("yes", 0.98), bob=("no", 0.001))
    assert verdicts_of(face) == ["anna: yes 98%", "me: unsure 40%"]
    assert verdicts_of(known(me=("no", 0.02))) == ["not me"]
    assert verdicts_of(known(me=("no", 0.02), bob=("no", 0.1))) == ["nobody enrolled"]
    assert labels_of(face) == labels_of(FACE)


def test_verdicts_are_drawn() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    plain, named = (draw_faces(image, [face]) for face in (FACE, known(me=("yes", 1.0))))
    assert (plain != named).any()


def test_the_box_is_where_the_face_is_and_the_input_is_untouched() -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    out = draw_faces(image, [{"box": [20, 10, 30, 40]}])
    assert not image.any()
    assert out[10, 20:50].any(axis=-1).all()
    assert out[50, 20:50].any(axis=-1).all()
    assert not out[14:46, 24:46].any()
    assert not out[60:].any()


def test_boxes_scale_with_a_reduced_picture() -> None:
    image = np.zeros((50, 60, 3), np.uint8)
    full = draw_faces(image, [{"box": [10, 6, 30, 30]}])
    half = draw_faces(image, [{"box": [20, 12, 60, 60]}], scale=0.5)
    assert (full == half).all()


@pytest.mark.parametrize("box", [[-50, -50, 10, 10], [0, 0, 4000, 4000], [119, 99, 1, 1]])
def test_boxes_at_the_edge_and_labels_that_do_not_fit_are_survived(box: list[int]) -> None:
    image = np.full((100, 120, 3), 255, np.uint8)
    assert draw_faces(image, [FACE | {"box": box}]).shape == image.shape


def test_files_are_never_replaced(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255
    mine = tmp_path / "photo.faces.jpg"
    mine.write_bytes(b"mine")
    written = [save_beside(image, tmp_path, "photo.png") for _ in range(2)]
    assert mine.read_bytes() == b"mine"
    assert [path.name for path in written] == ["photo.faces-2.jpg", "photo.faces-3.jpg"]
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, *(p.name for p in written)}
    read = cv2.imread(str(written[0]))
    assert read[4, 4, 2] > 200 and read[4, 4, 0] < 60  # red stays red


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write into"):
        save_beside(np.zeros((8, 8, 3), np.uint8), tmp_path / "file", "a.jpg")


def test_labels_that_exclude_each_other_give_the_best_however_likely() -> None:
    face = {"emotions": {"happy": 0.4, "sad": 0.35, "fear": 0.25}}
    assert labels_of(face) == ["happy 40%"]
