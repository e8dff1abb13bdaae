"""FER-2013 goes to TFRecords and comes back with the same pictures and classes."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.datasets.fer import read_fer
from facekit.datasets.tfrecord import read_tfrecord
from facekit.errors import DataError, MissingExtraError, UsageError
from facekit.labels import EMOTIONS, SIX_EMOTIONS
from facekit.workflows import export_tfrecord as module
from facekit.workflows.export_tfrecord import export_tfrecord


def as_six(emotion: str) -> str | None:
    return {"fear": None, "neutral": "natural"}.get(emotion, emotion)


@pytest.mark.tf
def test_six_classes_come_back(cartoon_fer: Path, tmp_path: Path) -> None:
    out = tmp_path / "fer.tfrecord"
    train, test = export_tfrecord(cartoon_fer, out, first_label=1)
    assert (train.split, test.split) == ("train", "test")
    assert train.counts == dict.fromkeys(SIX_EMOTIONS, 8) and train.left_out == {"fear": 8}
    assert test.path == tmp_path / "fer-test.tfrecord" and test.left_out == {"fear": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fer-test.tfrecord", "fer-train.tfrecord"
    ]  # fmt: skip
    source, table = read_fer(cartoon_fer), read_tfrecord(tmp_path)
    assert table.label_names == SIX_EMOTIONS and len(table) == 66
    wanted = Counter(
        (path.read_bytes(), str(split), as_six(EMOTIONS[label]))  # type: ignore[attr-defined]
        for path, split, label in zip(source.images, source.split, source.labels, strict=True)
        if label != EMOTIONS.index("fear")
    )
    assert not isinstance(table.images, list)
    pictures = table.images.stream(np.arange(len(table)))  # type: ignore[union-attr]
    found = Counter(
        (picture, str(split), table.label_names[label])
        for picture, split, label in zip(pictures, table.split, table.labels, strict=True)
    )
    assert found == wanted
    assert len(np.flatnonzero(np.diff(table.labels))) > 20  # not class by class
    with pytest.raises(UsageError, match=r"fer-train\.tfrecord is there already"):
        export_tfrecord(cartoon_fer, out)


Written = list[tuple[str, tuple[str, ...], list[int], dict[str, Any]]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """What was handed to the writer, which needs TensorFlow."""
    seen: Written = []

    def write(table: Any, path: Path, **options: Any) -> None:
        path.write_bytes(b"records")
        seen.append((path.name, table.label_names, table.labels.tolist(), options))

    monkeypatch.setattr(module, "write_tfrecord", write)
    monkeypatch.setattr(module, "find_tensorflow", lambda: None)
    return seen


def test_any_classes_keys_and_first_label(
    written: Written, cartoon_fer: Path, tmp_path: Path
) -> None:
    keys = {"image_key": "png", "label_key": "y"}
    given = {"classes": "happy=good,sad=bad,angry=bad", "first_label": 1, **keys}
    done = export_tfrecord(cartoon_fer, tmp_path / "x.tfrec", **given)  # type: ignore[arg-type]
    (name, names, labels, options), (other, *_) = written
    assert (name, other, names) == ("x-train.tfrec", "x-test.tfrec", ("good", "bad"))
    assert Counter(labels) == {0: 8, 1: 16} and options == {"first_label": 1, **keys}
    assert done[1].counts == {"good": 3, "bad": 6}
    assert done[0].left_out == dict.fromkeys(("disgust", "fear", "surprise", "neutral"), 8)


def test_a_csv_is_written_in_its_own_order(written: Written, tmp_path: Path) -> None:
    from facekit.datasets.fer import SIDE

    rows = [f"{label},{' '.join(['9'] * SIDE**2)},Training" for label in (3, 2, 6, 0)]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    (done,) = export_tfrecord(tmp_path, tmp_path / "fer.tfrecord")
    assert written[0][2] == [2, 3, 0] and done.left_out == {"fear": 1}
    assert done.counts["natural"] == 1 and done.split == "train"


def test_all_files_or_none(
    written: Written, cartoon_fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(table: Any, path: Path, **options: Any) -> None:
        path.write_bytes(b"half")
        if "test" in path.name:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_tfrecord", fails)
    with pytest.raises(OSError, match="No space"):
        export_tfrecord(cartoon_fer, tmp_path / "fer.tfrecord")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "eight"}, "'eight' is no emotion"),
        ({"first_label": 2}, "--first-label 2"),
        ({"label_key": "image/encoded"}, "must be three names"),
        ({"label_key": "image/class/text"}, "must be three names"),
        ({"out": "fer.records.gz"}, "does not end in .tfrecord"),
        ({"out": "fer_test.tfrecord"}, "holds the name of a split"),
    ],
)
def test_what_cannot_be_written_is_told_first(
    options: dict[str, Any], words: str, cartoon_fer: Path, tmp_path: Path
) -> None:
    out = tmp_path / options.pop("out", "fer.tfrecord")
    with pytest.raises(UsageError, match=words) as caught:
        export_tfrecord(cartoon_fer, out, **options)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_the_folder_is_made_and_a_file_in_its_place_is_told(
    written: Written, cartoon_fer: Path, tmp_path: Path
) -> None:
    done = export_tfrecord(cartoon_fer, tmp_path / "new" / "records" / "fer.tfrecord")
    assert {one.path.parent for one in done} == {tmp_path / "new" / "records"}
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="which is a file: name another folder"):
        export_tfrecord(cartoon_fer, tmp_path / "file" / "fer.tfrecord")


def test_a_split_without_the_classes_is_told(cartoon_fer: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cartoon_fer, tmp_path / "fer"))
    for emotion in ("happy", "sad"):
        shutil.rmtree(folder / "test" / emotion)
    with pytest.raises(DataError, match="none of the test images is happy, sad"):
        export_tfrecord(folder, tmp_path / "fer.tfrecord", classes="happy,sad")
    with pytest.raises(DataError, match="is no FER-2013"):
        export_tfrecord(tmp_path / "gone", tmp_path / "fer.tfrecord")


def test_without_tensorflow_the_extra_is_named(
    cartoon_fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match=r"facekit-transfer\[train\]"):
        export_tfrecord(cartoon_fer, tmp_path / "fer.tfrecord")
    assert list(tmp_path.iterdir()) == []
