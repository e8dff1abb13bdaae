"""The numbers of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from facekit.datasets.card_counts import CardCount
from facekit.datasets.table import Table
from facekit.report.record import strict
from facekit.workflows.audit_scores import ProbeRow
from facekit.workflows.findings import FINDINGS, Finding

__all__ = ["audit_record"]


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
