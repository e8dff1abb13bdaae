"""Labelled pictures in TFRecord files of ``tf.train.Example``."""

from __future__ import annotations

import gzip
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Int64
from facekit.datasets.celeba import require_splits
from facekit.datasets.folder import SPLIT_FOLDERS
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError, MissingExtraError, UsageError
from facekit.labels import EMOTIONS, plain_class
from facekit.system.inputs import is_hidden
from facekit.system.terminal import silent_stderr, tell

#: Keys of TF-Slim's image records, which most tools write.
IMAGE_KEY: Final = "image/encoded"
LABEL_KEY: Final = "image/class/label"
TEXT_KEY: Final = "image/class/text"


@dataclass(frozen=True)
class _Found:
    """What one record says."""

    place: tuple[int, int]  # file, record
    record_id: str
    value: Any  # the label as written, or the number that a one-hot label stands for
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
    aligned: str | None = None,
) -> Table:
    """Read the labels of records; pictures stay encoded and are streamed.

    Records whose label is no class or that have no picture are left out and named
    in ``issues``.

    Args:
        path: A file, several, or a folder of files such as
            ``train-00000-of-00005.tfrecord`` (gzip is unpacked).
        classes: Class names in the order of the labels; None takes the names in
            ``image/class/text``, and ``EMOTIONS`` where there are none. Where a record
            names its class, that counts and not the number.
        image_key: Feature with the encoded picture (JPEG, PNG, …).
        label_key: Feature with the label: a whole number, a class name, or one number
            a class, of which one is 1 and the others 0.
        first_label: Number of the first class: 0 or 1; where classes have no names.
        split: "train", "val" or "test" for all; None takes the word in each file's
            name, or "train" where it has none.
        aligned: Key of ``frame.ALIGNED_EYES``; None takes them as FER's crops.

    Returns:
        Table named "tfrecord" with int64 labels of shape (n,) from 0; an id is the
        file's name and the record's place in it.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        DataError: No file, a damaged one, no usable record, a number with two names,
            labels of several values that are not one-hot, or labels that start at 1
            though ``first_label`` is 0.
        UsageError: ``first_label`` or ``split`` is something else.
    """
    if first_label not in (0, 1):
        raise UsageError(f"first_label {first_label!r} is neither 0 nor 1")
    if split is not None:
        require_splits((split,))
    files = record_files(path)
    found, keys, widths = _find(files, image_key, label_key, first_label)
    values, texts = [one.value for one in found], [one.text for one in found]
    names, labels = name_labels(values, texts, classes, first_label)
    _require_widths(widths, names, named=not classes and any(texts))
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
        aligned=aligned or "fer",
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
    places: Int64
    image_key: str

    def __len__(self) -> int:
        return len(self.places)

    def stream(self, rows: Int64) -> Iterator[bytes]:
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
    files: Sequence[tuple[str, Path]], image_key: str, label_key: str, first_label: int
) -> tuple[list[_Found], set[str], dict[int, str]]:
    """What every record says, all keys that occur, and a record of each one-hot width."""
    found: list[_Found] = []
    keys: set[str] = set()
    widths: dict[int, str] = {}
    for i, (name, file) in enumerate(files):
        for number, features in enumerate(read_examples(file)):
            record_id = f"{name}/{number:06d}"
            label = feature_values(features, label_key)
            if len(label) > 1:
                widths.setdefault(len(label), record_id)
                label = [_one_hot(label, label_key, record_id) + first_label]
            text = first_value(features, TEXT_KEY)
            found.append(
                _Found(
                    (i, number),
                    record_id,
                    next(iter(label), None),
                    text.decode("utf-8", "replace") if isinstance(text, bytes) else "",
                    [type(one) for one in feature_values(features, image_key)] == [bytes],
                )
            )
            keys.update(features)
    return found, keys, widths


def _one_hot(values: Sequence[Any], label_key: str, record_id: str) -> int:
    """Place of the only 1 among zeros."""
    if any(one not in (0, 1) for one in values) or sum(values) != 1:
        shown = ", ".join(str(one)[:20] for one in values[:8]) + (", …" if len(values) > 8 else "")
        raise DataError(
            f"{record_id}: {label_key} has {len(values):,} values ({shown}); allowed are one "
            "label, or one number a class of which one is 1 and the others 0: name another "
            "key, or write records with one label each"
        )
    return list(values).index(1)


def _require_widths(widths: dict[int, str], names: Sequence[str], *, named: bool) -> None:
    """Refuse one-hot labels of other classes; names in the records may lack some."""
    wrong = {
        n: one for n, one in widths.items() if n < len(names) or (n > len(names) and not named)
    }
    if wrong or len(widths) > 1:
        told = " and ".join(f"{n:,} numbers ({one})" for n, one in list(widths.items())[:2])
        raise DataError(
            f"one-hot labels have {told}, and there are {len(names)} classes "
            f"({', '.join(names[:8])}): name the classes in the order of the numbers"
        )


def _require_first(found: Sequence[_Found], classes: int, first_label: int) -> None:
    """Refuse labels that are one off; those with a name beside them are not meant."""
    numbers = [one.value for one in found if isinstance(one.value, int) and not one.text]
    if first_label == 0 and numbers and min(numbers) == 1 and max(numbers) == classes:
        raise DataError(f"the labels run from 1 to {classes}: pass first_label 1 (0 was taken)")
    if first_label == 0 and numbers and min(numbers) > 0:
        tell(
            f"no record has the label 0, they run from {min(numbers)} to {max(numbers)}: where "
            "numbers start at 1 every class is one off (first_label 1)"
        )


def _unusable(
    have: set[str], asked: tuple[str, str], numbers: str, wrong: Sequence[str], blank: Sequence[str]
) -> DataError:
    """Why no record can be used."""
    if not have:
        return DataError("no file holds a record: write or fetch them again")
    absent = [key for key in asked if key not in have]
    if absent:
        shown = ", ".join(key[:60] for key in sorted(have)[:8])
        return DataError(
            f"no record has {' or '.join(absent)}; they have {shown}: name the right key"
        )
    return DataError(
        f"no record can be used: {len(wrong):,} labels are not {numbers} or a class name, "
        f"{len(blank):,} have no picture"
    )


# TFRecord files: which there are, whose split they hold, and their examples.

#: Records taken from TensorFlow at a time: one by one, handing over costs most.
_BLOCK: Final = 32
#: Bytes around a record: its length (8) and a checksum before, a checksum behind.
_HEAD, _FOOT = 12, 4
#: Bytes of the longest record that protocol buffers allow.
_LONGEST: Final = (1 << 31) - 1
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
            shown = [(p.relative_to(one), p) for p in inside]
            pairs = [
                (name.as_posix(), p) for name, p in shown if not any(map(is_hidden, name.parts))
            ]
        else:
            pairs = [(one.name, one)]
        for name, file in pairs:
            if not file.is_file():
                raise DataError(f"{file} is no file: name TFRecord files or a folder of them")
            if found.setdefault(name, file) != file:
                raise DataError(f"two files are called {name}: rename one, or name their folder")
    if not found:
        given_words = ", ".join(map(str, given)) or "nothing"
        raise DataError(f"{given_words} holds no *.tfrecord, *.tfrec or *.record file")
    return list(found.items())


def split_of(name: str) -> str:
    """The split that a word in a file's name tells, else "train"."""
    words = re.split(r"[^a-z]+", name.casefold())
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "train")


def read_examples(file: Path) -> Iterator[dict[str, Any]]:
    """Read the records of one file, in order.

    Args:
        file: TFRecord file; one that is gzip inside, whatever its name, is unpacked.

    Yields:
        The features of each record by their keys.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        DataError: The file is damaged.
    """
    tf = find_tensorflow()
    try:
        blocks = tf.data.TFRecordDataset(os.fspath(file), _packing(file)).batch(_BLOCK)
        for block in blocks.as_numpy_iterator():
            for record in block:
                yield dict(tf.train.Example.FromString(record).features.feature)
    except Exception as error:  # TensorFlow's and protobuf's own
        why = error if isinstance(error, EOFError) else type(error).__name__
        raise DataError(
            f"{file} is damaged or no TFRecord of tf.train.Example ({why}): write or fetch it again"
        ) from error


def _packing(file: Path) -> str:
    """How TensorFlow is to unpack a file, found by what is in it.

    It takes memory for as many bytes as a record claims to have, so every claim is held
    against the file first.

    Raises:
        EOFError: The records are not as long as they claim.
    """
    size = file.stat().st_size
    with file.open("rb") as plain:
        if _framed(plain, size):
            return ""
        plain.seek(0)
        # A record may be so long that its file begins like gzip: looked at second.
        if plain.read(2) == b"\x1f\x8b":
            plain.seek(0)
            with gzip.open(plain) as unpacked:
                if _framed(unpacked, None):
                    return "GZIP"
    raise EOFError("a record is longer than the file, or its length is damaged")


def _framed(file: Any, size: int | None) -> bool:
    """Whether a file is records end to end; ``size`` in bytes, None where it is packed."""
    end = 0
    while head := file.read(_HEAD):
        length = int.from_bytes(head[:8], "little")
        if len(head) < _HEAD or length > _LONGEST or head[8:] != masked_crc(head[:8]):
            return False
        end += _HEAD + length + _FOOT
        if (size is not None and end > size) or file.seek(end) != end:
            return False
    return True


def masked_crc(data: bytes) -> bytes:
    """TFRecord's checksum of a few bytes: CRC-32C, turned by 15 bits and moved."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def feature_values(features: dict[str, Any], key: str) -> Sequence[Any]:
    """All values of a feature: bytes, int or float; empty where there is none."""
    feature = features.get(key)
    kind = feature.WhichOneof("kind") if feature is not None else None
    return getattr(feature, kind).value if kind else []


def first_value(features: dict[str, Any], key: str) -> Any:
    """First value of a feature: bytes, int or float; None where there is none."""
    return next(iter(feature_values(features, key)), None)


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


# Which class a record's label is: by its name where the record has one, else by number.


def name_labels(
    values: Sequence[Any], texts: Sequence[str], classes: Sequence[str] | None, first_label: int
) -> tuple[tuple[str, ...], list[int | None]]:
    """Classes and the class of each record.

    Names count more than numbers, because tools number classes in different orders.
    A name is found in any case, an emotion in any usual spelling.

    Args:
        values: Labels as written: a whole number, a name as bytes, or anything else.
        texts: Names as written beside them; empty where there is none.
        classes: Their names in the order of the numbers. None takes the names that
            stand beside the numbers, and ``EMOTIONS`` where there are none, or where
            the numbers are theirs.
        first_label: Number of the first class, where numbers have no names.

    Returns:
        The class names, and for each record its position in them or None.

    Raises:
        DataError: ``classes`` is None and a number has two names, or two have one.
    """
    if not classes:
        named = _pair(values, texts)
        names = _names(named)
    else:
        names = tuple(classes)
        try:
            named = _pair(values, texts)
        except DataError:  # something else stands there, a caption say
            named = {}
        if not any(_find_label(text, names) is not None for text in named.values()):
            if named:
                shown = ", ".join(repr(text[:40]) for text in list(named.values())[:3])
                tell(
                    f"the records name their classes {shown}, which are none of "
                    f"{', '.join(names[:8])}: their numbers are taken, in the order of these"
                )
            named = {}
    known: dict[Any, int | None] = {}
    for value in values:
        if value not in known:
            known[value] = _place(value, names, named, first_label)
    return names, [known[value] for value in values]


def _place(
    value: Any, names: tuple[str, ...], named: dict[int, str], first_label: int
) -> int | None:
    if isinstance(value, bytes):
        return _find_label(value.decode("utf-8", "replace"), names)
    if not isinstance(value, int):
        return None
    if named:
        return _find_label(named[value], names) if value in named else None
    return value - first_label if 0 <= value - first_label < len(names) else None


def _pair(values: Sequence[Any], texts: Sequence[str]) -> dict[int, str]:
    """Number -> name, of the records that have both; a negative number is no class."""
    named: dict[int, str] = {}
    for value, text in zip(values, texts, strict=True):
        if not isinstance(value, int) or value < 0 or not text:
            continue
        other = named.setdefault(value, text)
        if other != text:
            raise DataError(
                f"label {value} is called {other!r} and {text!r}: name the classes, such as "
                "--set data.classes=['cat','dog']"
            )
    taken: dict[str, int] = {}
    for value, text in named.items():
        if taken.setdefault(plain_class(text), value) != value:
            raise DataError(
                f"labels {taken[plain_class(text)]} and {value} are both called {text!r}: name the "
                "classes, such as --set data.classes=['cat','dog']"
            )
    return named


def _names(named: dict[int, str]) -> tuple[str, ...]:
    """Names by ascending number; the seven emotions where the numbers are theirs, from 0 or 1."""
    found = {number: _find_label(text, EMOTIONS) for number, text in named.items()}
    places = {number: place for number, place in found.items() if place is not None}
    if len(places) == len(named):
        shifts = {number - place for number, place in places.items()}
        if len(named) == len(EMOTIONS) or shifts <= {0} or shifts <= {1}:
            return EMOTIONS
    return tuple(named[number] for number in sorted(named))


def _find_label(name: str, names: Sequence[str]) -> int | None:
    if name in names:
        return list(names).index(name)
    plain = [plain_class(one) for one in names]
    return plain.index(plain_class(name)) if plain_class(name) in plain else None
