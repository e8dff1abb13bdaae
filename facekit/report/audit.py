"""The page of an audit: what is odd about a data set, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    origin_sections,
    strips,
    table,
    thumbnails,
    tiles,
)

#: More lines of counts are left to ``audit.json``.
_MOST_COUNTS: Final = 60
#: What the rows of the probe are called.
_PROBED: Final = {
    "all": "all pictures",
    "no exact copy": "without those that an earlier split has pixel by pixel",
    "no copy": "without those that an earlier split has, changed or not",
    "copies": "only those that an earlier split has",
}
_OVERLAPS: Final = (
    "In two splits",
    "Part of the accuracy on these is memory: leave them out of one split.",
)
_CONFLICTS: Final = ("One picture, several labels", "No model can agree with all of them.")
_COPIES: Final = (
    "Most frequent pictures",
    "Copies weigh more in training, and make intervals too narrow.",
)
_SUSPECTS: Final = (
    "Labels likely wrong",
    "By a head that saw neither these pictures nor copies. Look before you leave any out.",
)


@dataclass(frozen=True)
class AuditReport:
    """Everything the page shows; pictures belong in the user's own folder only.

    Attributes:
        record: Counts, as ``facekit audit --json`` prints them.
        meanings: What each finding means.
        overlaps: Pictures that are in two splits, side by side.
        conflicts: Pictures with different labels, side by side.
        copies: The pictures that occur most often.
        suspects: Likely wrong labels.
        odd: Blank, blurred and tiny pictures.
        provenance: Names and values.
        command: How to get this page again.
    """

    record: Mapping[str, Any]
    meanings: Mapping[str, str]
    overlaps: Sequence[Thumbnail] = ()
    conflicts: Sequence[Thumbnail] = ()
    copies: Sequence[Thumbnail] = ()
    suspects: Sequence[Thumbnail] = ()
    odd: Sequence[Thumbnail] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def audit_page(report: AuditReport) -> str:
    """Render the page.

    Args:
        report: What to show; parts that are empty are left out.

    Returns:
        HTML, to be saved with `write_page`.
    """
    record = report.record
    splits = ", ".join(f"{count:,} {split}" for split, count in record["splits"].items())
    sections = [Section("", "", _headlines(record)), *_probe(record), *_pictures(report)]
    sections += [_findings(report), _counts(record)]
    sections += origin_sections(report.command, report.provenance, "")
    subtitle = f"{record['n']:,} pictures: {splits}."
    return document(f"Audit of {record['dataset']}", subtitle, sections, "Made by facekit.")


def _headlines(record: Mapping[str, Any]) -> str:
    found, groups = record["findings"], record["groups"]

    def count(*kinds: str) -> str:
        return f"{sum(found[kind]['all'] for kind in kinds):,}"

    same = f"{count('exact_copy')} with the same pixels, of {groups['exact']:,} photos"
    conflicting = f"of {groups['any_conflict']:,} photos in all"
    facts = [
        (
            "Pictures with copies",
            ("exact_copy", "near_copy"),
            (same, f"{count('near_copy')} changed"),
        ),
        (
            "Repeat another split",
            ("exact_overlap", "near_overlap"),
            (f"{count('exact_overlap')} with the same pixels", _by_split(found)),
        ),
        (
            "Conflicting labels",
            ("exact_conflict", "near_conflict"),
            (f"{count('exact_conflict')} with the same pixels", conflicting),
        ),
        (
            "Broken or blank",
            ("broken", "blank"),
            (
                f"{count('blurred')} blurred, {count('tiny')} tiny",
                f"{count('suspect')} labels likely wrong",
            ),
        ),
    ]
    return tiles(
        [
            Tile(title, count(*kinds), [note for note in notes if note])
            for title, kinds, notes in facts
        ]
    )


def _by_split(found: Mapping[str, Mapping[str, int]]) -> str:
    parts = []
    for split in ("train", "val", "test"):
        total = sum(found[kind].get(split, 0) for kind in ("exact_overlap", "near_overlap"))
        if total:
            parts.append(f"{total:,} in {split}")
    return ", ".join(parts)


def _probe(record: Mapping[str, Any]) -> list[Section]:
    rows = []
    for one in record["probe"]:
        if one["n"]:
            low, high = one["interval"]
            between = f"{100 * low:.1f} to {100 * high:.1f} %"
            name = f"{one['split']}, {_PROBED[one['pictures']]}"
            share, unseen = (f"{100 * one[key]:.1f} %" for key in ("accuracy", "unseen"))
            rows.append((name, f"{one['n']:,}", share, between, unseen))
    if not rows:
        return []
    lead = (
        "A linear head on the frozen backbone, fitted on train, and again without the pictures "
        "that a later split has. What it loses is memory; a network trained whole has more of it."
    )
    columns = ("measured on", "pictures", "accuracy", "95 % interval", "fitted without copies")
    body = table(columns, rows)
    return [Section("What copies are worth", lead, body)]


def _pictures(report: AuditReport) -> list[Section]:
    parts = [
        (_OVERLAPS, strips(report.overlaps) if report.overlaps else ""),
        (_CONFLICTS, strips(report.conflicts) if report.conflicts else ""),
        (_COPIES, strips(report.copies) if report.copies else ""),
        (_SUSPECTS, thumbnails(report.suspects) if report.suspects else ""),
        (("Blank, blurred, tiny", ""), thumbnails(report.odd) if report.odd else ""),
    ]
    return [Section(*words, body) for words, body in parts if body]


def _findings(report: AuditReport) -> Section:
    rows = []
    for kind, meaning in report.meanings.items():
        by = dict(report.record["findings"][kind])
        total = by.pop("all")
        where = ", ".join(f"{count:,} {split}" for split, count in by.items())
        rows.append((f"{kind}: {meaning}", f"{total:,}", where))
    lead = "Pictures with each finding; findings.csv beside this page has them all."
    return Section("All findings", lead, table(("finding", "pictures", "where"), rows))


def _counts(record: Mapping[str, Any]) -> Section:
    words = {True: "agrees", False: "differs", None: ""}
    shown = record["counts"]
    if len(shown) > _MOST_COUNTS:
        shown = [one for one in shown if ", " not in one["what"]]
    rows = []
    for one in shown:
        allowed = " or ".join(f"{count:,}" for count in one["expected"])
        rows.append((one["what"], f"{one['found']:,}", allowed, words[one["agrees"]]))
    lead = "A part of the data differs in its counts and may still be sound."
    return Section("Counts", lead, table(("what", "found", "on the dataset card", ""), rows))
