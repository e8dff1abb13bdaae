"""People and strangers of a folder, seen by several readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import lineup
from benchmarks.lineup import list_photos, most_central, read_lineup
from facekit.errors import DataError


class Eyes:
    """A reader that remembers the level of grey of every photo."""

    name = "eyes"

    def __init__(self) -> None:
        self.levels: list[int] = []
        self.blocks: list[int] = []

    def read(self, pictures) -> None:
        self.blocks.append(len(pictures))
        self.levels += [int(rgb[0, 0, 0]) for rgb in pictures]


def paint(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((20, 30, 3), level, np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(5):
        paint(tmp_path / "persons" / "ann" / f"{i}.png", 10 + i)
        paint(tmp_path / "strangers" / f"{i}.PNG", 100 + i)
    for i in range(2):
        paint(tmp_path / "persons" / "few" / f"{i}.png", 50 + i)
    (tmp_path / "strangers" / "notes.txt").write_text("no picture")
    return tmp_path


def test_rows_are_those_that_the_readers_saw(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(lineup, "_BLOCK", 4)
    first, second = Eyes(), Eyes()
    seen = read_lineup(folder, [first, second], needed=4)
    assert first.levels == second.levels and first.blocks == second.blocks == [4, 4, 2]
    assert [first.levels[i] for i in seen.people["ann"]] == [10, 11, 12, 13, 14]
    assert [first.levels[i] for i in seen.strangers] == [100, 101, 102, 103, 104]
    assert seen.paths[seen.people["ann"][2]].name == "2.png"
    assert list(seen.people) == ["ann"] and seen.unreadable == 0
    assert seen.left_out == {"few": "has 2 photos, 4 are needed"}


def test_broken_files_are_counted_and_seen_by_nobody(folder: Path) -> None:
    for name in ("persons/ann/1.png", "strangers/0.PNG"):
        (folder / name).write_text("broken")
    eyes = Eyes()
    seen = read_lineup(folder, [eyes], needed=4)
    assert seen.unreadable == 2 and len(eyes.levels) == len(seen.paths) == 8
    assert [eyes.levels[i] for i in seen.people["ann"]] == [10, 12, 13, 14]
    assert [eyes.levels[i] for i in seen.strangers] == [101, 102, 103, 104]
    (folder / "persons/ann/2.png").write_text("broken")
    with pytest.raises(DataError, match="nobody with 4 photos"):
        read_lineup(folder, [Eyes()], needed=4)


def test_strangers_are_drawn_by_the_seed(folder: Path) -> None:
    def levels(seed: int) -> list[int]:
        eyes = Eyes()
        seen = read_lineup(folder, [eyes], needed=4, limit=2, seed=seed)
        return [eyes.levels[i] for i in seen.strangers]

    assert levels(0) == levels(0) and len(levels(0)) == 2
    assert len({tuple(levels(seed)) for seed in range(8)}) > 1


def test_an_empty_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder of photos for each person"):
        read_lineup(tmp_path / "nothing", [], needed=4)
    for path in list_photos(folder / "strangers"):
        path.unlink()
    with pytest.raises(DataError, match="no photos of other people"):
        read_lineup(folder, [], needed=4)


def test_the_middle_of_the_photo_says_who_is_meant() -> None:
    boxes = [(0, 0, 90, 90), (60, 40, 30, 30), (150, 10, 40, 40)]
    assert most_central(boxes, (110, 150)) == 1
    assert most_central(boxes, (60, 340)) == 2
