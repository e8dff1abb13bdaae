"""What the user's list leaves out: neither learned from nor measured on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from facekit.datasets.excluded import leave_out, read_excluded
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.workflows.sources import Source

__all__ = ["listed_attributes", "listed_ids", "tell_left_out", "without"]


def listed_ids(
    table: Table, path: Path, *, elsewhere: Callable[[], Iterable[str]] = tuple
) -> frozenset[str]:
    """Ids on a list that the table has; a list for the whole data serves a part of it.

    Args:
        table: Every split of a source, so that a list may name pictures of any.
        path: As for ``read_excluded``.
        elsewhere: Gives the ids that the source has in other splits, where the
            table is not all of it; a list may name those alone.

    Returns:
        The ids; none where the list is an audit's that found nothing.

    Raises:
        DataError: The list cannot be read, or names nothing of the source.
    """
    ids = read_excluded(path)
    there = ids.intersection(table.ids.tolist())
    if not there and ids.isdisjoint(elsewhere()):
        leave_out(table, ids)  # raises: says what is wrong with the ids
    return there


def listed_attributes(
    table: Table, data: Path | None, source: str, path: Path | None
) -> frozenset[str]:
    """The same for some splits of CelebA.

    Args:
        table: From ``open_table``, as the next two were given to it.
        data: The folder.
        source: ``celeba`` or ``tfds``.
        path: The list, or None for nothing.

    Returns:
        The ids.

    Raises:
        DataError: As for ``listed_ids``.
    """
    if path is None:
        return frozenset()
    if source == "tfds" or data is None:
        return listed_ids(table, path)
    from facekit.datasets.celeba import listed_names

    return listed_ids(table, path, elsewhere=lambda: listed_names(data))


def without(source: Source, ids: frozenset[str]) -> Source:
    """A source without some of its rows; the crops stay, so that all lists share them.

    Args:
        source: Table and crops.
        ids: What to leave out.

    Returns:
        The other rows.

    Raises:
        DataError: No row would be left.
    """
    table = source.table
    kept = ~np.isin(table.ids, list(ids))
    if kept.all():
        return source
    if not kept.any():
        raise DataError(f"nothing of {table.name} is left: all {len(table):,} images are listed")
    return replace(source, table=table.select(kept), rows=source.rows[kept])


def tell_left_out(dataset: str, every: int, excluded: int, unlabelled: int = 0) -> None:
    """Say on standard error why not every image counts.

    Args:
        dataset: Name of the source.
        every: How many there are.
        excluded: How many of them are on the list to leave out.
        unlabelled: How many others have no usable label.
    """
    parts = [(excluded, "are on the list"), (unlabelled, "have no usable label")]
    told = [f"{count:,} {why}" for count, why in parts if count]
    if told:
        sys.stderr.write(f"{dataset}: {every:,} images, {' and '.join(told)}: left out\n")
