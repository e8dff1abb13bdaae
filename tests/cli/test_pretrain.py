"""``facekit pretrain``: what reaches the workflow, and what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facekit.workflows.pretrain import run as workflow


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the workflow was called with."""
    seen: dict[str, Any] = {}

    def record(data: Path | None, **options: Any) -> workflow.PretrainResult:
        seen.update(options, data=data)
        bundle = None if options["epochs"] else Path("run/bundle")
        return workflow.PretrainResult(Path("run"), bundle, {"val_loss": 0.25}, bundle is not None)

    monkeypatch.setattr(workflow, "pretrain", record)
    return seen


def test_the_defaults(run, given: dict[str, Any]) -> None:
    answer = run("pretrain", "celeba", "--data", "faces")
    assert answer.code == 0
    assert given == {
        "data": Path("faces"),
        "source": None,
        "recipe": "celeba-compact",
        "overrides": (),
        "out": None,
        "resume": False,
        "epochs": None,
        "allow_missing": False,
        "exclude": None,
        "teacher_table": None,
    }
    assert "finished" in answer.out and "run/bundle" in answer.out and "0.25" in answer.out


def test_every_option_arrives(run, given: dict[str, Any]) -> None:
    answer = run(
        *("pretrain", "celeba", "--data", "d", "--source", "tfds", "--recipe", "demo"),
        *("--set", "training.seed=3", "--set", "schedule.kind=plateau", "--out", "run"),
        *("--resume", "--epochs", "4", "--allow-missing", "--teacher-table", "t.npz"),
        *("--exclude", "bad.csv"),
    )
    assert answer.code == 0
    assert given == {
        "data": Path("d"),
        "source": "tfds",
        "recipe": "demo",
        "overrides": ["training.seed=3", "schedule.kind=plateau"],
        "out": Path("run"),
        "resume": True,
        "epochs": 4,
        "allow_missing": True,
        "exclude": Path("bad.csv"),
        "teacher_table": Path("t.npz"),
    }
    assert "--resume" in answer.out


def test_no_epochs_is_bad_usage(run, given: dict[str, Any]) -> None:
    assert run("pretrain", "celeba", "--epochs", "0").code == 2
    assert not given
