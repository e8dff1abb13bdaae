"""One folder a class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.crops.cache import build_cache
from facekit.datasets.class_folders import read_class_folders, read_fer_folders
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.labels import EMOTIONS


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        grey = np.full((48, 48), 10 * len(list(folder.iterdir())), np.uint8)
        cv2.imwrite(str(folder / name), grey)
    return folder


def test_labels_follow_the_class_names_not_the_alphabet(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "cat", "b.png", "a.JPG")
    fill(tmp_path / "train" / "Dog", "c.png")
    fill(tmp_path / "later" / "dog", "d.png")
    splits = {"train": "train", "held": "val", "later": "test"}
    table = read_class_folders(tmp_path, ("dog", "cat"), splits, name="pets")
    assert table.ids.tolist() == [
        "train/Dog/c.png", "train/cat/a.JPG", "train/cat/b.png", "later/dog/d.png",
    ]  # fmt: skip
    assert table.labels.tolist() == [0, 1, 1, 0] and table.labels.dtype == np.int64
    assert table.split.tolist() == ["train"] * 3 + ["test"]
    assert (table.name, table.label_names, table.aligned) == ("pets", ("dog", "cat"), None)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "dog", "a.png")
    (tmp_path / "train" / "dog" / "notes.txt").touch()
    (tmp_path / "train" / "README").touch()
    table = read_class_folders(tmp_path, ("dog",), {"train": "train"}, name="pets")
    assert table.ids.tolist() == ["train/dog/a.png"]


def test_an_unknown_class_is_refused_with_those_allowed(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "happy", "a.png")
    fill(tmp_path / "train" / "bored", "a.png")
    with pytest.raises(DataError, match=r"'bored'.*surprise") as caught:
        read_fer_folders(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("folder", ["", "train", "train/happy"])
def test_without_images_the_layout_is_shown(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError, match=r"train/<class>/\*\.png or test/<class>"):
        read_fer_folders(tmp_path)


def test_fer_can_be_cropped_as_it_is(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for emotion in EMOTIONS:
            fill(tmp_path / "fer" / part / emotion, "1.png")
    table = read_fer_folders(tmp_path / "fer")
    assert table.label_names == EMOTIONS and table.aligned == "fer"
    assert sorted(table.labels.tolist()) == sorted([*range(7), *range(7)])
    cache = build_cache(table, FaceFrame(side=40), root=tmp_path / "cache", progress=False)
    assert cache.ok.all() and cache.crops.shape == (14, 40, 40, 3)
