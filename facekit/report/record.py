"""JSON that any reader accepts, and the history of a training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facekit.evaluation.measures import AttributeMetrics, ClassMetrics, Intervals
from facekit.system.files import write_atomically

Metrics = AttributeMetrics | ClassMetrics


@dataclass(frozen=True)
class Measured:
    """Answers turned into numbers.

    Attributes:
        metrics: Every measure.
        intervals: Their 95 % intervals.
        record: Both as ``facekit evaluate --json`` prints them.
    """

    metrics: Metrics
    intervals: Intervals
    record: dict[str, Any]


def evaluation_record(
    metrics: Metrics, intervals: Intervals, *, task: str, dataset: str, split: str, model: str
) -> dict[str, Any]:
    """What ``facekit evaluate --json`` prints.

    Args:
        metrics: From `attribute_metrics` or `class_metrics`.
        intervals: Of the same images.
        task: ``attributes``, ``emotions`` or ``classes``.
        dataset: Name of the data set.
        split: Partition that was measured.
        model: Name of the bundle.

    Returns:
        ``{"task", "dataset", "split", "n", "model", "metrics", "intervals"}`` with
        "per_attribute", or with "per_class" and "confusion" (rows are labels, columns
        answers, both in the order of "per_class"), ready for strict JSON; a measure
        that cannot be taken (one class only, say) is None, and so is its interval.
    """
    ranges = {
        name: None if any(math.isnan(end) for end in pair) else list(pair)
        for name, pair in intervals.means.items()
    }
    record: dict[str, Any] = {
        "task": task,
        "dataset": dataset,
        "split": split,
        "n": metrics.n,
        "model": model,
        "metrics": metrics.means,
        "intervals": ranges,
    }
    if isinstance(metrics, ClassMetrics):
        record |= {"per_class": metrics.per_label, "confusion": metrics.confusion}
    else:
        record["per_attribute"] = metrics.per_label
    return dict(strict(record))


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a run come from.

    Attributes:
        command: How to get them again.
        provenance: Names and values: hashes, data, versions.
        history: Rows of ``metrics.jsonl``, see `read_history`.
    """

    command: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()


def report_record(
    measured: Measured,
    origin: Origin,
    *,
    run: Mapping[str, Any] | None = None,
    costs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What ``report.json`` of a run holds: the record and all that explains it.

    Args:
        measured: Numbers and record.
        origin: Where they come from.
        run: What goes first: kind, name and rung of a transfer.
        costs: Parameters, multiply-adds, seconds: what ``facekit compare`` shows.

    Returns:
        The record with "baselines" (always answering the majority class),
        "counted" (attributes in each mean) or "labels" (classes), "bootstrap",
        "command", "provenance" and "history".
    """
    metrics, intervals = measured.metrics, measured.intervals
    units = {"units": intervals.units} if intervals.units else {}
    if isinstance(metrics, ClassMetrics):
        own = {"labels": metrics.names, "baselines": metrics.baselines}
    else:
        own = {"baselines": metrics.baselines, "counted": metrics.counted}
    whole = {
        **(run or {}),
        **measured.record,
        **own,
        "bootstrap": {"unit": intervals.unit, **units, "rounds": intervals.rounds},
        **(costs or {}),
        **vars(origin),
    }
    return dict(strict(whole))


def strict(value: Any) -> Any:
    """The same value in JSON's own types.

    Args:
        value: Mappings, sequences, NumPy arrays and scalars, paths, numbers,
            text, None; nested at will.

    Returns:
        dict, list, str, int, float, bool or None; NaN and infinities become
        None, because JSON has no such numbers.

    Raises:
        TypeError: Something else is in there.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return strict(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [strict(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a JSON record")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as indented strict JSON; whole or not at all.

    Args:
        path: Target; its folder exists.
        record: Anything `strict` accepts.
    """
    text = json.dumps(strict(record), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


def read_history(path: Path) -> list[dict[str, Any]]:
    """Epochs of a ``metrics.jsonl``, ascending.

    A last line torn by a kill is left out; an epoch that was trained again
    after a resume counts as it was the last time.

    Args:
        path: The file; a missing one has no epochs.

    Returns:
        One mapping an epoch, each with an integer "epoch".
    """
    if not path.is_file():
        return []
    epochs: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            epochs[row["epoch"]] = row
    return [epochs[number] for number in sorted(epochs)]
