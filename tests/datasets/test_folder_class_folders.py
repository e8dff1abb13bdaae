"""Class folders are listed by split, class and name."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from facekit.datasets.folder import list_classes, split_folders
from facekit.errors import DataError
from facekit.labels import plain_class


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


@pytest.mark.parametrize(
    ("beside", "counted"),
    [
        ("later/dog/a.png", True),
        ("cat/a.png", True),  # a class folder that was left beside the splits
        ("a.png", True),
        ("train/loose.png", True),
        ("train/dog/more/a.png", True),
        ("train/dog/more/still/a.png", True),
        ("train/dog/.trash/a.png", False),
        ("later/notes.txt", False),
    ],
)
def test_pictures_elsewhere_are_counted(tmp_path: Path, beside: str, counted: bool) -> None:
    names = [beside, str(Path(beside).with_stem("b"))]
    touch(tmp_path, "train/dog/1.png", "test/dog/1.png", *names)
    for splits in (None, ("train",)):
        listed = list_classes(tmp_path, split_folders(tmp_path), splits)
        assert len(listed.ids) == 1 + (splits is None)
        assert listed.others == (tuple(sorted(names)) if counted else ())


@pytest.mark.parametrize(
    ("name", "split"), [("dev", "val"), ("PublicTest", "val"), ("PrivateTest", "test")]
)
def test_other_usual_names_of_splits(tmp_path: Path, name: str, split: str) -> None:
    touch(tmp_path, "train/dog/a.png", f"{name}/dog/a.png")
    assert [split for _, split in split_folders(tmp_path)] == ["train", split]


def test_a_class_folder_without_pictures_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "cat/1.png", "dog/more/1.png", "empty/notes.txt")
    assert list_classes(tmp_path, [(tmp_path, "train")]).others == (
        "dog/more/1.png",
        "empty/notes.txt",
    )
    assert "no picture in dog, empty" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_no_picture(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "2.png")
    (tmp_path / "cat" / "3.png").mkdir()
    (tmp_path / "cat" / "4.png").symlink_to("gone.png")
    listed = list_classes(tmp_path, [(tmp_path, "train")])
    assert listed.ids == ["cat/1.png", "cat/4.png"] and len(listed.others) == 2


@pytest.mark.parametrize("name", ["café", "Ångström", "한국"])
def test_composed_and_decomposed_names_are_one_class(tmp_path: Path, name: str) -> None:
    spelt = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    touch(tmp_path, *(f"{split}/{one}/1.png" for split in ("train", "test") for one in spelt))
    listed = list_classes(tmp_path, split_folders(tmp_path))
    assert set(listed.classes) == {spelt[0]} and plain_class(spelt[0]) == plain_class(spelt[1])
    assert len(set(listed.ids)) == len(listed.ids) and all(path.exists() for path in listed.paths)


def test_a_class_whose_name_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    try:
        touch(tmp_path, "a/1.png", os.fsdecode(b"\xff/1.png"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert list_classes(tmp_path, [(tmp_path, "train")]).classes == ["a", "\\xff"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read as a folder"):
        split_folders(tmp_path / "nowhere")
