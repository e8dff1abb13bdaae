"""Labelled pictures in TFRecord files of ``tf.train.Example``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.celeba import require_splits
from facekit.datasets.table import Issues, Table
from facekit.datasets.tfrecord_files import (
    find_tensorflow,
    first_value,
    read_examples,
    record_files,
    split_of,
)
from facekit.datasets.tfrecord_labels import name_labels
from facekit.errors import DataError, UsageError

__all__ = ["IMAGE_KEY", "LABEL_KEY", "TEXT_KEY", "read_tfrecord", "write_tfrecord"]

#: Keys of TF-Slim's image records, which most tools write.
IMAGE_KEY: Final = "image/encoded"
LABEL_KEY: Final = "image/class/label"
TEXT_KEY: Final = "image/class/text"


@dataclass(frozen=True)
class _Found:
    """What one record says."""

    place: tuple[int, int]  # file, record
    record_id: str
    value: Any  # the label as written
    text: str  # its name as written
    pictured: bool


def read_tfrecord(
    path: Path | str | Sequence[Path | str],
    *,
    classes: Sequence[str] | None = None,
    image_key: str = IMAGE_KEY,
    label_key: str = LABEL_KEY,
    first_label: int = 0,
    split: str | None = None,
    aligned: str | None = "fer",
) -> Table:
    """Read the labels of records; pictures stay encoded and are streamed.

    Records whose label is no class or that have no picture are left out and named
    in ``issues``.

    Args:
        path: A file, several, or a folder of files such as
            ``train-00000-of-00005.tfrecord`` (``.gz`` is unpacked).
        classes: Class names in the order of the labels; None takes the names in
            ``image/class/text``, and ``EMOTIONS`` where there are none. Where a record
            names its class, that counts and not the number.
        image_key: Feature with the encoded picture (JPEG, PNG, …).
        label_key: Feature with the label: a whole number, or a class name.
        first_label: Number of the first class: 0 or 1; where classes have no names.
        split: "train", "val" or "test" for all; None takes the word in each file's
            name, or "train" where it has none.
        aligned: Key of ``frame.ALIGNED_EYES``; None to detect faces.

    Returns:
        Table named "tfrecord" with int64 labels of shape (n,) from 0; an id is the
        file's name and the record's place in it.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        DataError: No file, a damaged one, no usable record, a number with two names,
            or labels that start at 1 though ``first_label`` is 0.
        UsageError: ``first_label`` or ``split`` is something else.
    """
    if first_label not in (0, 1):
        raise UsageError(f"first_label {first_label!r} is neither 0 nor 1")
    if split is not None:
        require_splits((split,))
    files = record_files(path)
    found, keys = _find(files, image_key, label_key)
    values, texts = [one.value for one in found], [one.text for one in found]
    names, labels = name_labels(values, texts, classes, first_label)
    pairs = list(zip(found, labels, strict=True))
    wrong = tuple(one.record_id for one, label in pairs if label is None)
    blank = tuple(one.record_id for one, n in pairs if n is not None and not one.pictured)
    good = [(one, label) for one, label in pairs if label is not None and one.pictured]
    _require_first(found, len(names), first_label)
    if not good:
        last = len(names) - 1 + first_label
        raise _unusable(keys, (image_key, label_key), f"{first_label} to {last}", wrong, blank)
    splits = [split or split_of(name) for name, _ in files]
    places = [one.place for one, _ in good]
    return Table(
        name="tfrecord",
        ids=np.array([one.record_id for one, _ in good], np.str_),
        images=_Pictures(tuple(file for _, file in files), np.array(places), image_key),
        labels=np.array([label for _, label in good], np.int64),
        label_names=names,
        split=np.array([splits[file] for file, _ in places], "<U5"),
        aligned=aligned,
        issues=Issues(unreadable=blank, mislabelled=wrong),
    )


def write_tfrecord(
    table: Table,
    path: Path,
    *,
    image_key: str = IMAGE_KEY,
    label_key: str = LABEL_KEY,
    first_label: int = 0,
    text_key: str | None = TEXT_KEY,
) -> None:
    """Write encoded pictures and labels as one TFRecord file, whole or not at all.

    Args:
        table: With one label a row; pictures are copied as they are encoded.
        path: Target; its folder exists.
        image_key: Feature for the picture.
        label_key: Feature for the label, a whole number.
        first_label: Number of the first class; -1 stays ``first_label - 1``.
        text_key: Feature for the class name; None writes none.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        OSError: A picture cannot be read or the file not be written.
    """
    tf = find_tensorflow()
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with tf.io.TFRecordWriter(os.fspath(part)) as writer:
            for picture, label in zip(_encoded(table), table.labels.tolist(), strict=True):
                number = tf.train.Int64List(value=[label + first_label])
                features = {
                    image_key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture])),
                    label_key: tf.train.Feature(int64_list=number),
                }
                if text_key is not None and 0 <= label < len(table.label_names):
                    text = tf.train.BytesList(value=[table.label_names[label].encode()])
                    features[text_key] = tf.train.Feature(bytes_list=text)
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class _Pictures:
    """Encoded pictures by (file, record), in that order."""

    files: tuple[Path, ...]
    places: NDArray[np.int64]
    image_key: str

    def __len__(self) -> int:
        return len(self.places)

    def stream(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        """Yield the pictures of ascending rows; each file is read once.

        Raises:
            ValueError: The rows do not ascend.
            DataError: A file is damaged.
        """
        if (np.diff(rows) <= 0).any():
            raise ValueError("a stream reads rows in ascending order only")
        wanted = self.places[rows]
        for i in np.unique(wanted[:, 0]).tolist():
            numbers = set(wanted[wanted[:, 0] == i, 1].tolist())
            last = max(numbers)
            for number, features in enumerate(read_examples(self.files[i])):
                if number in numbers:
                    yield first_value(features, self.image_key)
                if number == last:
                    break


def _encoded(table: Table) -> Iterator[bytes]:
    if isinstance(table.images, Sequence):
        return (path.read_bytes() for path in table.images)
    return table.images.stream(np.arange(len(table)))


def _find(
    files: Sequence[tuple[str, Path]], image_key: str, label_key: str
) -> tuple[list[_Found], set[str]]:
    """What every record says, and all keys that occur."""
    found: list[_Found] = []
    keys: set[str] = set()
    for i, (name, file) in enumerate(files):
        for number, features in enumerate(read_examples(file)):
            text = first_value(features, TEXT_KEY)
            found.append(
                _Found(
                    (i, number),
                    f"{name}/{number:06d}",
                    first_value(features, label_key),
                    text.decode("utf-8", "replace") if isinstance(text, bytes) else "",
                    isinstance(first_value(features, image_key), bytes),
                )
            )
            keys.update(features)
    return found, keys


def _require_first(found: Sequence[_Found], classes: int, first_label: int) -> None:
    """Refuse labels that are one off; those with a name beside them are not meant."""
    numbers = [one.value for one in found if isinstance(one.value, int) and not one.text]
    if first_label == 0 and numbers and min(numbers) == 1 and max(numbers) == classes:
        raise DataError(f"the labels run from 1 to {classes}: pass first_label 1 (0 was taken)")


def _unusable(
    have: set[str], asked: tuple[str, str], numbers: str, wrong: Sequence[str], blank: Sequence[str]
) -> DataError:
    """Why no record can be used."""
    absent = [key for key in asked if key not in have]
    if absent:
        shown = ", ".join(sorted(have)[:8]) or "no keys"
        return DataError(
            f"no record has {' or '.join(absent)}; they have {shown}: name the right key"
        )
    return DataError(
        f"no record can be used: {len(wrong):,} labels are not {numbers} or a class name, "
        f"{len(blank):,} have no picture"
    )
