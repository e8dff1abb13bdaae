"""Move a share of the training rows to another split, nobody in both."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table

__all__ = ["hold_out", "joined_groups"]

Groups = NDArray[np.int64]
Counts = NDArray[np.int64]
#: More rows on the other side are worth it only if they bring the shares nearer.
_EPSILON: Final = 1e-12


def hold_out(
    table: Table, share: float, *, seed: int = 0, groups: Groups | None = None, split: str = "val"
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


def joined_groups(table: Table, groups: Groups | None = None) -> Groups:
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
    joined: Groups = connected_components(graph, directed=False)[1][:n].astype(np.int64)
    return joined


def _choose(counts: Counts, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
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


def _round_off(
    counts: Counts, wanted: NDArray[np.float64], taken: NDArray[np.bool_], have: Counts
) -> None:
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


def _leaves_some(group: Counts, after: Counts, total: Counts) -> bool:
    """Whether every class of the group keeps a row that is not moved."""
    return bool((after[group > 0] < total[group > 0]).all())
