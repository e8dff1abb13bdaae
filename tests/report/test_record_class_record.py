"""The JSON of class evaluations."""

from __future__ import annotations

import json

import numpy as np

from facekit.evaluation.measures import class_intervals, class_metrics
from facekit.evaluation.weighted import WeightedClasses
from facekit.report.record import Measured, Origin, evaluation_record, report_record

LABELS = [0, 0, 1, 1]
CHANCE = np.eye(3)[[0, 2, 1, 1]] * 0.94 + 0.02


def measured() -> tuple:
    prepared = WeightedClasses(LABELS, CHANCE)
    return class_metrics(prepared, ("a", "b", "c")), class_intervals(prepared, rounds=10)


def test_the_record_has_the_keys_in_order_and_is_strict_json() -> None:
    record = evaluation_record(*measured(), task="classes", dataset="d", split="test", model="m")
    assert list(record) == [
        "task", "dataset", "split", "n", "model", "metrics", "intervals", "per_class", "confusion",
    ]  # fmt: skip
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert (record["n"], record["metrics"]["accuracy"]) == (4, 0.75)
    assert record["confusion"] == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert record["per_class"]["c"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert len(record["intervals"]["accuracy"]) == 2


def test_the_report_holds_the_record_and_what_explains_it() -> None:
    record = evaluation_record(*measured(), task="classes", dataset="d", split="val", model="m")
    report = report_record(
        Measured(*measured(), record),
        Origin("facekit transfer folder", {}, [{"epoch": 1, "loss": float("nan")}]),
        run={"kind": "transfer", "name": "run", "rung": "frozen"},
        costs={"parameters": 100, "trainable": 10, "seconds": 1.5, "latency_ms": None},
    )
    assert record.items() <= report.items()
    assert report["labels"] == ["a", "b", "c"]
    assert (report["kind"], report["name"], report["rung"]) == ("transfer", "run", "frozen")
    assert (report["parameters"], report["trainable"], report["seconds"]) == (100, 10, 1.5)
    assert report["latency_ms"] is None and report["history"] == [{"epoch": 1, "loss": None}]
    assert report["bootstrap"] == {"unit": "image", "units": 4, "rounds": 10}
    assert report["baselines"]["accuracy"] == 0.5
    json.dumps(report, allow_nan=False)
