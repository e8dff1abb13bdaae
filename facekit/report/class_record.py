"""The JSON of an evaluation over classes, and of a run that learned them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from facekit.evaluation.class_intervals import ClassIntervals
from facekit.evaluation.classification import ClassMetrics
from facekit.report.record import strict

__all__ = ["class_record", "report_record_classes"]


def class_record(
    metrics: ClassMetrics,
    intervals: ClassIntervals,
    *,
    task: str,
    dataset: str,
    split: str,
    model: str,
) -> dict[str, Any]:
    """What ``facekit evaluate fer --json`` prints.

    Args:
        metrics: From `class_metrics`.
        intervals: From `class_intervals`, same images.
        task: ``emotions`` or ``classes``.
        dataset: Name of the data set.
        split: Partition that was measured.
        model: Name of the bundle.

    Returns:
        ``{"task", "dataset", "split", "n", "model", "metrics", "intervals",
        "per_class", "confusion"}``, ready for strict JSON. The rows (labels) and
        columns (answers) of "confusion" are in the order of "per_class". A
        measure that cannot be taken is None.
    """
    ranges = {
        name: None if any(math.isnan(end) for end in pair) else list(pair)
        for name, pair in intervals.means.items()
    }
    record = {
        "task": task,
        "dataset": dataset,
        "split": split,
        "n": metrics.n,
        "model": model,
        "metrics": metrics.means,
        "intervals": ranges,
        "per_class": metrics.per_class,
        "confusion": metrics.confusion,
    }
    return dict(strict(record))


def report_record_classes(
    record: Mapping[str, Any],
    metrics: ClassMetrics,
    intervals: ClassIntervals,
    *,
    name: str,
    rung: str,
    parameters: int,
    trainable: int,
    macs: int,
    seconds: float,
    latency_ms: float | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    provenance: Mapping[str, Any] | None = None,
    command: str = "",
) -> dict[str, Any]:
    """What ``report.json`` of a transfer holds; ``facekit compare`` reads it.

    Args:
        record: From `class_record`.
        metrics: The same.
        intervals: The same.
        name: Of the run.
        rung: ``frozen``, ``last``, ``full`` or ``scratch``.
        parameters: Learnt numbers of backbone and head together.
        trainable: Those of them that this run trained.
        macs: Multiply-adds a crop.
        seconds: Of training; feature extraction on a cold cache included.
        latency_ms: Milliseconds a crop in batches of one, or None if not measured.
        history: Rows of ``metrics.jsonl``.
        provenance: Hashes, data, versions.
        command: How to get these numbers again.

    Returns:
        ``{"kind": "transfer", "name", "rung", ...}`` with all of the record.
    """
    more = {
        "labels": metrics.names,
        "baselines": metrics.baselines,
        "bootstrap": {"unit": intervals.unit, "units": intervals.units, "rounds": intervals.rounds},
        "parameters": parameters,
        "trainable": trainable,
        "macs": macs,
        "seconds": seconds,
        "latency_ms": latency_ms,
        "command": command,
        "provenance": provenance or {},
        "history": history,
    }
    return dict(strict({"kind": "transfer", "name": name, "rung": rung, **record, **more}))
