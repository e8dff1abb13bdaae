"""Records are strict JSON with the promised keys, whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facekit.evaluation.measures import attribute_intervals, attribute_metrics
from facekit.evaluation.weighted import WeightedAttributes
from facekit.labels import ATTRIBUTES
from facekit.report.record import (
    Measured,
    Origin,
    evaluation_record,
    read_history,
    report_record,
    strict,
    write_json,
)


@pytest.fixture(scope="module")
def answers() -> WeightedAttributes:
    rng = np.random.default_rng(0)
    chance = rng.random((60, 40))
    labels = (rng.random((60, 40)) < chance).astype(np.int8)
    labels[:, ATTRIBUTES.index("Bald")] = 0
    return WeightedAttributes(labels, chance)


def test_record_has_the_promised_keys_and_null_where_nothing_can_be_said(
    answers: WeightedAttributes,
) -> None:
    metrics, intervals = attribute_metrics(answers), attribute_intervals(answers, rounds=20)
    record = evaluation_record(
        metrics, intervals, task="attributes", dataset="celeba", split="test", model="m"
    )
    assert list(record) == [
        "task", "dataset", "split", "n", "model", "metrics", "intervals", "per_attribute"
    ]  # fmt: skip
    assert (record["task"], record["n"]) == ("attributes", 60)
    names = {"mean_accuracy", "balanced_accuracy", "average_precision", "ece", "majority_accuracy"}
    assert set(record["metrics"]) == set(record["intervals"]) == names
    assert tuple(record["per_attribute"]) == ATTRIBUTES
    bald = record["per_attribute"]["Bald"]
    assert bald["balanced_accuracy"] is None
    assert bald["average_precision"] is None
    assert bald["positives"] == 0
    for name, (low, high) in record["intervals"].items():
        assert low <= record["metrics"][name] <= high
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_nothing_known_gives_null_intervals_too() -> None:
    unknown = WeightedAttributes(np.full((3, 40), -1), np.full((3, 40), 0.5))
    record = evaluation_record(
        attribute_metrics(unknown),
        attribute_intervals(unknown, rounds=5),
        task="attributes", dataset="celeba", split="test", model="m",
    )  # fmt: skip
    assert set(record["metrics"].values()) == {None}
    assert set(record["intervals"].values()) == {None}


def test_report_says_over_how_many_attributes_and_how_intervals_were_made(
    answers: WeightedAttributes,
) -> None:
    persons = np.arange(60) // 2
    metrics = attribute_metrics(answers)
    intervals = attribute_intervals(answers, persons=persons, rounds=20)
    record = evaluation_record(
        metrics, intervals, task="attributes", dataset="celeba", split="val", model="m"
    )
    report = report_record(
        Measured(metrics, intervals, record), Origin("again", {}, [{"epoch": 1}])
    )
    assert report["counted"]["balanced_accuracy"] == 39
    assert report["bootstrap"] == {"unit": "person", "rounds": 20}
    assert report["baselines"]["balanced_accuracy"] == 0.5
    assert report["history"] == [{"epoch": 1}]
    assert report["metrics"] == record["metrics"]


def test_strict_turns_everything_into_json_types() -> None:
    mixed = {
        "a": np.float32("nan"), "b": np.arange(2), "c": (1, float("inf")), 4: Path("x/y"),
        "d": np.bool_(True), "e": {"f": np.int64(3)},
    }  # fmt: skip
    assert strict(mixed) == {
        "a": None, "b": [0, 1], "c": [1, None], "4": str(Path("x/y")), "d": True, "e": {"f": 3},
    }  # fmt: skip
    with pytest.raises(TypeError, match="set"):
        strict({"a": {1, 2}})


def test_a_file_is_replaced_whole_and_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"name": "é", "value": float("nan")})
    assert json.loads(path.read_text("utf-8")) == {"name": "é", "value": None}
    with pytest.raises(TypeError):
        write_json(path, {"value": object()})
    assert json.loads(path.read_text("utf-8"))["name"] == "é"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_history_survives_a_kill_and_a_resume(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_history(path) == []
    rows = [{"epoch": 2, "loss": 0.5}, {"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text + "[1]\n" + '{"epoch": 3, "lo', "utf-8")
    assert read_history(path) == [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}]
