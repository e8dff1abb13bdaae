"""Findings of an audit: one line for everything that is odd about a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table
from facekit.evaluation.picture import TINY, CropMeasures
from facekit.evaluation.suspects import Suspect

__all__ = [
    "EXCLUDABLE",
    "FINDINGS",
    "Finding",
    "broken_findings",
    "excluded_ids",
    "finding_of",
    "findings_csv",
    "picture_findings",
    "suspect_findings",
]

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

Ints = NDArray[np.int64]


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Finding)])
    writer.writerows((*cells, group or "") for *cells, group in map(astuple, found))
    return text.getvalue()


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


def picture_findings(table: Table, measures: CropMeasures, sizes: Ints) -> Iterator[Finding]:
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


def suspect_findings(table: Table, suspects: Iterable[Suspect], group: Ints) -> Iterator[Finding]:
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
