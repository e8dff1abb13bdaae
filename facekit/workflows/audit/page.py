"""Choose the pictures of an audit's page, and write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit._version import __version__
from facekit.arrays import UInt8
from facekit.bundle.bundle import Bundle
from facekit.datasets.cards import CardCount
from facekit.datasets.table import Table
from facekit.report.audit import AuditReport, audit_page
from facekit.report.page import Thumbnail, write_page
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
    report = AuditReport(
        record,
        FINDINGS,
        overlaps=shown.groups("exact_overlap", "near_overlap"),
        conflicts=shown.groups("exact_conflict", "near_conflict", "person_conflict"),
        copies=shown.most_frequent(),
        suspects=shown.suspects(),
        odd=shown.odd(),
        provenance={
            "model": bundle.name,
            "backbone sha256": bundle.manifest.backbone.sha256,
            "facekit": __version__,
        },
        command=f"facekit audit {record['dataset']} --data DIR",
    )
    write_page(path, audit_page(report))


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
