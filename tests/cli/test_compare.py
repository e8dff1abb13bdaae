"""``facekit compare``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

METRICS = {"accuracy": 0.62, "macro_precision": 0.6, "macro_recall": 0.57, "macro_f1": 0.58}


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    folders = []
    for name, rung in (("linear", "frozen"), ("everything", "full")):
        record = {
            "kind": "transfer", "name": name, "dataset": "fer", "split": "val", "n": 100,
            "rung": rung, "metrics": METRICS, "intervals": {"accuracy": [0.5, 0.7]},
            "parameters": 3_600_000, "trainable": 7000, "seconds": 4.5, "latency_ms": 8.0,
        }  # fmt: skip
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        (folders[-1] / "report.json").write_text(json.dumps(record))
    return folders


def test_people_get_a_table(run, runs: list[Path]) -> None:
    answer = run("compare", *runs)
    assert answer.code == 0 and answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0].split()[:2] == ["run", "rung"]
    assert [line.split()[0] for line in lines[1:]] == ["linear", "everything"]
    assert "62.0±10.0" in lines[1] and "3.6M" in lines[1] and "4.5s" in lines[1]


def test_markdown_json_and_page(run, runs: list[Path], tmp_path: Path) -> None:
    answer = run("compare", *runs, "--markdown", "--html", tmp_path / "page.html")
    assert answer.out.startswith("| run | rung |") and answer.out.count("\n") == 4
    assert "everything" in (tmp_path / "page.html").read_text("utf-8")
    record = run("compare", *runs, "--json").json
    assert [one["name"] for one in record["runs"]] == ["linear", "everything"]
    assert record["runs"][0]["accuracy_interval"] == [0.5, 0.7] and record["notes"] == []
    refused = run("compare", *runs, "--json", "--markdown")
    assert refused.code == 2 and "exclude each other" in refused.err


def test_what_is_no_run_is_one_line(run, runs: list[Path], tmp_path: Path) -> None:
    answer = run("compare", runs[0], tmp_path, "--html", tmp_path / "page.html")
    assert (answer.code, answer.out) == (2, "")
    assert "report.json" in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "page.html").exists()
    assert run("compare").code == 2
