"""Dataset cards (TOML): where a data set lives, its licence, its known faults.

Cards ship inside the wheel; an editable install reads the repository folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.datasets.table import Table
from facekit.errors import DataError


def cards_folder() -> Path:
    """The folder inside the wheel, else the repository's ``data``."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_data"
    return inside if inside.is_dir() else package.parent / "data"


def card_files() -> dict[str, Path]:
    """Every card's file by the name of its data set, in order of the names."""
    return {path.stem: path for path in sorted(cards_folder().glob("*.toml"))}


def read_card(path: Path) -> dict[str, Any]:
    """Read one card.

    Args:
        path: A TOML file.

    Returns:
        Its content.

    Raises:
        DataError: The file is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"dataset card {path} is not valid TOML: {error}") from None


# Counts of a table beside those of its dataset card.

#: Card of each source; others have none.
_CARDS: Final = {"celeba": "celeba", "fer": "fer2013"}
#: FER-2013's two test sets; a folder ``test`` may hold either or both.
_FER_PARTS: Final = ("public_test", "private_test")


@dataclass(frozen=True)
class CardCount:
    """One count.

    Attributes:
        what: Such as "train" or "train, angry".
        found: In the table.
        expected: Every number that the card allows; empty where it says nothing.
    """

    what: str
    found: int
    expected: tuple[int, ...] = ()

    @property
    def agrees(self) -> bool | None:
        """Whether the card allows it; None where it says nothing."""
        return self.found in self.expected if self.expected else None


def count_table(table: Table) -> list[CardCount]:
    """Count images, people, splits and classes.

    Args:
        table: A source, whole or a part of it.

    Returns:
        One count a line: all images, people, every split, every class of every
        split (yes for an attribute).
    """
    card = _CARDS.get(table.name)
    given = read_card(card_files()[card])["counts"] if card in card_files() else {}
    expected = _expected(table, given)
    found = {"images": len(table)}
    if table.person is not None:
        found["people"] = len(np.unique(table.person))
    splits = [name for name in ("train", "val", "test") if (table.split == name).any()]
    for split in splits:
        rows = table.split == split
        found[split] = int(rows.sum())
        labels = table.labels[rows]
        for i, name in enumerate(table.label_names):
            marks = labels == i if labels.ndim == 1 else labels[:, i] == 1
            found[f"{split}, {name}"] = int(marks.sum())
    return [CardCount(what, count, expected.get(what, ())) for what, count in found.items()]


def _expected(table: Table, given: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    plain = ("images", "people", "train", "val", "test")
    out: dict[str, tuple[int, ...]] = {name: (given[name],) for name in plain if name in given}
    for name, count in given.get("train_classes", {}).items():
        out[f"train, {name}"] = (count,)
    if table.name == "fer":
        public, private = (given[part] for part in _FER_PARTS)
        out["val"] = (public,)
        sizes = {0, public, private, public + private}
        out["images"] = tuple(given["train"] + more for more in sorted(sizes))
        out["test"] = tuple(sorted(sizes - {0}))
        for name, count in given["public_test_classes"].items():
            out[f"val, {name}"] = (count,)
    return out
