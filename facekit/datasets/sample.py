"""A sample of a table that is even over its classes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table
from facekit.errors import DataError

__all__ = ["draw_even"]


def draw_even(table: Table, size: int, *, seed: int = 0) -> NDArray[np.bool_]:
    """Draw rows so that classes, and the people within a class, are as even as they can be.

    Rows without a label are never drawn. A class with too few rows gives all it has,
    and the others fill up.

    Args:
        table: With one label a row; people where it names them.
        size: So many rows.
        seed: Of the draw; the same seed draws the same rows.

    Returns:
        bool array of shape (n,): the rows drawn; all that have a label where ``size``
        is not below their number.

    Raises:
        DataError: There is no row with a label.
    """
    known = np.flatnonzero(table.labels >= 0)
    if not len(known):
        raise DataError(f"{table.name} has no image with a label: there is nothing to draw from")
    shuffled = np.random.default_rng(seed).permutation(known)
    labels = table.labels[shuffled]
    people = shuffled if table.person is None else table.person[shuffled]
    # A class's first photo of each person comes before anybody's second.
    turn = _turns(list(zip(labels.tolist(), people.tolist(), strict=True)))
    by_person = np.argsort(turn, kind="stable")
    place = np.empty(len(shuffled), np.int64)
    place[by_person] = _turns(labels[by_person].tolist())
    drawn = shuffled[np.argsort(place, kind="stable")[:size]]
    return np.isin(np.arange(len(table)), drawn)


def _turns(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """How many equal keys came before each."""
    seen: dict[Hashable, int] = {}
    out = np.empty(len(keys), np.int64)
    for i, key in enumerate(keys):
        out[i] = seen[key] = seen.get(key, -1) + 1
    return out
