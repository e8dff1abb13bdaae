"""Move a share of the training rows to another split, nobody in both."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import Bool, Float64, Int64
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.system.sheet import plain_cell
from facekit.system.terminal import tell

#: More rows on the other side are worth it only if they bring the shares nearer.
_EPSILON: Final = 1e-12


def hold_out(
    table: Table, share: float, *, seed: int = 0, groups: Int64 | None = None, split: str = "val"
) -> Table:
    """Move a share of the train rows of each class to another split.

    It is rounded down. Rows of one person, of one given group (duplicates, say), and
    all that hangs together through them move or stay as a whole, which may leave the
    share not quite met. A class of two such groups or more keeps at least one row on
    each side, unless the groups of several classes leave no way to.

    Args:
        table: With one label a row; rows with label -1 follow their group.
        share: Of the rows of each class, in (0, 1).
        seed: Of the draw; the same seed draws the same rows.
        groups: int array of shape (n,), equal numbers belong together; None for none.
        split: Where they go: "val" or "test".

    Returns:
        The table with another ``split`` column.

    Raises:
        ValueError: The share is outside (0, 1), or rows have several labels.
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share} is not between 0 and 1")
    if table.labels.ndim != 1:
        raise ValueError("only rows with one label can be held out by class")
    rows = np.flatnonzero(table.split == "train")
    if not len(rows):
        return table
    joined = np.unique(joined_groups(table, groups)[rows], return_inverse=True)[1]
    labels = np.asarray(table.labels[rows], np.int64)
    counts = np.zeros((int(joined.max()) + 1, len(table.label_names)), np.int64)
    known = labels >= 0
    np.add.at(counts, (joined[known], labels[known]), 1)
    taken = _choose(counts, share, np.random.default_rng(seed))
    moved = table.split.astype("<U5")
    moved[rows[taken[joined]]] = split
    return replace(table, split=moved)


def joined_groups(table: Table, groups: Int64 | None = None) -> Int64:
    """Number the rows that hang together through a person or a given group.

    Args:
        table: Its ``person`` column counts where it has one.
        groups: int array of shape (n,), or None.

    Returns:
        int64 array of shape (n,); equal numbers belong together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    columns = [column for column in (table.person, groups) if column is not None]
    n, ends, nodes = len(table), [], len(table)
    for column in columns:  # every person and every group is a node beside the rows
        names, place = np.unique(column, return_inverse=True)
        ends.append(nodes + place)
        nodes += len(names)
    if not ends:
        return np.arange(n, dtype=np.int64)
    edges = np.tile(np.arange(n), len(ends)), np.concatenate(ends)
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(nodes, nodes))
    joined: Int64 = connected_components(graph, directed=False)[1][:n].astype(np.int64)
    return joined


def _choose(counts: Int64, share: float, rng: np.random.Generator) -> Bool:
    """Which groups to move: each that brings the classes nearer to their share.

    Args:
        counts: Rows of each group (g) in each class, shape (g, k).
        share: Wanted share of every class.
        rng: Draws the order in which groups are looked at.

    Returns:
        bool array of shape (g,).
    """
    total = counts.sum(0)
    whole = np.floor(share * total + _EPSILON)
    wanted = np.where((counts > 0).sum(0) > 1, np.maximum(whole, 1.0), 0.0)
    scale = 1.0 / np.maximum(total, 1)
    have = np.zeros_like(total)
    taken = np.zeros(len(counts), bool)
    for group in rng.permutation(len(counts)):
        after = have + counts[group]
        now, then = (float(np.square((x - wanted) * scale).sum()) for x in (have, after))
        if then < now - _EPSILON and _leaves_some(counts[group], after, total):
            taken[group], have = True, after
    _round_off(counts, wanted, taken, have)
    for label in np.flatnonzero((have == 0) & (wanted > 0)):
        if have[label]:  # an earlier one of these brought some
            continue
        inside = np.flatnonzero((counts[:, label] > 0) & ~taken)
        for group in inside[np.argsort(counts[inside].sum(1), kind="stable")]:
            after = have + counts[group]
            if _leaves_some(counts[group], after, total):
                taken[group], have = True, after
                break
    return taken


def _round_off(counts: Int64, wanted: Float64, taken: Bool, have: Int64) -> None:
    """Bring every class to its share with groups of one row, as far as there are any.

    Larger groups of several classes leave some a few rows above their share.
    ``taken`` and ``have`` are changed in place.
    """
    alone = counts.sum(1) == 1
    for label in np.flatnonzero(wanted > 0):
        surplus = int(have[label] - wanted[label])
        single = np.flatnonzero(alone & (counts[:, label] == 1) & (taken == (surplus > 0)))
        moved = single[: abs(surplus)]
        taken[moved] = surplus < 0
        have[label] -= len(moved) if surplus > 0 else -len(moved)


def _leaves_some(group: Int64, after: Int64, total: Int64) -> bool:
    """Whether every class of the group keeps a row that is not moved."""
    return bool((after[group > 0] < total[group > 0]).all())


# A sample of a table that is even over its classes.


def draw_even(table: Table, size: int, *, seed: int = 0) -> Bool:
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


def _turns(keys: Sequence[Hashable]) -> Int64:
    """How many equal keys came before each."""
    seen: dict[Hashable, int] = {}
    out = np.empty(len(keys), np.int64)
    for i, key in enumerate(keys):
        out[i] = seen[key] = seen.get(key, -1) + 1
    return out


# Leave out what an audit, or a person, found to be no good.

_COLUMNS: Final = ("id", "file")


def read_excluded(path: Path | str) -> frozenset[str]:
    """Read which pictures to leave out.

    Args:
        path: A csv with a column ``id`` or ``file`` (what ``facekit audit
            --exclude-out`` writes is one, perhaps without rows), or plain text with
            one id a line. Blank lines, and lines that start with ``#``, are passed
            over.

    Returns:
        The ids.

    Raises:
        DataError: The file cannot be read, is a csv without such a column, or plain
            text that names nothing.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
        if "\0" in text:  # UTF-16, or no text at all
            raise ValueError("it is no UTF-8 text")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a list of pictures: {error}") from error
    # Line breaks as Python's text files know them: names may hold others.
    lines = list(io.StringIO(text, newline=""))
    kept = list(_uncommented(lines))
    separator = max(",;\t", key="".join(kept[:1]).count)
    reader = csv.reader(kept, delimiter=separator, skipinitialspace=True)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        column = next((header.index(name) for name in _COLUMNS if name in header), None)
        if column is not None:
            cells = [row[column].rstrip() if len(row) > column else "" for row in reader if row]
            if empty := cells.count(""):
                tell(f"{path}: {empty:,} rows name no picture: passed over")
            # Perhaps none: a csv without rows is an audit that found nothing.
            return frozenset(map(plain_cell, cells)) - {""}
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a list of pictures: {error}") from error
    if path.suffix.lower() == ".csv" and len(header) > 1:
        raise DataError(f"{path} has the columns {', '.join(header[:6])}; wanted is id or file")
    found = frozenset(line.strip() for line in lines if not line.startswith("#")) - {""}
    if not found:
        raise DataError(f"{path} names no picture; wanted is one id a line, or a csv with ids")
    return found


def _uncommented(lines: Iterable[str]) -> Iterator[str]:
    """Lines that are neither blank nor start with ``#``, and all inside a quoted cell."""
    quoted = False
    for line in lines:
        if quoted or (line.strip() and not line.startswith("#")):
            quoted ^= bool(line.count('"') % 2)
            yield line


def leave_out(table: Table, ids: Iterable[str]) -> Table:
    """The table without some of its rows.

    Args:
        table: Every split of a source.
        ids: Ids of the table.

    Returns:
        The other rows, in their order.

    Raises:
        DataError: An id is not in the table, or no row would be left.
    """
    wanted = set(ids)
    known = table.ids.tolist()
    foreign = sorted(wanted.difference(known))
    if foreign:
        near = difflib.get_close_matches(foreign[0], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; ids are relative to the data folder"
        raise DataError(
            f"{len(foreign):,} of the {len(wanted):,} pictures to leave out are not in "
            f"{table.name}, such as {foreign[0]!r}{hint}"
        )
    kept = ~np.isin(table.ids, list(wanted)) if wanted else np.ones(len(table), bool)
    if not kept.any():
        raise DataError(
            f"nothing of {table.name} is left: all its {len(table):,} rows are left out"
        )
    return table.select(kept)
