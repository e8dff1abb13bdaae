"""The cartoon CelebA as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cartoon import celeba as module
from facekit.cartoon import draw_celeba
from facekit.datasets.celeba import read_celeba
from facekit.errors import DataError, UsageError
from facekit.frame import ALIGNED_EYES
from facekit.labels import EMOTIONS


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_the_reader_of_the_real_thing_reads_it(cartoon_celeba: Path) -> None:
    table = read_celeba(cartoon_celeba)
    assert len(table) == 12 * 5
    assert table.person is not None
    groups = {split: set(table.person[table.split == split]) for split in ("train", "val", "test")}
    assert {split: len(people) for split, people in groups.items()} == {
        "train": 10,
        "val": 1,
        "test": 1,
    }
    assert not groups["train"] & (groups["val"] | groups["test"])
    image = cv2.imread(str(table.images[0]))
    assert image is not None
    assert image.shape == (218, 178, 3)


def test_landmarks_and_expressions_come_with_it(cartoon_celeba: Path) -> None:
    lines = (cartoon_celeba / "list_landmarks_align_celeba.txt").read_text().splitlines()
    assert lines[0] == "60"
    assert lines[1].split()[:4] == ["lefteye_x", "lefteye_y", "righteye_x", "righteye_y"]
    values = np.array([line.split()[1:] for line in lines[2:]], int).reshape(60, 5, 2)
    eyes = np.array(ALIGNED_EYES["celeba"]) * (178, 218)
    assert np.abs(values[:, :2].mean(0) - eyes).max() < 1
    lines = (cartoon_celeba / "list_expression_cartoon.txt").read_text().splitlines()
    assert {line.split()[1] for line in lines} <= set(EMOTIONS)
    assert len(lines) == 60


def test_same_seed_same_files(tmp_path: Path) -> None:
    one = content(draw_celeba(tmp_path / "a", people=3, photos=2, seed=1))
    two = content(draw_celeba(tmp_path / "b", people=3, photos=2, seed=1))
    assert one == two
    other = content(draw_celeba(tmp_path / "c", people=3, photos=2, seed=2))
    name = "img_align_celeba/000001.jpg"
    assert one[name] != other[name]


def test_a_drawing_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    draw_celeba(tmp_path / "a", people=3, photos=1, progress=lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(module, "draw_face", None)
    assert draw_celeba(tmp_path / "a", people=3, photos=1) == tmp_path / "a"


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="holds something else"):
        draw_celeba(tmp_path, people=3, photos=1)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    folder = draw_celeba(tmp_path / "a", people=3, photos=1)
    with pytest.raises(DataError, match="holds something else"):
        draw_celeba(folder, people=3, photos=2)


def test_an_interrupted_drawing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_celeba(tmp_path / "a", people=3, photos=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("people", "photos"), [(2, 5), (5, 0)])
def test_too_few(tmp_path: Path, people: int, photos: int) -> None:
    with pytest.raises(UsageError, match="at least 3 and 1"):
        draw_celeba(tmp_path / "a", people=people, photos=photos)
