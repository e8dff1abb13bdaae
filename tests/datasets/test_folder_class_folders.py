"""Class folders are listed by split, class and name."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.datasets.folder import list_classes, split_folders
from facekit.errors import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_splits_are_found_by_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "Train/dog/a.png", "validation/dog/a.png", "test/dog/a.png", "later/dog/a.png")
    assert [(p.name, split) for p, split in split_folders(tmp_path)] == [
        ("Train", "train"), ("validation", "val"), ("test", "test"),
    ]  # fmt: skip


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    assert split_folders(touch(tmp_path, "test/a.png", "control/b.png")) == []


def test_pictures_are_sorted_and_the_rest_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "train/b/2.png", "train/b/1.JPG", "train/b/notes.txt", "train/a/3.heic")
    touch(tmp_path, "train/b/._1.JPG", "train/.cache/x.png", "train/README", "test/a/9.png")
    listed = list_classes(tmp_path, split_folders(tmp_path))
    assert listed.ids == ["train/a/3.heic", "train/b/1.JPG", "train/b/2.png", "test/a/9.png"]
    assert listed.classes == ["a", "b", "b", "a"]
    assert listed.splits == ["train"] * 3 + ["test"]
    assert listed.paths[1] == tmp_path / "train" / "b" / "1.JPG"
    assert listed.others == ("train/b/notes.txt",)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read as a folder"):
        split_folders(tmp_path / "nowhere")
