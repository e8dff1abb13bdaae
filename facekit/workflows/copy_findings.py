"""Findings about copies: what they do to splits and to labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table
from facekit.evaluation.duplicates import Copies
from facekit.evaluation.overlap import ORDER, conflicts, copied, overlaps
from facekit.workflows.findings import Finding, finding_of

__all__ = ["copy_findings", "count_groups", "group_numbers"]

#: So many other pictures are named in a line.
_EXAMPLES: Final = 3

Ints = NDArray[np.int64]


def copy_findings(
    table: Table, exact: Ints, copies: Copies, *, order: tuple[str, ...] = ORDER
) -> list[Finding]:
    """Copies, those across splits, and those with different labels or people.

    Args:
        table: The n rows that have crops.
        exact: int64 array of shape (n,), from ``exact_groups``.
        copies: From ``near_copies``.
        order: The split that keeps a picture comes first.

    Returns:
        Copies in the order of the table, then overlaps, then conflicts.
    """
    members = _members(copies.groups)
    return [
        *_copies(table, exact, copies, members),
        *_overlaps(table, exact, copies, order),
        *_conflicts(table, exact, copies, members),
    ]


def count_groups(table: Table, exact: Ints, near: Ints) -> dict[str, int]:
    """How many pictures occur more than once, and how many with different labels.

    Args:
        table: The n rows that have crops.
        exact: int64 array of shape (n,), from ``exact_groups``.
        near: The same from ``near_copies``.

    Returns:
        "exact", "exact_conflict" (same pixels), "any" and "any_conflict" (changed
        copies too).
    """
    out = {}
    for name, groups in (("exact", exact), ("any", near)):
        out[name] = len(np.unique(groups[copied(groups)]))
        out[f"{name}_conflict"] = len(np.unique(groups[conflicts(groups, table.labels)]))
    return out


def group_numbers(groups: Ints) -> Ints:
    """Number the groups of copies.

    Args:
        groups: int64 array of shape (n,), from ``exact_groups`` or ``near_copies``.

    Returns:
        int64 array of shape (n,): 1, 2, … for groups of two rows or more, in the
        order of their first rows; 0 for a picture without copies.
    """
    many = copied(groups)
    first = np.unique(groups[many])
    return np.where(many, np.searchsorted(first, groups) + 1, 0)


def _copies(
    table: Table, exact: Ints, copies: Copies, members: dict[int, list[int]]
) -> Iterator[Finding]:
    number, same = group_numbers(copies.groups), copied(exact)
    partner = _partners(table, copies)
    for row in np.flatnonzero(number).tolist():
        if same[row]:
            rows = members[int(copies.groups[row])]
            also = [one for one in rows if one != row and exact[one] == exact[row]]
            detail = f"also {_names(table, also)}"
            yield finding_of(table, row, "exact_copy", detail, int(number[row]))
        else:
            yield finding_of(table, row, "near_copy", partner[row], int(number[row]))


def _overlaps(
    table: Table, exact: Ints, copies: Copies, order: tuple[str, ...]
) -> Iterator[Finding]:
    number = group_numbers(copies.groups)
    same, like = (overlaps(groups, table.split, order=order) for groups in (exact, copies.groups))
    for row in np.flatnonzero(like >= 0).tolist():
        kind, keeper = ("exact", same[row]) if same[row] >= 0 else ("near", like[row])
        detail = f"is {table.ids[keeper]}"
        yield finding_of(table, row, f"{kind}_overlap", detail, int(number[row]))


def _conflicts(
    table: Table, exact: Ints, copies: Copies, members: dict[int, list[int]]
) -> Iterator[Finding]:
    near, number = copies.groups, group_numbers(copies.groups)
    same = conflicts(exact, table.labels)
    for row in np.flatnonzero(conflicts(near, table.labels)).tolist():
        rows = members[int(near[row])]
        if same[row]:
            rows = [one for one in rows if exact[one] == exact[row]]
        kind = "exact_conflict" if same[row] else "near_conflict"
        yield finding_of(table, row, kind, _clash(table, rows), int(number[row]))
    if table.person is None:
        return
    for row in np.flatnonzero(conflicts(near, table.person)).tolist():
        people = {str(table.person[one]) for one in members[int(near[row])]}
        detail = f"{table.person[row]} here, {len(people)} people in all"
        yield finding_of(table, row, "person_conflict", detail, int(number[row]))


def _members(groups: Ints) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(copied(groups)).tolist():
        members.setdefault(int(groups[row]), []).append(row)
    return members


def _partners(table: Table, copies: Copies) -> dict[int, str]:
    """Of every row, the copy that it is most alike."""
    best: dict[int, str] = {}
    for place in np.argsort(-copies.correlation, kind="stable").tolist():
        one, other = copies.pairs[place].tolist()
        how = f"correlation {copies.correlation[place]:.3f}"
        how += ", mirrored" if copies.mirrored[place] else ""
        best.setdefault(one, f"of {table.ids[other]} ({how})")
        best.setdefault(other, f"of {table.ids[one]} ({how})")
    return best


def _names(table: Table, rows: Sequence[int]) -> str:
    more = f" and {len(rows) - _EXAMPLES} more" if len(rows) > _EXAMPLES else ""
    return ", ".join(str(table.ids[row]) for row in rows[:_EXAMPLES]) + more


def _clash(table: Table, rows: Sequence[int]) -> str:
    """Which labels a group carries: counts of classes, or names of attributes."""
    labels = table.labels[list(rows)]
    if labels.ndim == 1:
        counts = np.bincount(labels[labels >= 0])
        return ", ".join(f"{table.label_names[i]} {counts[i]}" for i in np.flatnonzero(counts))
    low, high = np.where(labels < 0, 2, labels).min(0), labels.max(0)
    return ", ".join(table.label_names[i] for i in np.flatnonzero(high > low))
