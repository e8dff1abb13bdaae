"""Opening pictures with one class each, by the name of their source."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.datasets.registry import names
from facekit.datasets.sources import open_classes
from facekit.errors import DataError, UsageError


def draw(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.full((48, 48), 99, np.uint8))
    return folder


@pytest.fixture
def fer(tmp_path: Path) -> Path:
    parts = [("train", 10), ("test", 4)]
    names = [f"{p}/{e}/{i}.png" for p, n in parts for e in ("angry", "sad") for i in range(n)]
    return draw(tmp_path / "fer", *names)


def test_each_source_is_known(fer: Path, tmp_path: Path) -> None:
    assert names("classes") == ("fer", "ckplus", "folder", "tfrecord")
    assert open_classes("fer", fer).label_names[0] == "angry"
    assert open_classes("folder", fer, aligned="fer").label_names == ("angry", "sad")
    ckplus = draw(tmp_path / "ck", "anger/S010_004_00000017.png")
    assert open_classes("ckplus", ckplus).labels.tolist() == [0]
    (fer / "people.csv").write_text("file,person\ntrain/angry/0.png,x\ntrain/sad/0.png,x\n")
    table = open_classes("folder", fer, people=fer / "people.csv")
    assert table.person is not None and (table.person == "x").sum() == 2
    votes = "file,neutral,happy,surprise,sad,angry,disgust,fear\ntrain/sad/0.png,0,0,0,1,2,0,0\n"
    (fer / "ferplus_votes.csv").write_text(votes)
    voted = open_classes("fer", fer, labels="ferplus")
    assert voted.labels[10] == 0 and voted.labels[11] == -1
    own = open_classes("fer", fer, votes=True)
    assert own.soft is not None and own.labels[10] == 4


@pytest.mark.tf
def test_records(fer: Path, tmp_path: Path) -> None:
    from facekit.datasets.tfrecord import write_tfrecord

    keys = {"image_key": "x", "label_key": "y", "first_label": 1}
    write_tfrecord(open_classes("fer", fer), tmp_path / "train.tfrecord", **keys)
    table = open_classes("tfrecord", tmp_path / "train.tfrecord", **keys)
    assert table.aligned == "fer" and sorted(set(table.labels.tolist())) == [0, 4]
    two = open_classes("tfrecord", tmp_path / "train.tfrecord", classes=("sad", "angry"), **keys)
    assert (
        two.label_names == ("sad", "angry")
        and two.labels.tolist() == (1 - table.labels // 4).tolist()
    )


def test_splits_and_limits_keep_every_class(fer: Path) -> None:
    assert set(open_classes("fer", fer, splits=("test",)).split.tolist()) == {"test"}
    table = open_classes("fer", fer, limit=4)
    assert table.split.tolist() == ["train"] * 4 + ["test"] * 4
    assert table.labels.tolist() == [0, 0, 4, 4] * 2
    assert len(open_classes("fer", fer, limit=99)) == 28


def test_what_is_wrong_goes_to_standard_error(
    fer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_classes("fer", fer)
    assert capsys.readouterr().err == ""
    (fer / "test" / "sad" / "notes.txt").touch()
    open_classes("fer", fer)
    shown = capsys.readouterr()
    assert shown.out == "" and "test/sad/notes.txt" in shown.err


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        ("fer2013", {}, "'fer2013' is not known; did you mean fer"),
        ("fer", {"aligned": "lfw"}, "'lfw' is not among celeba, fer"),
        ("folder", {"splits": ("later",)}, "splits"),
        ("fer", {"labels": "votes"}, "'votes' is not among fer, ferplus"),
    ],
)
def test_wrong_names_are_refused(
    fer: Path, dataset: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_classes(dataset, fer, **options)  # type: ignore[arg-type]


def test_no_data_and_no_rows_are_refused(fer: Path) -> None:
    with pytest.raises(UsageError, match=r"--data is missing.*fer2013\.csv"):
        open_classes("fer", None)
    with pytest.raises(
        DataError, match=r"folder has no images of val \(it has: test, train\): name"
    ):
        open_classes("folder", fer, splits=("val",))
