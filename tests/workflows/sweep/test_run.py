"""``facekit.sweep``: the sweep for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import facekit
from facekit.workflows.sweep.run import SweepInputs, open_sweep


def test_values_become_the_runs_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def stand_in(words: Sequence[str]) -> str:
        calls.append(list(words))
        return "no"

    monkeypatch.setattr("facekit.workflows.sweep.run.run_facekit", stand_in)
    sets = {
        "features.mirror": [True, False], "head.widths": [[8], (16, 16)], "training.seed": [3],
        "head.balance": ["none"],
    }  # fmt: skip
    result = facekit.sweep(
        "ckplus-cross", tmp_path, sets=sets, out=tmp_path / "a", cross=str(tmp_path),
        progress=False,
    )  # fmt: skip
    texts = ["features.mirror=true,false", "head.widths=[8],[16,16]"]
    texts += ["training.seed=3", "head.balance=none"]
    inputs = SweepInputs(tmp_path, cross=tmp_path)
    same = open_sweep("ckplus-cross", texts, inputs, out=tmp_path / "b")
    assert [run.name for run in result.plan.runs] == [run.name for run in same.runs]
    assert [run.overrides for run in result.plan.runs] == [run.overrides for run in same.runs]
    assert [outcome.error for outcome in result.outcomes] == ["no"] * 4
    assert len(calls) == 4 and str(tmp_path) in calls[0] and "--cross" in calls[0]
    assert capsys.readouterr().err == ""
    json.dumps(result.record())


def test_texts_keep_their_commas_and_what_is_no_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(facekit.UsageError, match="sets has None: give texts"):
        facekit.sweep("fer-frozen-mlp", tmp_path, sets={"training.seed": [None]})
    with pytest.raises(facekit.RecipeError, match=r"head\.balance.*a, b"):
        facekit.sweep("fer-frozen-mlp", tmp_path, sets={"head.balance": ["a, b"]})


def test_texts_do_as_well_and_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("facekit.workflows.sweep.run.run_facekit", lambda words: "no")
    result = facekit.sweep("fer-frozen-mlp", tmp_path, sets=["training.seed=0,1"], only=1,
                           out=tmp_path / "a")  # fmt: skip
    assert [outcome.state for outcome in result.outcomes] == ["waiting", "failed"]
    assert "[2/2]" in capsys.readouterr().err
    with pytest.raises(facekit.UsageError, match="--data is missing"):
        facekit.sweep("fer-frozen-mlp", sets=["training.seed=0,1"])
