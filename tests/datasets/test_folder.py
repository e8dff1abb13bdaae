"""Anybody's own classes: names, splits and people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.folder import read_folder
from facekit.errors import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_without_splits_everything_is_train(tmp_path: Path) -> None:
    table = read_folder(touch(tmp_path, "none/1.jpg", "glasses/2.jpg", "glasses/1.jpg"))
    assert (table.name, table.label_names, table.aligned) == ("folder", ("glasses", "none"), None)
    assert table.ids.tolist() == ["glasses/1.jpg", "glasses/2.jpg", "none/1.jpg"]
    assert table.labels.tolist() == [0, 0, 1] and table.labels.dtype == np.int64
    assert set(table.split.tolist()) == {"train"} and table.person is None


def test_split_folders_are_kept(tmp_path: Path) -> None:
    touch(tmp_path, "train/b/1.jpg", "train/a/1.jpg", "val/a/2.jpg", "test/b/3.jpg")
    table = read_folder(tmp_path, aligned="fer")
    assert table.split.tolist() == ["train", "train", "val", "test"]
    assert table.labels.tolist() == [0, 1, 0, 1] and table.aligned == "fer"


def test_names_tell_the_people(tmp_path: Path) -> None:
    touch(tmp_path, "a/anna__1.jpg", "a/person_12_1.jpg", "b/anna__2.jpg", "b/person_12-9.jpg")
    table = read_folder(touch(tmp_path, "b/holiday.jpg", "b/__1.jpg"))
    assert table.person is not None
    assert dict(zip(table.ids.tolist(), table.person.tolist(), strict=True)) == {
        "a/anna__1.jpg": "anna", "a/person_12_1.jpg": "person_12",
        "b/anna__2.jpg": "anna", "b/person_12-9.jpg": "person_12",
        "b/holiday.jpg": "of b/holiday.jpg", "b/__1.jpg": "of b/__1.jpg",
    }  # fmt: skip


def test_one_person_alone_tells_nothing(tmp_path: Path) -> None:
    assert read_folder(touch(tmp_path, "a/img__1.jpg", "b/img__2.jpg")).person is None


@pytest.mark.parametrize(
    ("names", "people"),
    [
        (("{c}__1", "{c}__2", "{c}__3"), None),
        (("person_with_{c}_1", "person_with_{c}_2"), None),  # one each class, but both the same
        (("person_{c}_1", "person_{c}_2"), None),
        (("X{c}__1", "X{c}__2"), None),
        (("{c}__1", "anna__2", "ben__3"), 4),
        (("X{c}__1", "X{c}__2", "holiday"), 4),
    ],
)
def test_names_that_tell_the_class_tell_no_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], people: int | None
) -> None:
    touch(tmp_path, *(f"{c}/{name.format(c=c)}.jpg" for c in ("with", "without") for name in names))
    person = read_folder(tmp_path).person
    assert (None if person is None else len(set(person.tolist()))) == people
    said = capsys.readouterr().err
    assert "--people" in said and ("tell no people" in said or people is not None)


def test_a_csv_tells_the_people(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/9.jpg", "b/anna__3.jpg")
    people = tmp_path / "people.csv"
    people.write_text("Person,File\nx,a/1.jpg\ny,./b/1.jpg\nx,9.jpg\nz,gone.jpg\n,a/2.jpg\n")
    table = read_folder(tmp_path, people=people)
    assert table.person is not None
    assert table.person.tolist() == ["x", "of a/2.jpg", "y", "x", "of b/anna__3.jpg"]
    assert table.issues.missing == ("gone.jpg",)


def test_a_spreadsheet_may_have_written_the_people(tmp_path: Path) -> None:
    touch(tmp_path, "a/Smith, J, 1.jpg", "a/2.jpg", "b/3.jpg")
    people = tmp_path / "people.csv"
    people.write_text("\ufefffile;person\r\nSmith, J, 1.jpg;x\r\n;\r\na/2.jpg;y\r\n3.jpg;x\r\n")
    table = read_folder(tmp_path, people=people)
    assert table.person is not None and table.person.tolist() == ["y", "x", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,who\na/1.jpg,x\n", "wanted are file and person"),
        ("", "wanted are file and person"),
        ("file,person\n1.jpg,x\n", "may be a/1.jpg or b/1.jpg"),
        ("file,person\na/1.jpg,x\na/1.jpg,y\n", "'x' in one row, 'y' in another"),
        ("file,person\na/1.jpg," + "9" * 6000 + "\n", "line 2 has a cell of 6,000 characters"),
        ("file,person\nelse.jpg,x\n", r"none of the 3 pictures.*a/1\.jpg"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg")
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_folder(tmp_path, people=tmp_path / "people.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("readme.txt",), "no pictures in class folders"),
        (("a/anna/1.jpg", "b/ben/1.jpg"), r"\(2 elsewhere, such as a/anna/1\.jpg\)"),
        (("1.jpg", "2.jpg"), r"\(2 elsewhere, such as 1\.jpg\)"),
        (("a/1.jpg", "b/notes.txt"), r"one class \(a\)"),
        (("train/cat/1.jpg", "train/dog/1.jpg", "test/Cat/1.jpg"), "'Cat' and 'cat'"),
    ],
)
def test_what_is_no_class_folder_is_refused(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_folder(touch(tmp_path, *names))
