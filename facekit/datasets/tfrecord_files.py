"""TFRecord files: which there are, whose split they hold, and their examples."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from facekit.datasets.class_folders import SPLIT_FOLDERS
from facekit.errors import DataError, MissingExtraError
from facekit.silence import silent_stderr

__all__ = ["find_tensorflow", "first_value", "read_examples", "record_files", "split_of"]

#: Records taken from TensorFlow at a time: one by one, handing over costs most.
_BLOCK: Final = 32
_FILE: Final = re.compile(r"\.(tfrecords?|tfrec|record)\b", re.IGNORECASE)


def record_files(path: Path | str | Sequence[Path | str]) -> list[tuple[str, Path]]:
    """Name and place of every file.

    Args:
        path: A file, several, or a folder whose files at any depth count.

    Returns:
        Pairs in the order given, sorted within a folder; the name of a file in a
        folder is its path below the folder.

    Raises:
        DataError: A file is missing, two have one name, or there is none.
    """
    given = [Path(path)] if isinstance(path, (str, Path)) else [Path(one) for one in path]
    found: dict[str, Path] = {}
    for one in (one.expanduser() for one in given):
        if one.is_dir():
            inside = sorted(p for p in one.rglob("*") if _FILE.search(p.name) and p.is_file())
            pairs = [(p.relative_to(one).as_posix(), p) for p in inside]
        else:
            pairs = [(one.name, one)]
        for name, file in pairs:
            if not file.is_file():
                raise DataError(f"{file} is no file: name TFRecord files or a folder of them")
            if found.setdefault(name, file) != file:
                raise DataError(f"two files are called {name}: rename one, or name their folder")
    if not found:
        shown = ", ".join(map(str, given)) or "nothing"
        raise DataError(f"{shown} holds no *.tfrecord, *.tfrec or *.record file")
    return list(found.items())


def split_of(name: str) -> str:
    """The split that a word in a file's name tells, else "train"."""
    words = re.split(r"[^a-z]+", name.casefold())
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "train")


def read_examples(file: Path) -> Iterator[dict[str, Any]]:
    """Read the records of one file, in order.

    Args:
        file: TFRecord file; one that ends in ``.gz`` is unpacked.

    Yields:
        The features of each record by their keys.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        DataError: The file is damaged.
    """
    tf = find_tensorflow()
    packing = "GZIP" if file.suffix.lower() == ".gz" else ""
    try:
        blocks = tf.data.TFRecordDataset(os.fspath(file), packing).batch(_BLOCK)
        for block in blocks.as_numpy_iterator():
            for record in block:
                yield dict(tf.train.Example.FromString(record).features.feature)
    except Exception as error:  # TensorFlow's and protobuf's own
        raise DataError(
            f"{file} is damaged or no TFRecord of tf.train.Example ({type(error).__name__}): "
            "write or fetch it again"
        ) from error


def first_value(features: dict[str, Any], key: str) -> Any:
    """First value of a feature: bytes, int or float; None where there is none."""
    feature = features.get(key)
    kind = feature.WhichOneof("kind") if feature is not None else None
    values = getattr(feature, kind).value if kind else []
    return values[0] if values else None


def find_tensorflow() -> Any:
    """TensorFlow, imported at the first call.

    Raises:
        MissingExtraError: It is not installed.
    """
    # Its start-up notes are no business of somebody who reads a table.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with silent_stderr():
            import tensorflow as tf

            tf.constant(0)  # the first operation makes it speak
    except ImportError as error:
        advice = "pictures in class folders need no extra"
        raise MissingExtraError("tensorflow", "train", advice) from error
    return tf
