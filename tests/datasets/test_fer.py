"""FER-2013 as folders and as the original csv: the same pictures and labels."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.cache.crops import build_cache
from facekit.datasets.fer import read_fer
from facekit.errors import DataError, UsageError
from facekit.frame import FaceFrame
from facekit.labels import EMOTIONS

VOTED = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
    "contempt", "unknown", "NF",
)  # fmt: skip
USAGES = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
#: (split, class folder, emotion number) of the drawn pictures, in listing order.
DRAWN = [
    (split, folder, EMOTIONS.index(emotion))
    for split in ("train", "val", "test")
    for folder, emotion in (("Anger", "angry"), ("happy", "happy"), ("natural", "neutral"))
]


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (48, 48)).astype(np.uint8)


def draw(folder: Path) -> Path:
    for number, (split, emotion, _) in enumerate(DRAWN):
        path = folder / split / emotion / f"{number}.png"
        path.parent.mkdir(parents=True)
        assert cv2.imwrite(str(path), picture(number))
    return folder


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def pixel_rows() -> list[list[Any]]:
    return [
        [label, " ".join(map(str, picture(number).ravel())), USAGES[split]]
        for number, (split, _, label) in enumerate(DRAWN)
    ]


def write_pixels(folder: Path, rows: list[list[Any]]) -> Path:
    return write(folder / "fer2013.csv", ("emotion", " pixels", " Usage"), rows)


def votes(**given: int) -> list[int]:
    return [given.get(name, 0) for name in VOTED]


def test_folders_are_matched_by_name(tmp_path: Path) -> None:
    table = read_fer(draw(tmp_path))
    assert (table.name, table.aligned, table.label_names) == ("fer", "fer", EMOTIONS)
    assert table.ids[0] == "train/Anger/0.png" and len(table) == 9
    assert table.labels.tolist() == [label for *_, label in DRAWN]
    assert table.split.tolist() == [split for split, *_ in DRAWN]
    assert table.labels.dtype == np.int64 and table.soft is None


def test_only_test_is_enough(tmp_path: Path) -> None:
    draw(tmp_path / "whole")
    (tmp_path / "part").mkdir()
    (tmp_path / "whole" / "test").rename(tmp_path / "part" / "test")
    assert set(read_fer(tmp_path / "part").split.tolist()) == {"test"}
    with pytest.raises(DataError, match="no pictures of train"):
        read_fer(tmp_path / "part", splits=("train",))
    assert len(read_fer(tmp_path / "whole", splits=("val", "test"))) == 3


def test_the_csv_gives_the_same_crops_and_labels(tmp_path: Path) -> None:
    folders = read_fer(draw(tmp_path / "folders"))
    (tmp_path / "csv").mkdir()
    file = write_pixels(tmp_path / "csv", pixel_rows())
    for path in (file, file.parent):
        table = read_fer(path)
        assert (table.name, table.aligned, table.issues.found) == ("fer", "fer", False)
        assert table.labels.tolist() == folders.labels.tolist()
        assert table.split.tolist() == folders.split.tolist()
        crops = [
            build_cache(one, FaceFrame(side=40), root=tmp_path / "cache", progress=False).crops
            for one in (folders, table)
        ]
        assert np.array_equal(*crops)
    assert table.ids[:2].tolist() == ["train/angry/00000", "train/happy/00001"]


def test_one_split_of_the_csv(tmp_path: Path) -> None:
    whole = read_fer(write_pixels(tmp_path, pixel_rows()))
    part = read_fer(tmp_path, splits=("test",))
    assert part.ids.tolist() == whole.ids[6:].tolist()
    assert [*part.images.stream(np.array([1]))] == [*whole.images.stream(np.array([7]))]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        (0, "7", "mislabelled"),
        (0, "happy", "mislabelled"),
        (2, "Later", "mislabelled"),
        (1, "1 2 3", "unreadable"),
        (1, " ".join(["256"] * 2304), "unreadable"),
        (1, " ".join(["x"] * 2304), "unreadable"),
        (1, " ".join(["4294967396"] * 2304), "unreadable"),
        (1, " ".join(["9" * 40] * 2304), "unreadable"),
        (0, "0" * 5000, "mislabelled"),
        (1, "", "unreadable"),
    ],
)
def test_damaged_rows_are_named_not_fatal(
    tmp_path: Path, column: int, value: str, kind: str
) -> None:
    rows = pixel_rows()
    rows[4][column] = value
    table = read_fer(write_pixels(tmp_path, rows))
    assert len(table) == 8 and "val/happy/00004" not in table.ids
    assert getattr(table.issues, kind) == ("line 6",)
    assert table.ids[4] == "val/neutral/00005"


@pytest.mark.parametrize("blank", [[], ["", "", ""], [" "]])
@pytest.mark.parametrize("place", [9, 4, 0])
def test_blank_lines_are_no_pictures(tmp_path: Path, blank: list[str], place: int) -> None:
    pixels = pixel_rows()
    rows = [[row[2], "", *votes(happiness=10)] for row in pixels]
    write(tmp_path / "fer2013new.csv", ("Usage", "Image name", *VOTED), rows)
    before = read_fer(write_pixels(tmp_path, pixels), labels="ferplus")
    write_pixels(tmp_path, [*pixels[:place], blank, *pixels[place:]])
    table = read_fer(tmp_path, labels="ferplus")
    assert table.ids.tolist() == before.ids.tolist() and not table.issues.found
    rows.insert(place, blank)
    write(tmp_path / "fer2013new.csv", ("Usage", "Image name", *VOTED), rows)
    assert len(read_fer(tmp_path, labels="ferplus")) == 9


def test_votes_for_one_picture_twice_are_refused(tmp_path: Path) -> None:
    draw(tmp_path)
    rows = [[f"train/Anger/0.{end}", *votes(anger=i)] for i, end in enumerate(("jpg", "png"))]
    write(tmp_path / "ferplus_votes.csv", ("file", *VOTED), rows)
    with pytest.raises(DataError, match=r"'train/Anger/0\.png' is listed twice"):
        read_fer(tmp_path, labels="ferplus")


def test_a_csv_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    rows = [[9, "1 2", "Training"], [0, "1 2", "Training"]]
    with pytest.raises(DataError, match=r"1 with unusable pixels.*line 3.*2,304") as caught:
        read_fer(write_pixels(tmp_path, rows))
    assert "\n" not in str(caught.value)
    write(tmp_path / "fer2013.csv", ("emotion", "image"), [(0, 1)])
    with pytest.raises(DataError, match="no column pixels, Usage"):
        read_fer(tmp_path)


def test_votes_of_files(tmp_path: Path) -> None:
    draw(tmp_path)
    rows = [
        ["train/Anger/0.jpg", *votes(anger=2, sadness=6, contempt=2)],  # the suffix does not count
        ["train/happy/1.png", *votes(contempt=4, unknown=4, NF=2)],
        ["train/natural/2.png", *[""] * 10],
        ["val/Anger/3.png", *votes(fear=5, anger=5)],
        ["elsewhere/1.png", *votes(happiness=10)],
    ]
    write(tmp_path / "ferplus_votes.csv", ("file", *VOTED), rows)
    table = read_fer(tmp_path, labels="ferplus")
    assert table.soft is not None and table.soft.dtype == np.float32
    assert table.soft[0].tolist() == [0.25, 0, 0, 0, 0.75, 0, 0]
    assert np.array_equal(table.soft.sum(1), [1, 0, 0, 1, 0, 0, 0, 0, 0])
    assert table.labels[:5].tolist() == [EMOTIONS.index("sad"), -1, -1, 0, -1]
    own = read_fer(tmp_path, votes=True)
    assert own.soft is not None and np.array_equal(own.soft, table.soft)
    assert own.labels.tolist() == read_fer(tmp_path).labels.tolist()


def test_votes_of_the_official_list(tmp_path: Path) -> None:
    pixels = pixel_rows()
    pixels[1][1] = "1 2 3"  # a row that is left out keeps its votes in their place
    write_pixels(tmp_path, pixels)
    rows = [[row[2], "", *votes(NF=10)] for row in pixels]
    rows[0][2:] = votes(disgust=1, neutral=3)
    rows[2][2:] = votes(surprise=9)
    file = write(tmp_path / "fer2013new.csv", ("Usage", "Image name", *VOTED), rows)
    table = read_fer(tmp_path, labels="ferplus")
    assert table.soft is not None and len(table) == 8
    assert table.soft[0].tolist() == [0, 0.25, 0, 0, 0, 0, 0.75]
    assert table.labels[:3].tolist() == [6, EMOTIONS.index("surprise"), -1]
    assert read_fer(tmp_path, labels="ferplus", splits=("test",)).labels.tolist() == [-1] * 3
    rows[0][0] = "PublicTest"
    write(file, ("Usage", "Image name", *VOTED), rows)
    with pytest.raises(DataError, match="9 rows that do not follow the 9"):
        read_fer(tmp_path, labels="ferplus")


@pytest.mark.parametrize(
    ("order", "good"),
    [
        (["fer0000000.png", "", *(f"fer000000{i}.png" for i in range(1, 8))], True),
        (["fer0000000.png", "", *(f"fer000000{i}.png" for i in range(2, 9))], True),
        ([f"fer000000{i}.png" for i in (1, 0, *range(2, 9))], False),
        ([f"fer000000{i}.png" for i in (0, 1, 2, 2, 3, 4, 5, 6, 7)], False),
        ([f"fer000000{i}.png" for i in range(8, -1, -1)], False),
    ],
)
def test_votes_in_another_order_are_refused(
    tmp_path: Path, order: Sequence[str], good: bool
) -> None:
    pixels = pixel_rows()
    write_pixels(tmp_path, pixels)
    rows = [[row[2], name, *votes(fear=10)] for row, name in zip(pixels, order, strict=True)]
    write(tmp_path / "fer2013new.csv", ("Usage", "Image name", *VOTED), rows)
    if good:
        assert read_fer(tmp_path, labels="ferplus").labels.tolist() == [2] * 9
        return
    with pytest.raises(DataError, match="names should count upwards"):
        read_fer(tmp_path, labels="ferplus")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (None, None, r"ferplus_votes\.csv is missing.*--labels fer"),
        (("name", *VOTED), ["train/Anger/0.png", *[1] * 10], "no column file"),
        (("file", *VOTED[1:]), ["train/Anger/0.png", *[1] * 9], "no column of votes for neutral"),
        (("file", *VOTED), ["train/Anger/0.png", "many", *[1] * 9], "no whole numbers"),
        (("file", *VOTED), ["train/Anger/0.png", "9" * 39, *[1] * 9], "no whole numbers"),
        (("file", *VOTED), ["train/Anger/0.png", "9" * 5000, *[1] * 9], "of 5,000 characters"),
        (("file", *VOTED), ["train/Anger/0.png", 1], "line 2 has 2 cells, the header 11"),
        (("file", *VOTED), ["other.png", *[1] * 10], "none of the 9 pictures"),
    ],
)
def test_bad_votes_are_refused(
    tmp_path: Path, header: Sequence[str] | None, row: Sequence[Any], message: str
) -> None:
    draw(tmp_path)
    if header:
        write(tmp_path / "ferplus_votes.csv", header, [row])
    with pytest.raises(DataError, match=message) as caught:
        read_fer(tmp_path, labels="ferplus")
    assert "\n" not in str(caught.value)


def test_what_is_no_fer_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"train/<emotion>/\*\.png.*fer2013\.csv"):
            read_fer(folder)
    draw(tmp_path)
    (tmp_path / "train" / "Anger").rename(tmp_path / "train" / "bored")
    with pytest.raises(DataError, match=r"'bored'.*surprise"):
        read_fer(tmp_path)
    with pytest.raises(UsageError, match="'rafdb' is not among fer, ferplus"):
        read_fer(tmp_path, labels="rafdb")
    with pytest.raises(UsageError, match="splits"):
        read_fer(tmp_path, splits=("later",))


@pytest.mark.real
def test_the_real_folders_agree_with_the_card(real_data: Path) -> None:
    from facekit.datasets.cards import card_files, read_card

    table = read_fer(real_data / "fer2013", votes=True)
    card = read_card(card_files()["fer2013"])["counts"]
    train = table.split == "train"
    assert np.bincount(table.labels[train]).tolist() == list(card["train_classes"].values())
    assert table.soft is not None
    assert (table.soft.sum(1) == 0).sum() == 165
