"""``facekit sweep`` with real runs, and its Slurm script."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def words(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A sweep of two heads on two classes of drawn blots, in the working directory."""
    for k, name in enumerate("ab"):
        for i in range(3):
            path = tmp_path / "faces" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blots = np.random.default_rng([k, i]).integers(0, 256, (6, 6, 3), np.uint8)
            assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))  # for the runs
    sets = (f"model={tiny_bundle}", "data.aligned=fer", "head.strengths=[0.1],[0.1,1]")
    given = ["sweep", "folder-frozen", "--data", "faces", "--out", "my sweep"]
    return [*given, *(word for one in sets for word in ("--set", one))]


def test_a_sweep_from_folder_to_table(run, words: list[str], tmp_path: Path) -> None:
    answer = run(*words)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == "my sweep" and lines[1].split()[:2] == ["run", "rung"]
    assert "[2/2] strengths=0.1+1: finished" in answer.err
    out = tmp_path / "my sweep"
    for name in ("strengths=0.1", "strengths=0.1+1"):
        assert f"| {name} | frozen |" in (out / "sweep.md").read_text()
        report = json.loads((out / name / "report.json").read_text())
        told = report["command"]  # the run's own: it makes this bundle again
        assert (
            told.startswith("facekit transfer folder --data faces") and f"my sweep/{name}" in told
        )
    answer = run(*words, "--resume", "--json")
    assert answer.code == 0 and [one["state"] for one in answer.json["runs"]] == ["finished"] * 2
    assert answer.json["runs"][1]["measures"]["rung"] == "frozen"
    assert "already" in answer.err


def test_a_failed_run_is_told_and_exit_code_1(run, words: list[str], tmp_path: Path) -> None:
    answer = run(*words, "--set", "features.parts=['pooled'],['voice']", "--only", "1")
    assert answer.code == 1 and answer.out == ""
    told = answer.err.splitlines()[-1]
    assert told.startswith("strengths=0.1,parts=voice failed: ") and "tiny has" in told
    record = run(*words, "--set", "features.parts=['pooled'],['voice']", "--dry-run", "--json").json
    assert [one["state"] for one in record["runs"]] == ["waiting"] * 4


def test_a_look_runs_and_writes_nothing(run, words: list[str], tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    answer = run(*words, "--dry-run")
    assert answer.code == 0 and answer.err == ""
    assert [line.split()[1:3] for line in answer.out.splitlines()[2::2]]
    assert "strengths=0.1+1" in answer.out and "waiting" in answer.out
    assert sorted(path for path in tmp_path.rglob("*")) == before
    for two in (("--dry-run", "--only", "0"), ("--dry-run", "--slurm", "x")):
        answer = run(*words, *two)
        assert answer.code == 2 and "exclude each other" in answer.err


def test_a_task_of_the_slurm_script_makes_its_run(run, words: list[str], tmp_path: Path) -> None:
    answer = run(*words, "--set", 'summary="it\'s, so"', "--slurm", "job.sh")
    assert answer.code == 0 and "waiting" in answer.out and "sbatch job.sh" in answer.err
    assert not (tmp_path / "my sweep").exists()
    text = (tmp_path / "job.sh").read_text()
    head, _, body = text.partition("\nset -euo pipefail\n")
    assert "\n#SBATCH --array=0-1\n" in head and "strengths=[0.1,1]" in head.splitlines()[9]
    assert all(line.startswith("#") for line in head.splitlines()) and "#SBATCH" not in body
    assert subprocess.run(["bash", "-n", "job.sh"]).returncode == 0
    env = {**os.environ, "SLURM_ARRAY_TASK_ID": "1"}
    done = subprocess.run(
        ["bash", tmp_path / "job.sh"], env=env, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "my sweep").glob("*=*")] == ["strengths=0.1+1"]
    assert "strengths=0.1 (waiting)" in (tmp_path / "my sweep" / "sweep.md").read_text()
    recipe = (tmp_path / "my sweep" / "strengths=0.1+1" / "recipe.toml").read_text()
    assert "it's, so" in recipe
    del env["SLURM_ARRAY_TASK_ID"]
    done = subprocess.run(["bash", "job.sh"], env=env, capture_output=True, text=True)
    assert done.returncode != 0 and "submit this file with sbatch" in done.stderr
    env["SLURM_ARRAY_TASK_ID"] = "2"
    done = subprocess.run(["bash", "job.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "the runs have the numbers 0 to 1" in done.stderr


def test_a_script_never_replaces_another_file(run, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for name, why in (
        ("mine.txt", "no script of a sweep"),
        (".", "name a file"),
        ("a/b", "name a"),
    ):
        answer = run(*words, "--slurm", name)
        assert answer.code == 2 and why in answer.err and answer.err.count("\n") == 1
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert run(*words, "--slurm", "job.sh").code == run(*words, "--slurm", "job.sh").code == 0
