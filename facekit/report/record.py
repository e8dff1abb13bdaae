"""JSON that any reader accepts, and the history of a training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facekit.evaluation.measures import (
    AttributeIntervals,
    AttributeMetrics,
    ClassIntervals,
    ClassMetrics,
)
from facekit.system.files import write_atomically


def evaluation_record(
    metrics: AttributeMetrics,
    intervals: AttributeIntervals,
    *,
    dataset: str,
    split: str,
    model: str,
) -> dict[str, Any]:
    """What ``facekit evaluate celeba --json`` prints.

    Args:
        metrics: From `attribute_metrics`.
        intervals: From `attribute_intervals`, same images.
        dataset: Name of the data set.
        split: Partition that was measured.
        model: Name of the bundle.

    Returns:
        ``{"task", "dataset", "split", "n", "model", "metrics", "intervals",
        "per_attribute"}``, ready for strict JSON; a measure that cannot be
        taken (one class only, say) is None, and so is its interval.
    """
    ranges = {
        name: None if any(math.isnan(end) for end in pair) else list(pair)
        for name, pair in intervals.means.items()
    }
    record = {
        "task": "attributes",
        "dataset": dataset,
        "split": split,
        "n": metrics.n,
        "model": model,
        "metrics": metrics.means,
        "intervals": ranges,
        "per_attribute": metrics.per_attribute,
    }
    return dict(strict(record))


def report_record(
    record: Mapping[str, Any],
    metrics: AttributeMetrics,
    intervals: AttributeIntervals,
    *,
    history: Sequence[Mapping[str, Any]] = (),
    provenance: Mapping[str, Any] | None = None,
    command: str = "",
) -> dict[str, Any]:
    """What ``report.json`` of a run holds: the record and all that explains it.

    Args:
        record: From `evaluation_record`.
        metrics: The same.
        intervals: The same.
        history: Rows of ``metrics.jsonl``.
        provenance: Hashes, data, versions.
        command: How to get these numbers again.

    Returns:
        The record with "baselines" (always answering the majority class),
        "counted" (attributes in each mean), "bootstrap", "command",
        "provenance" and "history".
    """
    more = {
        "baselines": metrics.baselines,
        "counted": metrics.counted,
        "bootstrap": {"unit": intervals.unit, "rounds": intervals.rounds},
        "command": command,
        "provenance": provenance or {},
        "history": history,
    }
    return dict(strict({**record, **more}))


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
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            epochs[row["epoch"]] = row
    return [epochs[number] for number in sorted(epochs)]


# The JSON of an evaluation over classes, and of a run that learned them.


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
