"""The schedule: a deadline that is kept, stages that go on, fail, wait for others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gpu.results import save_results
from gpu.run import Schedule, call_facekit
from gpu.stages import Stage, command, plan

ROOT = Path(__file__).resolve().parents[2]


class Machine:
    """Commands that take time on a clock of their own and leave what facekit leaves."""

    def __init__(self, work: Path, each: float = 1.0, beside: float = 8.0) -> None:
        self.work, self.each, self.beside, self.now = work, each, beside, 0.0
        self.calls: list[tuple[str, list[str]]] = []
        self.failing: dict[str, str] = {}
        self.losses: dict[str, float] = {}

    def clock(self) -> float:
        return self.now

    def call(self, words: Sequence[str], log: Path, seconds: float) -> int | None:
        run = Path(words[words.index("--out") + 1])
        self.calls.append((run.name, list(words)))
        if run.name in self.failing:
            log.write_text(f"facekit: {self.failing[run.name]}\n")
            return 2
        run.mkdir(parents=True, exist_ok=True)
        assert ("--resume" in words) == (run / "checkpoint.npz").exists()
        whole = int([w for w in words if w.startswith("training.epochs=")][-1].split("=")[1])
        path = run / "metrics.jsonl"
        done = len(path.read_text().splitlines()) if path.exists() else 0
        last = (
            min(whole, done + int(words[words.index("--epochs") + 1]))
            if "--epochs" in words
            else whole
        )
        end = self.now + seconds
        self.now += self.beside
        for epoch in range(done, last):
            self.now += self.each
            if self.now > end:
                break
            loss = self.losses.get(run.name, 1.0)
            row = {"epoch": epoch + 1, "val_loss": loss, "seconds": 0.8 * self.each}
            with path.open("a") as file:
                file.write(json.dumps(row | {"validation_seconds": 0.2 * self.each}) + "\n")
            (run / "checkpoint.npz").write_text("")
            (run / "best.npz").write_bytes(b"weights")
        if self.now > end:
            self.now = end
            return None
        if last == whole:
            self.now += self.beside
            (run / "bundle").mkdir()
            (run / "bundle" / "manifest.json").write_text("{}")
            (run / "report.json").write_text("{}")
        return 0

    def schedule(self, stages: list[Stage], seconds: float) -> Schedule:
        return Schedule(stages, self.work, self.now + seconds, self.call, self.clock)

    def epochs(self, name: str) -> int:
        return len((self.work / "runs" / name / "metrics.jsonl").read_text().splitlines())


def stages(*names: str, epochs: int = 30, **more: Any) -> list[Stage]:
    return [Stage(name, ("pretrain", "celeba"), epochs, 1, **more) for name in names]


def test_all_is_made_where_there_is_time(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    states = machine.schedule(stages("a", "b"), 1000).run()
    assert states == dict.fromkeys("ab", "finished: 30 of 30 epochs")
    assert [name for name, _ in machine.calls] == ["a", "a", "b"]  # b is like a: its rate is known
    assert "--epochs" in machine.calls[0][1] and "--resume" in machine.calls[1][1]
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    assert summary["stages"] == states and len(summary["metrics"]["a"]) == 30


@pytest.mark.parametrize("seconds", [400.0, 800.0, 1600.0])
def test_the_deadline_is_kept_and_its_time_is_used(tmp_path: Path, seconds: float) -> None:
    machine = Machine(tmp_path)
    machine.schedule(stages("a", "b", "c", epochs=500), seconds).run()
    assert 0.5 * seconds < machine.now <= seconds
    lengths = [machine.epochs(name) for name in "abc"]
    assert min(lengths) > 0.4 * max(lengths)  # each had its share


def test_a_slow_machine_is_stopped_in_time_and_goes_on_later(tmp_path: Path) -> None:
    machine = Machine(tmp_path, each=40.0)
    states = machine.schedule(stages("a", "b"), 200).run()
    assert machine.now <= 200
    assert states["a"].startswith("cut") and states["b"].startswith("cut")
    assert (tmp_path / "results" / "a.zip").exists()  # its best weights
    before = machine.epochs("a")
    states = machine.schedule(stages("a", "b"), 4000).run()
    assert before > 0 and machine.epochs("a") == machine.epochs("b") == 30
    assert states == dict.fromkeys("ab", "finished: 30 of 30 epochs")
    calls = len(machine.calls)
    assert machine.schedule(stages("a", "b"), 4000).run() == dict.fromkeys("ab", "finished")
    assert len(machine.calls) == calls


def test_a_stage_that_fails_stops_no_other(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.failing["b"] = "no such folder"
    taught = stages("d", teachers=("b",)) + stages("e", teachers=("b", "c"))
    states = machine.schedule([*stages("a", "b", "c"), *taught], 2000).run()
    assert states["b"] == "failed: facekit: no such folder"
    assert states["d"] == "skipped: what it needs is not finished"
    assert states["a"] == states["c"] == states["e"] == "finished: 30 of 30 epochs"
    (words,) = [words for name, words in machine.calls if name == "e" and "--epochs" in words]
    assert f'distill.teachers=["{tmp_path / "runs" / "c" / "bundle"}"]' in words

    def broken(*given: object) -> int:
        raise OSError("no more processes")

    other = Schedule(stages("x", "y"), tmp_path, 2000 + machine.now, broken, machine.clock)
    assert set(other.run().values()) == {"failed: OSError('no more processes')"}


def test_the_best_trunk_is_trained_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.losses = {"trunk-a": 0.5, "trunk-b": 0.3, "trunk-c": 0.4}
    tuned = stages("fer-full", base=("student", "trunk-*"))
    trunks = stages("trunk-a", "trunk-b", "trunk-c")
    machine.schedule([*trunks, *tuned], 3000).run()
    assert f"model={tmp_path / 'runs' / 'trunk-b' / 'bundle'}" in machine.calls[-1][1]
    assert command(tuned[0], Path, lambda names: []) == ["pretrain", "celeba"]  # the recipe's own


def test_results_are_few_and_small_and_the_first_ones_stay(tmp_path: Path) -> None:
    made = [Stage(f"s{i}", (), 1, 1, keep=i) for i in range(10)][::-1]
    for i in range(10):
        folder = tmp_path / "runs" / f"s{i}" / "bundle"
        folder.mkdir(parents=True)
        (folder / "backbone.onnx").write_bytes(os.urandom(9_000_000 if i < 2 else 100_000))
    big = tmp_path / "runs" / "s2" / "bundle" / "backbone.onnx"
    big.write_bytes(os.urandom(45_000_000))
    save_results(tmp_path, made, {})
    found = {path.name for path in (tmp_path / "results").iterdir()}
    assert found == {"summary.json", *(f"s{i}.zip" for i in (0, 1, 3, 4, 5, 6, 7))}
    big.write_bytes(b"small now")
    os.utime(big, (time.time() + 5, time.time() + 5))
    save_results(tmp_path, made, {})
    assert {path.name for path in (tmp_path / "results").glob("*.zip")} == {
        f"s{i}.zip" for i in range(7)
    }
    assert sum(p.stat().st_size for p in (tmp_path / "results").iterdir()) < 60e6


def test_a_command_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert call_facekit(["recipes", "check"], tmp_path / "log", 0.05) is None
    assert time.monotonic() - begun < 20
    assert call_facekit(["recipes", "chek"], tmp_path / "log", 60) == 2
    assert "$ facekit recipes chek" in (tmp_path / "log").read_text()


def test_every_stage_is_a_command_of_a_recipe(tmp_path: Path) -> None:
    from facekit.recipe.load import load_recipe
    from facekit.recipe.schema import PretrainRecipe
    from facekit.recipe.transfer import TransferRecipe

    for name in ("celeba", "fer/test"):
        (tmp_path / name).mkdir(parents=True)
    for tiny in (False, True):
        made = plan(tmp_path, tiny=tiny)
        names = [stage.name for stage in made]
        assert len(set(names)) == len(names) >= 11
        assert sorted(stage.keep for stage in made if stage.keep < 6) == [0, 1, 2, 3, 4]
        for stage in made:
            schema = PretrainRecipe if stage.words[0] == "pretrain" else TransferRecipe
            words = command(stage, Path, lambda names: [*names])
            assert words is not None
            sets = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
            load_recipe(stage.words[stage.words.index("--recipe") + 1], sets, schema)
            assert set(stage.base + stage.teachers) <= {*names, "trunk-*", "celeba-wide-*"}
    assert [stage.words[0] for stage in plan(tmp_path / "celeba")] == []


@pytest.mark.slow
@pytest.mark.jax
def test_the_commands_of_the_product_make_models(
    cartoon_celeba: Path, cartoon_fer: Path, tmp_path: Path
) -> None:
    """Packed, carried, trained: a trunk, and emotions from it; a second call does nothing."""
    env = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}

    def call(module: str, *words: object) -> str:
        command = [sys.executable, "-m", module, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("gpu.pack", tmp_path / "packs", "--celeba", cartoon_celeba, "--fer", cartoon_fer)
    work = tmp_path / "work"
    words = [tmp_path / "packs", work, "--minutes", 20, "--tiny", "--only", "trunk-plain,fer-full"]
    states = json.loads(call("gpu.run", *words))
    assert states == dict.fromkeys(("trunk-plain", "fer-full"), "finished: 3 of 3 epochs")
    assert {p.name for p in (work / "results").iterdir()} == {
        "summary.json", "trunk-plain.zip", "fer-full.zip"
    }  # fmt: skip
    assert (
        'model = "' + str(work / "runs" / "trunk-plain")
        in (work / "runs" / "fer-full" / "recipe.toml").read_text()
    )
    assert set(json.loads(call("gpu.run", *words)).values()) == {"finished"}
