"""Labelled pictures in TFRecord files of ``tf.train.Example``."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
from facekit.errors import DataError, UsageError
from facekit.labels import EMOTIONS, emotion_index

__all__ = ["IMAGE_KEY", "LABEL_KEY", "read_tfrecord", "write_tfrecord"]

#: Keys of TF-Slim's image records, which most tools write.
IMAGE_KEY: Final = "image/encoded"
LABEL_KEY: Final = "image/class/label"


@dataclass
class _Found:
    """What the records of all files say."""

    labels: list[int] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)  # file, record
    unreadable: list[str] = field(default_factory=list)
    mislabelled: list[str] = field(default_factory=list)
    numbers: Counter[int] = field(default_factory=Counter)  # labels as written
    keys: set[str] = field(default_factory=set)


def read_tfrecord(
    path: Path | str | Sequence[Path | str],
    *,
    classes: Sequence[str] = EMOTIONS,
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
        classes: Class names in the order of the labels.
        image_key: Feature with the encoded picture (JPEG, PNG, …).
        label_key: Feature with the label: a whole number, or a class name.
        first_label: Number of the first class: 0 or 1.
        split: "train", "val" or "test" for all; None takes the word in each file's
            name, or "train" where it has none.
        aligned: Key of ``frame.ALIGNED_EYES``; None to detect faces.

    Returns:
        Table named "tfrecord" with int64 labels of shape (n,) from 0; an id is the
        file's name and the record's place in it.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        DataError: No file, a damaged one, no usable record, or labels that start at
            1 though ``first_label`` is 0.
        UsageError: ``first_label`` or ``split`` is something else.
    """
    if first_label not in (0, 1):
        raise UsageError(f"first_label {first_label!r} is neither 0 nor 1")
    if split is not None:
        require_splits((split,))
    files = record_files(path)
    found = _Found()
    for i, (name, file) in enumerate(files):
        for number, features in enumerate(read_examples(file)):
            record_id = f"{name}/{number:06d}"
            value = first_value(features, label_key)
            if isinstance(value, int):
                found.numbers[value] += 1
            found.keys.update(features)
            label = _label(value, classes, first_label)
            if label is None:
                found.mislabelled.append(record_id)
            elif not isinstance(first_value(features, image_key), bytes):
                found.unreadable.append(record_id)
            else:
                found.labels.append(label)
                found.places.append((i, number))
    _require_usable(found, len(classes), (image_key, label_key), first_label)
    splits = [split or split_of(name) for name, _ in files]
    return Table(
        name="tfrecord",
        ids=np.array([f"{files[i][0]}/{number:06d}" for i, number in found.places], np.str_),
        images=_Pictures(tuple(file for _, file in files), np.array(found.places), image_key),
        labels=np.array(found.labels, np.int64),
        label_names=tuple(classes),
        split=np.array([splits[i] for i, _ in found.places], "<U5"),
        aligned=aligned,
        issues=Issues(unreadable=tuple(found.unreadable), mislabelled=tuple(found.mislabelled)),
    )


def write_tfrecord(
    table: Table,
    path: Path,
    *,
    image_key: str = IMAGE_KEY,
    label_key: str = LABEL_KEY,
    first_label: int = 0,
) -> None:
    """Write encoded pictures and labels as one TFRecord file, whole or not at all.

    Args:
        table: With one label a row; pictures are copied as they are encoded.
        path: Target; its folder exists.
        image_key: Feature for the picture.
        label_key: Feature for the label, a whole number.
        first_label: Number of the first class; -1 stays ``first_label - 1``.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        OSError: A picture cannot be read or the file not be written.
    """
    tf = find_tensorflow()
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with tf.io.TFRecordWriter(os.fspath(part)) as writer:
            for picture, label in zip(_encoded(table), table.labels.tolist(), strict=True):
                features = {
                    image_key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture])),
                    label_key: tf.train.Feature(
                        int64_list=tf.train.Int64List(value=[label + first_label])
                    ),
                }
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


def _label(value: Any, classes: Sequence[str], first_label: int) -> int | None:
    """Class of a label as it is written, or None."""
    if isinstance(value, bytes):
        name = value.decode("utf-8", "replace")
        if tuple(classes) == EMOTIONS:
            try:
                return emotion_index(name)
            except KeyError:
                return None
        return list(classes).index(name) if name in classes else None
    if isinstance(value, int) and 0 <= value - first_label < len(classes):
        return value - first_label
    return None


def _require_usable(found: _Found, classes: int, keys: tuple[str, str], first_label: int) -> None:
    """Refuse records that say nothing, or whose labels are one off."""
    numbers = found.numbers
    if first_label == 0 and numbers and min(numbers) == 1 and max(numbers) == classes:
        raise DataError(f"the labels run from 1 to {classes}: pass first_label 1 (0 was taken)")
    if found.labels:
        return
    absent = [key for key in keys if key not in found.keys]
    if absent:
        have = ", ".join(sorted(found.keys)[:8]) or "no keys"
        raise DataError(
            f"no record has {' or '.join(absent)}; they have {have}: name the right key"
        )
    raise DataError(
        f"no record can be used: {len(found.mislabelled):,} labels are not {first_label} to "
        f"{classes - 1 + first_label} or a class name, {len(found.unreadable):,} have no picture"
    )
