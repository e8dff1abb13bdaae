"""Choose the pictures of an audit's page, and write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit._version import __version__
from facekit.arrays import UInt8
from facekit.bundle.bundle import Bundle
from facekit.datasets.cards import CardCount
from facekit.datasets.table import Table
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
    write_page,
)
from facekit.report.record import strict
from facekit.workflows.audit.findings import FINDINGS, Finding
from facekit.workflows.audit.scores import ProbeRow
from facekit.workflows.sources import Source

#: Groups shown of each kind, and pictures of one group.
_GROUPS: Final = 24
_SIDE_BY_SIDE: Final = 6
#: Suspects shown of a label, and of all labels.
_OF_A_LABEL, _SUSPECTS = 8, 96
_ODD: Final = 12


def write_audit_page(
    path: Path, record: dict[str, Any], findings: Sequence[Finding], source: Source, bundle: Bundle
) -> None:
    """Write the page of an audit.

    Args:
        path: Target; its folder exists.
        record: From ``audit_record``.
        findings: All of them.
        source: The crops that thumbnails are taken from.
        bundle: What embedded them.
    """
    shown = _Shown(source, findings)
    pictures = {
        "overlaps": shown.groups("exact_overlap", "near_overlap"),
        "conflicts": shown.groups("exact_conflict", "near_conflict", "person_conflict"),
        "copies": shown.most_frequent(),
        "suspects": shown.suspects(),
        "odd": shown.odd(),
    }
    provenance = {
        "model": bundle.name,
        "backbone sha256": bundle.manifest.backbone.sha256,
        "facekit": __version__,
    }
    write_page(path, audit_page(record, pictures, provenance))


class _Shown:
    """Findings by kind and group, with the crops to show them."""

    def __init__(self, source: Source, findings: Sequence[Finding]) -> None:
        self._crops = source.cache.crops
        self._place = dict(zip(source.table.ids.tolist(), source.rows.tolist(), strict=True))
        self._kinds: dict[str, list[Finding]] = {kind: [] for kind in FINDINGS}
        self._members: dict[int, list[Finding]] = {}
        for one in findings:
            self._kinds[one.finding].append(one)
            if one.finding in ("exact_copy", "near_copy"):
                self._members.setdefault(one.group, []).append(one)

    def groups(self, *kinds: str) -> list[Thumbnail]:
        """Groups that hold such findings, as many of each kind, evenly chosen."""
        chosen: dict[int, str] = {}
        for kind in kinds:
            seen = {one.group: one.detail for one in self._kinds[kind] if one.group not in chosen}
            numbers = list(seen)
            take = np.linspace(0, len(numbers) - 1, min(len(numbers), _GROUPS // 2)).astype(int)
            chosen |= {numbers[i]: seen[numbers[i]] for i in take}
        return [self._strip(number, detail) for number, detail in chosen.items()]

    def most_frequent(self) -> list[Thumbnail]:
        """The largest groups."""
        numbers = sorted(self._members, key=lambda number: (-len(self._members[number]), number))
        return [
            self._strip(number, f"{len(self._members[number])} times")
            for number in numbers[: _GROUPS // 2]
        ]

    def suspects(self) -> list[Thumbnail]:
        """The surest of every label."""
        labels = len({one.label for one in self._kinds["suspect"]})
        most = max(1, min(_OF_A_LABEL, _SUSPECTS // max(1, labels)))
        chosen: dict[str, dict[object, Finding]] = {}
        for one in self._kinds["suspect"]:  # one of a group of copies
            chosen.setdefault(one.label, {}).setdefault(one.group or one.id, one)
        return [
            Thumbnail(self._crop(one), f"says {one.label}", (*one.detail.split(", "), one.id))
            for of_label in chosen.values()
            for one in list(of_label.values())[:most]
        ]

    def odd(self) -> list[Thumbnail]:
        """Blank, blurred and tiny pictures."""
        return [
            Thumbnail(self._crop(one), kind, (one.detail, one.id))
            for kind in ("blank", "blurred", "tiny")
            for one in self._kinds[kind][:_ODD]
        ]

    def _strip(self, number: int, detail: str) -> Thumbnail:
        """Members of a group side by side: of each split and label first."""
        members = self._members[number]
        first: dict[tuple[str, str], Finding] = {}
        for one in members:
            first.setdefault((one.split, one.label), one)
        different = list(first.values())
        order = different + [one for one in members if one not in different]
        side = [self._crop(one) for one in order[:_SIDE_BY_SIDE]]
        said = [f"{one.split} {one.label}".strip() for one in order[:_SIDE_BY_SIDE]]
        left = len(members) - len(side)
        words = " | ".join(said) + (f" | {left} more" if left > 0 else "")
        return Thumbnail(np.concatenate(side, axis=1), f"group {number}", (words, detail))

    def _crop(self, one: Finding) -> UInt8:
        return np.asarray(self._crops[self._place[one.id]])


# The numbers of an audit.


def audit_record(
    dataset: str,
    table: Table,
    findings: Sequence[Finding],
    groups: Mapping[str, int],
    counts: Sequence[CardCount],
    probe: Sequence[ProbeRow],
    accuracy: float | None,
) -> dict[str, Any]:
    """Count the findings.

    Args:
        dataset: Name of the data.
        table: Every row of the source.
        findings: All of them.
        groups: From ``count_groups``.
        counts: From ``count_table``.
        probe: From ``probe_splits``.
        accuracy: Of the cross-validated scores.

    Returns:
        ``{"task": "audit", "dataset", "n", "splits", "findings", "groups",
        "counts", "cross_validated_accuracy", "probe"}`` in JSON's own types.
        "findings" counts pictures by kind and split.
    """
    splits = sorted(set(table.split.tolist()), key=("train", "val", "test").index)
    kinds: dict[str, dict[str, int]] = {}
    for kind in FINDINGS:
        ids = {split: set[str]() for split in ("", *splits)}
        for one in findings:
            if one.finding == kind:
                ids[one.split].add(one.id)
        by = {split or "in no split": len(found) for split, found in ids.items() if found}
        kinds[kind] = {"all": sum(by.values()), **by}
    record = {
        "task": "audit",
        "dataset": dataset,
        "n": len(table),
        "splits": {split: int((table.split == split).sum()) for split in splits},
        "findings": kinds,
        "groups": groups,
        "counts": [{**asdict(one), "agrees": one.agrees} for one in counts],
        "cross_validated_accuracy": accuracy,
        "probe": [asdict(row) for row in probe],
    }
    return dict(strict(record))


# The page of an audit: what is odd about a data set, with pictures.

#: More lines of counts are left to ``audit.json``.
_MOST_COUNTS: Final = 60
#: What the rows of the probe are called.
_PROBED: Final = {
    "all": "all pictures",
    "no exact copy": "without those that an earlier split has pixel by pixel",
    "no copy": "without those that an earlier split has, changed or not",
    "copies": "only those that an earlier split has",
}
#: Sections of pictures: title, lead, and how they are shown.
_SHOWN: Final[dict[str, tuple[str, str, Callable[[Sequence[Thumbnail]], str]]]] = {
    "overlaps": (
        "In two splits",
        "Part of the accuracy on these is memory: leave them out of one split.",
        strips,
    ),
    "conflicts": ("One picture, several labels", "No model can agree with all of them.", strips),
    "copies": (
        "Most frequent pictures",
        "Copies weigh more in training, and make intervals too narrow.",
        strips,
    ),
    "suspects": (
        "Labels likely wrong",
        "By a head that saw neither these pictures nor copies. Look before you leave any out.",
        thumbnails,
    ),
    "odd": ("Blank, blurred, tiny", "", thumbnails),
}


def audit_page(
    record: Mapping[str, Any],
    pictures: Mapping[str, Sequence[Thumbnail]] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> str:
    """Render the page; pictures belong in the user's own folder only.

    Args:
        record: Counts, as ``facekit audit --json`` prints them.
        pictures: By section: ``overlaps``, ``conflicts``, ``copies`` (side by side),
            ``suspects``, ``odd``; those that are empty are left out.
        provenance: Names and values.

    Returns:
        HTML, to be saved with `write_page`.
    """
    splits = ", ".join(f"{count:,} {split}" for split, count in record["splits"].items())
    sections = [Section("", "", _headlines(record)), *_probe(record)]
    for name, (title, lead, show) in _SHOWN.items():
        shown = (pictures or {}).get(name)
        sections += [Section(title, lead, show(shown))] if shown else []
    sections += [_findings(record), _counts(record)]
    command = f"facekit audit {record['dataset']} --data DIR"
    sections += origin_sections(command, provenance or {}, "")
    subtitle = f"{record['n']:,} pictures: {splits}."
    return document(f"Audit of {record['dataset']}", subtitle, sections, "Made by facekit.")


def _headlines(record: Mapping[str, Any]) -> str:
    found, groups = record["findings"], record["groups"]

    def count(*kinds: str) -> str:
        return f"{sum(found[kind]['all'] for kind in kinds):,}"

    def alike(kind: str) -> str:
        return f"{count(f'exact_{kind}')} with the same pixels"

    same = f"{alike('copy')}, of {groups['exact']:,} photos"
    conflicting = f"of {groups['any_conflict']:,} photos in all"
    odd = f"{count('blurred')} blurred, {count('tiny')} tiny"
    facts = [
        ("Pictures with copies", "copy", same, f"{count('near_copy')} changed"),
        ("Repeat another split", "overlap", alike("overlap"), _by_split(found)),
        ("Conflicting labels", "conflict", alike("conflict"), conflicting),
    ]
    shown = [
        Tile(title, count(f"exact_{kind}", f"near_{kind}"), [note for note in notes if note])
        for title, kind, *notes in facts
    ]
    suspects = f"{count('suspect')} labels likely wrong"
    return tiles([*shown, Tile("Broken or blank", count("broken", "blank"), [odd, suspects])])


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


def _findings(record: Mapping[str, Any]) -> Section:
    rows = []
    for kind, counts in record["findings"].items():
        by = dict(counts)
        total = by.pop("all")
        where = ", ".join(f"{count:,} {split}" for split, count in by.items())
        rows.append((f"{kind}: {FINDINGS[kind]}", f"{total:,}", where))
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
