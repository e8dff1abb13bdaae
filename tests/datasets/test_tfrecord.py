"""TFRecords: what is written is read again, and what is wrong is counted or refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.datasets.table import Table
from facekit.datasets.tfrecord import (
    masked_crc,
    read_tfrecord,
    record_files,
    split_of,
    write_tfrecord,
)
from facekit.errors import DataError, MissingExtraError, UsageError
from facekit.labels import EMOTIONS, SIX_EMOTIONS


def draw(folder: Path, labels: list[int]) -> Table:
    paths = [folder / f"{i}.png" for i in range(len(labels))]
    for i, path in enumerate(paths):
        assert cv2.imwrite(str(path), np.full((48, 48), 20 * i, np.uint8))
    return Table(
        name="fer",
        ids=np.array([path.name for path in paths]),
        images=paths,
        labels=np.array(labels, np.int64),
        label_names=EMOTIONS,
        split=np.array(["train"] * len(paths)),
    )


def pictures(table: Table, rows: list[int] | None = None) -> list[bytes]:
    assert not isinstance(table.images, list)
    wanted = np.arange(len(table)) if rows is None else np.array(rows)
    return list(table.images.stream(wanted))  # type: ignore[union-attr]


@pytest.mark.tf
@pytest.mark.parametrize("first", [0, 1])
def test_what_is_written_is_read(tmp_path: Path, first: int) -> None:
    source = draw(tmp_path, [3, 0, 6, 2, 5])
    path = tmp_path / "faces.tfrecord"
    keys = {"image_key": "png", "label_key": "emotion"}
    write_tfrecord(source, path, first_label=first, **keys)
    table = read_tfrecord(path, first_label=first, **keys)
    assert (table.name, table.label_names, table.aligned) == ("tfrecord", EMOTIONS, "fer")
    assert table.labels.tolist() == [3, 0, 6, 2, 5] and table.labels.dtype == np.int64
    assert table.ids[1] == "faces.tfrecord/000001" and set(table.split.tolist()) == {"train"}
    original = [one.read_bytes() for one in source.images]  # type: ignore[union-attr]
    assert pictures(table) == original
    assert pictures(table, [1, 4]) == [original[1], original[4]]
    assert pictures(table.select(np.array([0, 3]))) == [original[0], original[3]]
    with pytest.raises(ValueError, match="ascending"):
        pictures(table, [3, 1])
    again = tmp_path / "again.tfrecord"
    write_tfrecord(table, again, first_label=first, **keys)
    assert again.read_bytes() == path.read_bytes()
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


@pytest.mark.tf
def test_it_is_cropped_like_the_files(tmp_path: Path) -> None:
    from dataclasses import replace

    from facekit.cache.crops import build_cache
    from facekit.frame import FaceFrame

    source = draw(tmp_path, [0, 1, 2])
    write_tfrecord(source, tmp_path / "faces.tfrecord")
    tables = replace(source, aligned="fer"), read_tfrecord(tmp_path)
    crops = [
        build_cache(one, FaceFrame(side=40), root=tmp_path / "cache", progress=False).crops
        for one in tables
    ]
    assert np.array_equal(*crops)


@pytest.mark.tf
def test_wrong_records_are_left_out_and_named(tmp_path: Path) -> None:
    write_tfrecord(draw(tmp_path, [0, 7, 6, -1, 3]), tmp_path / "a.tfrecord")
    records = [example(x=b"x", y=2), example(x=None, y=3), example(x=b"z", y=None)]
    write_records(tmp_path / "b.tfrecord", records)
    table = read_tfrecord(tmp_path / "a.tfrecord")
    assert table.labels.tolist() == [0, 6, 3]
    assert table.issues.mislabelled == ("a.tfrecord/000001", "a.tfrecord/000003")
    assert table.ids.tolist() == [f"a.tfrecord/00000{i}" for i in (0, 2, 4)]
    table = read_tfrecord(tmp_path / "b.tfrecord", image_key="x", label_key="y")
    assert table.labels.tolist() == [2] and pictures(table) == [b"x"]
    assert table.issues.unreadable == ("b.tfrecord/000001",)
    assert table.issues.mislabelled == ("b.tfrecord/000002",)


@pytest.mark.tf
def test_labels_may_be_names(tmp_path: Path) -> None:
    records = [example(x=b"1", y=b"Happiness"), example(x=b"2", y=b"contempt")]
    write_records(tmp_path / "faces.tfrecord", records)
    table = read_tfrecord(tmp_path, image_key="x", label_key="y")
    assert table.labels.tolist() == [EMOTIONS.index("happy")] and len(table.issues.mislabelled) == 1
    records = [example(x=b"1", y=b"dog"), example(x=b"2", y=b"cat")]
    write_records(tmp_path / "faces.tfrecord", records)
    table = read_tfrecord(tmp_path, classes=("dog", "cat"), image_key="x", label_key="y")
    assert table.labels.tolist() == [0, 1] and table.label_names == ("dog", "cat")


@pytest.mark.tf
def test_classes_are_told_by_their_names(tmp_path: Path) -> None:
    """Label 2 is happy in six classes and fear in seven."""
    from dataclasses import replace

    six = replace(draw(tmp_path, [0, 2, 3, 5]), label_names=SIX_EMOTIONS)
    write_tfrecord(six, tmp_path / "six.tfrecord", first_label=1)
    table = read_tfrecord(tmp_path / "six.tfrecord")
    assert table.label_names == ("angry", "happy", "natural", "surprise")
    assert table.labels.tolist() == [0, 1, 2, 3]
    table = read_tfrecord(tmp_path / "six.tfrecord", classes=SIX_EMOTIONS)
    assert table.label_names == SIX_EMOTIONS and table.labels.tolist() == [0, 2, 3, 5]
    table = read_tfrecord(tmp_path / "six.tfrecord", classes=EMOTIONS)
    assert [EMOTIONS[i] for i in table.labels] == ["angry", "happy", "neutral", "surprise"]
    write_tfrecord(draw(tmp_path, [2, 3, 6]), tmp_path / "seven.tfrecord")
    table = read_tfrecord(tmp_path / "seven.tfrecord", classes=SIX_EMOTIONS)
    assert [SIX_EMOTIONS[i] for i in table.labels] == ["happy", "natural"]
    assert table.issues.mislabelled == ("seven.tfrecord/000000",)  # fear is none of the six
    table = read_tfrecord(tmp_path / "seven.tfrecord")
    assert table.label_names == EMOTIONS and table.labels.tolist() == [2, 3, 6]


@pytest.mark.tf
def test_a_folder_of_files_tells_the_splits(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    for name, labels in (("train-00000-of-00002", [1, 2]), ("train-00001-of-00002", [3])):
        write_tfrecord(draw(tmp_path, labels), tmp_path / "records" / f"{name}.tfrecord")
    packed = tmp_path / "records" / "fer_validation.tfrecord.gz"
    write_tfrecord(draw(tmp_path, [0, 5]), tmp_path / "plain")
    packed.write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    table = read_tfrecord(tmp_path / "records")
    assert table.labels.tolist() == [0, 5, 1, 2, 3]
    assert table.split.tolist() == ["val"] * 2 + ["train"] * 3
    assert len(pictures(table, [1, 2, 4])) == 3
    two = [packed, tmp_path / "records" / "train-00001-of-00002.tfrecord"]
    assert read_tfrecord(two, split="test").split.tolist() == ["test"] * 3


@pytest.mark.tf
@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([1, 4, 7], {}, r"run from 1 to 7: pass first_label 1"),
        ([9, -3], {}, "2 labels are not 0 to 6"),
        ([8, 0], {"first_label": 1}, "2 labels are not 1 to 7"),
        ([1, 2], {"label_key": "y"}, r"no record has y; they have image/class/label"),
        ([1, 2], {"image_key": "x"}, r"no record has x; they have"),
    ],
)
def test_what_says_nothing_is_refused(
    tmp_path: Path, labels: list[int], options: dict[str, Any], message: str
) -> None:
    write_tfrecord(draw(tmp_path, labels), tmp_path / "faces.tfrecord", text_key=None)
    with pytest.raises(DataError, match=message) as caught:
        read_tfrecord(tmp_path / "faces.tfrecord", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.tf
@pytest.mark.parametrize("keep", [-7, 40])
def test_a_damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "faces.tfrecord"
    write_tfrecord(draw(tmp_path, [1, 2, 3]), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"faces\.tfrecord is damaged") as caught:
        read_tfrecord(path)
    assert "\n" not in str(caught.value)


@pytest.mark.tf
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("length", [1 << 40, 1 << 31, (1 << 64) - 1])
def test_a_record_longer_than_its_file_is_refused(
    tmp_path: Path, length: int, packed: bool
) -> None:
    """TensorFlow takes memory for what the length says: it ended the process."""
    head = length.to_bytes(8, "little")
    data = head + masked_crc(head) + bytes(100)
    path = tmp_path / "test.tfrecord"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match="a record is longer than the file"):
        read_tfrecord(path)


@pytest.mark.tf
def test_what_is_packed_is_told_by_its_bytes(tmp_path: Path) -> None:
    """A name says nothing; a record of 0x8b1f bytes begins like gzip and is none."""
    plain, packed = tmp_path / "a.tfrecord.gz", tmp_path / "b.tfrecord"
    write_tfrecord(draw(tmp_path, [1, 2]), plain)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_tfrecord(plain).labels.tolist() == read_tfrecord(packed).labels.tolist() == [1, 2]
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b\.tfrecord is damaged"):
        read_tfrecord(packed)
    record = example(x=b"", y=2)
    record = example(x=bytes(0x8B1F - record.ByteSize() - 10), y=2)
    assert record.ByteSize() == 0x8B1F
    write_records(tmp_path / "c.tfrecord", [record])
    assert (tmp_path / "c.tfrecord").read_bytes()[:2] == b"\x1f\x8b"
    assert len(read_tfrecord(tmp_path / "c.tfrecord", image_key="x", label_key="y")) == 1


@pytest.mark.tf
@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("first", [0, 1])
def test_one_hot_labels_are_read(tmp_path: Path, kind: type, first: int) -> None:
    rows = [[kind(i == j) for j in range(7)] for i in (4, 0, 6)]
    write_records(tmp_path / "a.tfrecord", [example(x=b"x", y=row) for row in rows])
    table = read_tfrecord(tmp_path, image_key="x", label_key="y", first_label=first)
    assert table.labels.tolist() == [4, 0, 6]


@pytest.mark.tf
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0, 1, 1, 0, 0, 0, 0]], r"a\.tfrecord/000000: y has 7 values \(0, 1, 1, 0, 0, 0, 0\)"),
        ([[0, 0, 1, 0, 0, 0, 0], [0] * 7], "a.tfrecord/000001: y has 7 values"),
        ([[0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]], "y has 7 values"),
        ([[3, 5]], r"y has 2 values \(3, 5\)"),
        ([[b"happy", b"sad"]], "y has 2 values"),
        ([[0, 1, 0]], "3 numbers .* there are 7 classes"),
        ([[0, 1, 0, 0, 0, 0, 0, 0]], "8 numbers .* there are 7 classes"),
    ],
)
def test_labels_of_several_values_are_refused(
    tmp_path: Path, rows: list[Any], message: str
) -> None:
    write_records(tmp_path / "a.tfrecord", [example(x=b"x", y=row) for row in rows])
    with pytest.raises(DataError, match=message) as caught:
        read_tfrecord(tmp_path, image_key="x", label_key="y")
    assert "\n" not in str(caught.value)


@pytest.mark.tf
def test_a_record_of_several_pictures_is_counted(tmp_path: Path) -> None:
    records = [example(x=[b"1", b"2"], y=1), example(x=b"3", y=2)]
    write_records(tmp_path / "a.tfrecord", records)
    table = read_tfrecord(tmp_path, image_key="x", label_key="y")
    assert table.issues.unreadable == ("a.tfrecord/000000",) and pictures(table) == [b"3"]


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="first_label 2"):
        read_tfrecord(tmp_path, first_label=2)
    with pytest.raises(UsageError, match="splits"):
        read_tfrecord(tmp_path, split="later")
    with pytest.raises(DataError, match=r"no \*\.tfrecord"):
        read_tfrecord(tmp_path)
    with pytest.raises(DataError, match="is no file"):
        read_tfrecord(tmp_path / "gone.tfrecord")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.tfrec").touch()
    with pytest.raises(DataError, match=r"two files are called x\.tfrec"):
        read_tfrecord([tmp_path / "a" / "x.tfrec", tmp_path / "b" / "x.tfrec"])
    assert [name for name, _ in record_files(tmp_path)] == ["a/x.tfrec", "b/x.tfrec"]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train-00000-of-00005.tfrecord", "train"), ("fer_test.record", "test"),
     ("VALID.tfrec", "val"), ("faces.tfrecord", "train"), ("contest.tfrecord", "train")],
)  # fmt: skip
def test_the_split_is_a_word_of_the_name(name: str, split: str) -> None:
    assert split_of(name) == split


def test_without_tensorflow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorflow", None)
    (tmp_path / "faces.tfrecord").touch()
    with pytest.raises(MissingExtraError, match=r"facekit-transfer\[train\]"):
        read_tfrecord(tmp_path)


def example(**features: Any) -> Any:
    """An Example of features; a list has several values, None has none."""
    import tensorflow as tf

    made = {}
    for key, value in features.items():
        values = [] if value is None else value if isinstance(value, list) else [value]
        if values and isinstance(values[0], bytes):
            made[key] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif values and isinstance(values[0], float):
            made[key] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            made[key] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature=made))


def write_records(path: Path, examples: list[Any]) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in examples:
            writer.write(one.SerializeToString())
