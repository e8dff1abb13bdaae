"""Teacher vectors made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.cache.teacher import read_teacher_table, to_targets
from facekit.errors import DataError


def write(path: Path, names: list[str], vectors: np.ndarray) -> Path:
    np.savez(path, names=np.array(names), vectors=vectors)
    return path


def test_rows_follow_the_ids_and_unknown_ones_are_nan(tmp_path: Path) -> None:
    path = write(tmp_path / "t.npz", ["b", "a"], np.array([[2, 2], [1, 1]], np.float16))
    out = read_teacher_table(path, np.array(["a", "b", "c"]))
    assert out.dtype == np.float32
    assert out[:2].tolist() == [[1, 1], [2, 2]] and np.isnan(out[2]).all()


def test_a_table_of_other_images_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.npz", ["x"], np.ones((1, 4)))
    with pytest.raises(DataError, match="names none of the 2 images"):
        read_teacher_table(path, np.array(["a", "b"]))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    for text in ("hello", ""):
        (tmp_path / "t.npz").write_text(text)
        with pytest.raises(DataError, match="no teacher table"):
            read_teacher_table(tmp_path / "t.npz", np.array(["a"]))
    np.savez(tmp_path / "u.npz", names=np.array(["a"]))
    with pytest.raises(DataError, match="vectors"):
        read_teacher_table(tmp_path / "u.npz", np.array(["a"]))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", names=np.array(["a"]), vectors=np.array([{"a": 1}], object))
    with pytest.raises(DataError):
        read_teacher_table(tmp_path / "p.npz", np.array(["a"]))


def test_targets_have_no_common_part_and_length_one() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(50, 8)) + 10).astype(np.float32)
    vectors[3] = np.nan
    train = np.delete(np.arange(50), 3)
    unit, mean = to_targets(vectors, train)
    assert np.allclose(np.linalg.norm(unit[train], axis=1), 1, atol=1e-5)
    assert not unit[3].any()
    assert np.allclose(mean, vectors[train].mean(0), atol=1e-4)
    assert abs((unit[train] @ unit[train].T).mean()) < 0.1


def test_targets_need_a_training_image_with_a_vector() -> None:
    vectors = np.full((4, 8), np.nan, np.float32)
    vectors[3] = 1
    with pytest.raises(DataError, match="none of the 3 training images"):
        to_targets(vectors, np.arange(3))


@pytest.mark.parametrize(
    ("names", "vectors"),
    [
        (np.array([["a.jpg"]]), np.ones((1, 3), np.float32)),
        (np.array(["a.jpg"]), np.array([["x"]])),
        (np.array(["a.jpg"]), np.ones((1, 3), complex)),
        (np.array([b"\xff"]), np.ones((1, 3), np.float32)),
        (np.array("a.jpg"), np.ones(3, np.float32)),
    ],
)
def test_a_table_of_other_kinds_is_one_line(names: Any, vectors: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", names=names, vectors=vectors)
    with pytest.raises(DataError, match=r"t\.npz") as caught:
        read_teacher_table(tmp_path / "t.npz", np.array(["a.jpg"]))
    assert "\n" not in str(caught.value)
