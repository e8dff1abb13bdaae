"""Findings of an audit: one line for everything that is odd about a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np

from facekit.arrays import Int64
from facekit.datasets.table import Table
from facekit.evaluation.mistakes import Suspect
from facekit.photos.copies import ORDER, Copies, conflicts, copied, overlaps
from facekit.photos.quality import TINY, CropMeasures
from facekit.system.sheet import csv_text

#: Every kind of finding.
FINDINGS: Final = {
    "broken": "cannot be used: missing, damaged, no face found or no known label",
    "blank": "nothing to see",
    "blurred": "eyes and mouth run together",
    "tiny": f"shorter side below {TINY} pixels",
    "exact_copy": "the same pixels occur more than once",
    "near_copy": "the same photo, changed: resized, recut, recompressed, marked, mirrored",
    "exact_overlap": "the same pixels are in another split, which keeps them",
    "near_overlap": "the same photo, changed, is in another split, which keeps it",
    "exact_conflict": "the same pixels carry different labels",
    "near_conflict": "the same photo, changed, carries different labels",
    "person_conflict": "the same photo is said to show different people",
    "suspect": "the label is likely wrong, by scores of a head that did not see it",
}
#: What can be left out, and the findings it stands for.
EXCLUDABLE: Final = {
    "duplicates": ("exact_overlap",),
    "conflicts": ("exact_conflict",),
    "broken": ("broken", "blank"),
    "near-duplicates": ("near_overlap",),
    "near-conflicts": ("near_conflict",),
    "suspects": ("suspect",),
}


@dataclass(frozen=True)
class Finding:
    """Something odd about a picture.

    Attributes:
        id: Of the picture, as in the table.
        split: train, val, test, or "" where it is in none.
        label: Its class, or the attribute in question; "" for none.
        finding: Key of ``FINDINGS``.
        detail: What was seen.
        group: Number of the pictures that show the same; 0 for none.
    """

    id: str
    split: str
    label: str
    finding: str
    detail: str
    group: int = 0


def findings_csv(found: Iterable[Finding]) -> str:
    """The findings as csv with the columns id, split, label, finding, detail, group."""
    rows = ((*cells, group or "") for *cells, group in map(astuple, found))
    return csv_text([field.name for field in fields(Finding)], rows)


def excluded_ids(found: Iterable[Finding], choices: Sequence[str], table: Table) -> list[str]:
    """Ids to leave out, in the order of the table.

    Args:
        found: All findings.
        choices: Keys of ``EXCLUDABLE``.
        table: Pictures that have findings without being in it are passed over:
            nothing can leave them out.

    Returns:
        Each id once.
    """
    wanted = {finding for choice in choices for finding in EXCLUDABLE[choice]}
    ids = {one.id for one in found if one.finding in wanted}
    return [name for name in table.ids.tolist() if name in ids]


def broken_findings(table: Table, errors: dict[str, str]) -> Iterator[Finding]:
    """Pictures that the lists name and nobody can use.

    Args:
        table: Every row of the source.
        errors: Why an image could not be cropped, by id.
    """
    kinds = {
        "missing": table.issues.missing,
        "empty or no picture": table.issues.unreadable,
        "its label is no class": table.issues.mislabelled,
    }
    for detail, ids in kinds.items():
        for name in ids:
            yield Finding(name, "", "", "broken", detail)
    for row, name in enumerate(table.ids.tolist()):
        if name in errors:
            yield Finding(name, str(table.split[row]), _label(table, row), "broken", errors[name])


def picture_findings(table: Table, measures: CropMeasures, sizes: Int64) -> Iterator[Finding]:
    """Blank, blurred and tiny pictures.

    Args:
        table: The n rows that have crops.
        measures: Of the crops, in the order of the table.
        sizes: int64 array of shape (n, 2): width and height; 0 for unknown.
    """
    shorter = sizes.min(1)
    for row in np.flatnonzero(measures.blank).tolist():
        yield finding_of(table, row, "blank", f"spread {measures.spread[row]:.1f} of 255")
    for row in np.flatnonzero(measures.blurred).tolist():
        yield finding_of(table, row, "blurred", f"sharpness {measures.sharpness[row]:.2f}")
    for row in np.flatnonzero((shorter > 0) & (shorter < TINY)).tolist():
        width, height = sizes[row].tolist()
        yield finding_of(table, row, "tiny", f"{width} x {height}")


def suspect_findings(table: Table, suspects: Iterable[Suspect], group: Int64) -> Iterator[Finding]:
    """Labels that are likely wrong.

    Args:
        table: The n rows that the suspects were found among.
        suspects: From ``likely_wrong`` or ``likely_wrong_attributes``.
        group: int64 array of shape (n,), from ``group_numbers``.
    """
    for one in suspects:
        given, suggested = ("no", "yes") if one.suggested else ("yes", "no")
        label = f"{table.label_names[one.column]} {given}"
        if one.column < 0:
            label, suggested = (table.label_names[i] for i in (one.given, one.suggested))
        detail = f"looks {suggested} {one.probability:.2f}, {label} {one.own:.2f}"
        name, split = str(table.ids[one.row]), str(table.split[one.row])
        yield Finding(name, split, label, "suspect", detail, int(group[one.row]))


def finding_of(table: Table, row: int, finding: str, detail: str, group: int = 0) -> Finding:
    """A finding about a row of a table."""
    name, split = str(table.ids[row]), str(table.split[row])
    return Finding(name, split, _label(table, row), finding, detail, group)


def _label(table: Table, row: int) -> str:
    if table.labels.ndim != 1 or table.labels[row] < 0:
        return ""
    return table.label_names[int(table.labels[row])]


# Findings about copies: what they do to splits and to labels.

#: So many other pictures are named in a line.
_EXAMPLES: Final = 3


def copy_findings(
    table: Table, exact: Int64, copies: Copies, *, order: tuple[str, ...] = ORDER
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


def count_groups(table: Table, exact: Int64, near: Int64) -> dict[str, int]:
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


def group_numbers(groups: Int64) -> Int64:
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
    table: Table, exact: Int64, copies: Copies, members: dict[int, list[int]]
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
    table: Table, exact: Int64, copies: Copies, order: tuple[str, ...]
) -> Iterator[Finding]:
    number = group_numbers(copies.groups)
    same, like = (overlaps(groups, table.split, order=order) for groups in (exact, copies.groups))
    for row in np.flatnonzero(like >= 0).tolist():
        kind, keeper = ("exact", same[row]) if same[row] >= 0 else ("near", like[row])
        detail = f"is {table.ids[keeper]}"
        yield finding_of(table, row, f"{kind}_overlap", detail, int(number[row]))


def _conflicts(
    table: Table, exact: Int64, copies: Copies, members: dict[int, list[int]]
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


def _members(groups: Int64) -> dict[int, list[int]]:
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
