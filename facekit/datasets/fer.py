"""FER-2013: seven emotions, as class folders or as the original ``fer2013.csv``.

Folders, as Kaggle has them (any of the three splits is enough)::

    train/angry/*.png …   val/angry/*.png …   test/angry/*.png …
    ferplus_votes.csv (for --labels ferplus): file,neutral,happiness,…

The original::

    fer2013.csv: emotion,pixels,Usage
    fer2013new.csv (for --labels ferplus): Usage,Image name,neutral,…
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.celeba import SPLITS, require_splits
from facekit.datasets.class_folders import list_classes, split_folders
from facekit.datasets.fer_csv import read_pixel_csv
from facekit.datasets.fer_votes import read_votes_by_file, read_votes_by_row
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError, UsageError
from facekit.labels import EMOTIONS, emotion_index

__all__ = ["LABELS", "read_fer"]

#: Whose labels: FER-2013's own, or the votes of FER+.
LABELS: Final[tuple[str, ...]] = ("fer", "ferplus")
_CSV: Final = ("fer2013.csv", "icml_face_data.csv")  # the second is Kaggle's later name
_VOTES_BY_FILE: Final = "ferplus_votes.csv"
_VOTES_BY_ROW: Final = "fer2013new.csv"


def read_fer(
    path: Path | str,
    *,
    labels: str = "fer",
    splits: tuple[str, ...] | None = None,
    votes: bool = False,
) -> Table:
    """Read FER-2013; classes are matched by name, never by listing order.

    Args:
        path: Folder of split folders, folder that holds ``fer2013.csv``, or that
            file. In the file PublicTest is "val" and PrivateTest "test".
        labels: ``fer`` for its own labels. ``ferplus`` for the votes of FER+:
            ``soft`` holds their shares over our seven emotions (contempt, unknown
            and no-face votes left out), the label is the emotion with most votes
            (of several, the first in the order of ``EMOTIONS``); a picture without
            votes for the seven has label -1 and zeros.
        splits: Which of "train", "val" and "test" to return; None for all there are.
        votes: Fill ``soft`` beside FER-2013's own labels too.

    Returns:
        Table named "fer" with int64 labels of shape (n,) in the order of
        ``EMOTIONS``.

    Raises:
        DataError: The layout is another, a class is unknown, votes are missing, or
            nothing is left.
        UsageError: ``labels`` or ``splits`` names something else.
    """
    path = Path(path).expanduser()
    if labels not in LABELS:
        raise UsageError(f"labels {labels!r} is not among {', '.join(LABELS)}")
    if splits is not None:
        require_splits(splits)
    wanted = SPLITS if splits is None else splits
    voted = votes or labels == "ferplus"
    file = _csv(path)
    table = _read_folders(path, wanted, voted) if file is None else _read_csv(file, wanted, voted)
    if not len(table):
        raise DataError(f"{path} has no pictures of {' or '.join(wanted)}: ask for another split")
    if labels == "fer":
        return table
    assert table.soft is not None
    most = np.where(table.soft.any(1), table.soft.argmax(1), -1)
    return replace(table, labels=most.astype(np.int64))


def _csv(path: Path) -> Path | None:
    """The csv itself, or that of a folder without split folders."""
    if path.is_file():
        return path
    if not path.is_dir() or split_folders(path):
        return None
    return next((path / name for name in _CSV if (path / name).is_file()), None)


def _read_csv(file: Path, splits: tuple[str, ...], voted: bool) -> Table:
    pixels = read_pixel_csv(file, splits)
    table = Table(
        name="fer",
        ids=np.array(pixels.ids, np.str_),
        images=pixels,
        labels=pixels.labels,
        label_names=EMOTIONS,
        split=pixels.splits,
        aligned="fer",
        issues=Issues(unreadable=pixels.bad_pixels, mislabelled=pixels.bad_labels),
    )
    if not voted:
        return table
    votes = read_votes_by_row(file.with_name(_VOTES_BY_ROW), pixels.usages)
    return replace(table, soft=_shares(votes[pixels.rows]))


def _read_folders(folder: Path, splits: tuple[str, ...], voted: bool) -> Table:
    parts = split_folders(folder) if folder.is_dir() else []
    if not parts:
        raise DataError(
            f"{folder} is no FER-2013: wanted is train/<emotion>/*.png or test/<emotion>/*.png, "
            f"or {_CSV[0]}; emotions are {', '.join(EMOTIONS)}"
        )
    listed = list_classes(folder, [part for part in parts if part[1] in splits])
    table = Table(
        name="fer",
        ids=np.array(listed.ids, np.str_),
        images=listed.paths,
        labels=_labels(folder, listed.classes),
        label_names=EMOTIONS,
        split=np.array(listed.splits, "<U5"),
        aligned="fer",
        issues=Issues(unlisted=listed.others),
    )
    if not voted:
        return table
    return replace(table, soft=_shares(read_votes_by_file(folder / _VOTES_BY_FILE, listed.ids)))


def _labels(folder: Path, classes: list[str]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    for name in sorted(set(classes)):
        try:
            known[name] = emotion_index(name)
        except KeyError:
            raise DataError(
                f"{folder} has a class folder {name!r}; allowed are {', '.join(EMOTIONS)}: "
                "rename or move it"
            ) from None
    return np.array([known[name] for name in classes], np.int64)


def _shares(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Votes (n, 7) as shares; zeros where nobody voted."""
    total = votes.sum(1, keepdims=True)
    shares: NDArray[np.float32] = votes / np.maximum(total, 1)
    return shares
