"""FER-2013 as TFRecord files, in the classes that somebody else's training wants."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from facekit.datasets.celeba import SPLITS
from facekit.datasets.fer import read_fer
from facekit.datasets.table import Table, tell_issues
from facekit.datasets.tfrecord import (
    IMAGE_KEY,
    LABEL_KEY,
    TEXT_KEY,
    find_tensorflow,
    split_of,
    write_tfrecord,
)
from facekit.errors import DataError, UsageError
from facekit.labels import EMOTIONS, SIX_EMOTIONS, emotion_index

#: Order of the records: class by class, a shuffling reader would see one class at a time.
_SEED = 0


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written.

    Attributes:
        path: The file.
        split: What it holds: ``train``, ``val`` or ``test``.
        counts: Records of each class, in the order of the labels.
        left_out: Images of each emotion that is no class.
    """

    path: Path
    split: str
    counts: dict[str, int]
    left_out: dict[str, int]


def export_tfrecord(
    data: Path | str,
    out: Path | str,
    *,
    classes: str = "six",
    first_label: int = 0,
    image_key: str = IMAGE_KEY,
    label_key: str = LABEL_KEY,
) -> list[ExportedFile]:
    """Write FER-2013 as TFRecord files, one a split; all of them or none.

    Pictures are copied as they are encoded, in a shuffled order (of a csv: in its own,
    which is shuffled). Beside its number every record has the name of its class in
    ``image/class/text``.

    Args:
        data: FER-2013, as ``read_fer`` takes it.
        out: ``DIR/fer.tfrecord`` makes ``DIR/fer-train.tfrecord`` and so on.
        classes: As for ``read_vocabulary``.
        first_label: Number of the first class: 0 or 1.
        image_key: Feature for the picture.
        label_key: Feature for the number.

    Returns:
        What was written, in the order train, val, test.

    Raises:
        UsageError: An argument cannot be used, or a file is there already.
        DataError: The data cannot be read, or none of it is of the classes.
        MissingExtraError: TensorFlow is not installed.
    """
    vocabulary = read_vocabulary(classes)
    if first_label not in (0, 1):
        raise UsageError(f"--first-label {first_label} is neither 0 nor 1")
    keys = (image_key, label_key, TEXT_KEY)
    if len(set(keys)) < len(keys) or not all(keys):
        raise UsageError(f"--image-key, --label-key and {TEXT_KEY} must be three names")
    out = Path(out)
    _require_name(out)
    table = read_fer(data)
    tell_issues(table, Path(data))
    renamed = relabel(table, vocabulary)
    splits = [split for split in SPLITS if (table.split == split).any()]
    paths = [out.with_name(f"{out.stem}-{split}{out.suffix}") for split in splits]
    _require_free(paths)
    parts = [_part(renamed, split) for split in splits]
    find_tensorflow()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".facekit-") as place:
        for part, path in zip(parts, paths, strict=True):
            names = {"image_key": image_key, "label_key": label_key}
            write_tfrecord(part, Path(place) / path.name, first_label=first_label, **names)
        for path in paths:
            os.replace(Path(place) / path.name, path)
    return [
        ExportedFile(path, split, *_counts(table, vocabulary, split))
        for path, split in zip(paths, splits, strict=True)
    ]


def _require_name(out: Path) -> None:
    if out.suffix not in (".tfrecord", ".tfrecords", ".tfrec"):
        raise UsageError(f"--out {out} does not end in .tfrecord: give such a file name")
    if split_of(f"{out.stem}-test") != "test" or split_of(f"{out.stem}-train") != "train":
        raise UsageError(
            f"--out {out} holds the name of a split, and each split gets a file of its own: name "
            "it without, such as fer.tfrecord"
        )
    above = next(path for path in out.absolute().parents if path.exists())
    if not above.is_dir():
        raise UsageError(f"--out {out} lies in {above}, which is a file: name another folder")


def _require_free(paths: Sequence[Path]) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise UsageError(f"{there[0]} is there already: remove it, or name another --out")


def _part(table: Table, split: str) -> Table:
    """The rows of a split that have a class."""
    rows = np.flatnonzero((table.split == split) & (table.labels >= 0))
    if not len(rows):
        raise DataError(
            f"none of the {split} images is {', '.join(table.label_names)}: name other --classes"
        )
    if isinstance(table.images, Sequence):
        rows = np.random.default_rng(_SEED).permutation(rows)
    return table.select(rows)


def _counts(
    table: Table, vocabulary: Vocabulary, split: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Records of each class, and images of each emotion that is none."""
    counts = dict.fromkeys(vocabulary.names, 0)
    left_out: Counter[str] = Counter()
    for label, number in Counter(table.labels[table.split == split].tolist()).items():
        place = vocabulary.places[label]  # FER-2013's own labels know no -1
        if place < 0:
            left_out[table.label_names[label]] += number
        else:
            counts[vocabulary.names[place]] += number
    return counts, dict(left_out)


# Other classes than the seven emotions, made of them: renamed, joined or left out.

#: Vocabularies that have a name, and their classes.
VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {"six": SIX_EMOTIONS, "seven": EMOTIONS}


@dataclass(frozen=True)
class Vocabulary:
    """Classes, and what becomes of each emotion.

    Attributes:
        names: The k classes in the order of their labels.
        places: For each of ``EMOTIONS`` its class, or -1 where it is left out.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]


def read_vocabulary(text: str) -> Vocabulary:
    """Read a vocabulary.

    Args:
        text: A key of ``VOCABULARIES``, or ``emotion=class,emotion=class,…``: classes
            are numbered as they come, several emotions may become one class, an
            emotion alone keeps its name, and what is not named is left out.

    Raises:
        UsageError: An emotion is unknown or comes twice, a class has no name, or
            there are fewer than two classes.
    """
    items = VOCABULARIES[text] if text in VOCABULARIES else tuple(text.split(","))
    names: list[str] = []
    places = [-1] * len(EMOTIONS)
    for item in items:
        emotion, equals, name = (part.strip() for part in item.partition("="))
        name = name if equals else emotion
        try:
            place = emotion_index(emotion)
        except KeyError:
            raise UsageError(
                f"--classes {text}: {emotion!r} is no emotion; give {', '.join(VOCABULARIES)} or "
                f"emotion=class,… with emotions out of {', '.join(EMOTIONS)}"
            ) from None
        if not name:
            raise UsageError(f"--classes {text}: {item.strip()!r} names no class")
        if places[place] >= 0:
            raise UsageError(f"--classes {text}: {EMOTIONS[place]} comes twice: leave one out")
        if name not in names:
            names.append(name)
        places[place] = names.index(name)
    if len(names) < 2:
        raise UsageError(f"--classes {text} has one class: name two at least")
    return Vocabulary(tuple(names), tuple(places))


def relabel(table: Table, vocabulary: Vocabulary) -> Table:
    """The same images with the labels of a vocabulary.

    Args:
        table: Labels of shape (n,) in the order of ``EMOTIONS``.
        vocabulary: What becomes of them.

    Returns:
        All n rows; label -1 where the emotion is left out or unknown. Votes are gone.
    """
    places = np.array([*vocabulary.places, -1], np.int64)  # the last one is for label -1
    return replace(table, labels=places[table.labels], label_names=vocabulary.names, soft=None)
