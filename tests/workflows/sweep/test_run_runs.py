"""A sweep plans its runs, makes what is missing and puts them side by side.

Runs are made by a stand-in for the command line here; ``tests/cli/test_sweep.py``
makes real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from facekit.errors import InterruptedRunError, RecipeError, UsageError
from facekit.system.files import exclusive
from facekit.workflows.run_folder import LOCK
from facekit.workflows.sweep import run as workflow
from facekit.workflows.sweep.run import SweepInputs, SweepResult, make_runs, open_sweep, survey

REPORT: dict[str, Any] = {
    "kind": "transfer", "name": "fer-frozen-linear", "dataset": "fer", "split": "val", "n": 100,
    "rung": "frozen", "parameters": 10, "trainable": 5, "seconds": 1.0, "latency_ms": None,
    "metrics": {"macro_precision": 0.5, "macro_recall": 0.5, "macro_f1": 0.5},
    "intervals": {"accuracy": [0.4, 0.6], "macro_f1": None},
}  # fmt: skip

CROSS = {
    "dataset": "ckplus", "split": "test", "n": 9, "metrics": {**REPORT["metrics"], "accuracy": 0.5}
}  # fmt: skip

SETS = ("training.seed=0,1,2", "head.balance=weights")


class CommandLine:
    """Stands for ``facekit transfer``: writes reports, or fails as it is told."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails: dict[str, str] = {}
        self.dies: str = ""
        self.labels = "same"

    def __call__(self, words: Sequence[str]) -> str:
        self.calls.append(list(words))
        run = Path(words[words.index("--out") + 1])
        run.mkdir(parents=True, exist_ok=True)
        (run / "data.json").write_text(json.dumps({"labels": self.labels}))
        if run.name == self.dies:
            (run / "checkpoint.npz").touch()
            raise KeyboardInterrupt
        if run.name in self.fails:
            return self.fails[run.name]
        accuracy = 0.5 + 0.1 * len(self.calls)
        metrics = {**REPORT["metrics"], "accuracy": accuracy}
        (run / "report.html").touch()
        (run / "report.json").write_text(json.dumps({**REPORT, "metrics": metrics}))
        return ""

    @property
    def runs(self) -> list[str]:
        return [Path(words[words.index("--out") + 1]).name for words in self.calls]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    made = CommandLine()
    monkeypatch.setattr(workflow, "run_facekit", made)
    return made


Make = Callable[..., SweepResult]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Sweeps ``fer-frozen-linear`` in ``tmp_path / "out"``."""

    def run(*sets: str, only: int | None = None, **options: Any) -> SweepResult:
        inputs = SweepInputs(tmp_path)
        options = {"out": tmp_path / "out", **options}
        plan = open_sweep("fer-frozen-linear", sets or SETS, inputs, **options)
        return make_runs(plan, inputs, only=only)

    return run


def states(result: SweepResult) -> list[str]:
    return [one.state for one in result.outcomes]


def test_every_run_is_a_command_of_its_own(
    command: CommandLine, make: Make, tmp_path: Path
) -> None:
    result = make()
    out = tmp_path / "out"
    assert command.calls[1] == [
        "transfer", "fer", "--data", str(tmp_path), "--recipe", "fer-frozen-linear",
        "--set", "training.seed=1", "--set", "head.balance=weights", "--out", str(out / "seed=1"),
    ]  # fmt: skip
    assert command.runs == ["seed=0", "seed=1", "seed=2"] and states(result) == ["finished"] * 3
    assert [one.run.recipe.training.seed for one in result.outcomes] == [0, 1, 2]
    table = result.table
    assert table is not None and [row[0] for row in table.rows] == command.runs
    assert table.notes == []
    text = (out / "sweep.md").read_text()
    assert "`training.seed` = 0, 1, 2; `head.balance` = weights" in text
    assert "| seed=2 | frozen | **80.0** |" in text
    assert "seed=1" in (out / "sweep.html").read_text()
    record = json.loads(json.dumps(result.record()))
    assert record["axes"] == {"training.seed": ["0", "1", "2"], "head.balance": ["weights"]}
    assert record["runs"][2]["measures"]["accuracy"] == pytest.approx(0.8)
    assert record["runs"][2]["run"] == str(out / "seed=2")


def test_one_that_fails_keeps_no_other_from_running(command: CommandLine, make: Make) -> None:
    command.fails = {"seed=1": "the loss is no longer finite"}
    result = make()
    assert command.runs == ["seed=0", "seed=1", "seed=2"]
    assert states(result) == ["finished", "failed", "finished"]
    assert result.outcomes[1].error == "the loss is no longer finite"
    assert result.table is not None and result.table.notes == ["Not finished: seed=1 (failed)."]
    command.fails, command.calls = {}, []
    again = make(resume=True)
    assert command.runs == ["seed=1"] and states(again) == ["finished"] * 3


def test_a_command_that_ends_without_a_report_has_failed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "run_facekit", lambda words: "")
    result = make()
    assert states(result) == ["failed"] * 3 and result.table is None
    assert result.outcomes[0].error == "it ended without a report"


def test_what_was_interrupted_goes_on_and_what_is_finished_stays(
    command: CommandLine, make: Make, tmp_path: Path
) -> None:
    command.dies = "seed=1"
    with pytest.raises(KeyboardInterrupt):
        make()
    with pytest.raises(InterruptedRunError, match=r"holds a sweep already: go on with --resume"):
        make()
    plan = open_sweep("fer-frozen-linear", SETS, SweepInputs(tmp_path), out=tmp_path / "out",
                      resume=True)  # fmt: skip
    assert states(survey(plan)) == ["finished", "begun", "waiting"]
    command.dies, command.calls = "", []
    assert states(make(resume=True)) == ["finished"] * 3
    assert command.runs == ["seed=1", "seed=2"]
    assert ["--resume" in words for words in command.calls] == [True, False]


def test_a_fresh_sweep_may_be_resumed_and_grow(command: CommandLine, make: Make) -> None:
    make(resume=True)
    make("training.seed=0,1,2,3", "head.balance=weights", resume=True)
    assert command.runs == ["seed=0", "seed=1", "seed=2", "seed=3"]


def test_only_one_is_made(command: CommandLine, make: Make, tmp_path: Path) -> None:
    result = make(only=2, resume=True)
    assert command.runs == ["seed=2"] and states(result) == ["waiting", "waiting", "finished"]
    assert (
        "Not finished: seed=0 (waiting), seed=1 (waiting)."
        in (tmp_path / "out" / "sweep.md").read_text()
    )
    for number in (3, -1):
        with pytest.raises(UsageError, match=f"--only {number}: the runs have the numbers 0 to 2"):
            make(only=number, resume=True)


def test_a_run_in_another_process_is_left_to_it(
    command: CommandLine, make: Make, tmp_path: Path
) -> None:
    (tmp_path / "out" / "seed=0").mkdir(parents=True)
    with exclusive(tmp_path / "out" / "seed=0" / LOCK):
        result = make()
    assert command.runs == ["seed=1", "seed=2"] and states(result)[0] == "running"


def test_a_changed_recipe_is_refused(command: CommandLine, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("extends = 'fer-frozen-linear'\n")
    given = {"out": tmp_path / "out", "resume": True}
    inputs = SweepInputs(tmp_path)
    make_runs(open_sweep(recipe, SETS, inputs, **given), inputs)
    recipe.write_text("extends = 'fer-frozen-linear'\n[data]\nholdout = 0.2\n")
    with pytest.raises(InterruptedRunError, match=r"seed=0 was begun with another recipe"):
        make_runs(open_sweep(recipe, SETS, inputs, **given), inputs)
    assert len(command.calls) == 3
    (tmp_path / "out" / "sweep.json").write_text("{")
    with pytest.raises(InterruptedRunError, match=r"sweep\.json cannot be read"):
        make_runs(open_sweep(recipe, SETS, inputs, **given), inputs)


def test_a_later_facekit_goes_on_with_an_older_sweep(
    command: CommandLine, make: Make, tmp_path: Path
) -> None:
    """Keys that the recipe of that time did not have take their defaults."""
    make()
    path = tmp_path / "out" / "sweep.json"
    record = json.loads(path.read_text())
    del record["runs"]["seed=0"]["recipe"]["features"]["augmented"]
    path.write_text(json.dumps(record))
    assert states(make(resume=True)) == ["finished"] * 3


def test_other_data_is_told(command: CommandLine, make: Make) -> None:
    make("training.seed=0", only=0)
    command.labels = "other"
    table = make("training.seed=0,1", resume=True).table
    assert table is not None and "Not all learned from the same images" in table.notes[0]


def test_a_report_without_what_it_was_tried_on_is_made_again(
    command: CommandLine, tmp_path: Path
) -> None:
    inputs = SweepInputs(tmp_path, cross=tmp_path)
    given = {"out": tmp_path / "out", "resume": True}
    plan = open_sweep("ckplus-cross", ["training.seed=0,1"], inputs, **given)
    result = make_runs(plan, inputs)  # the stand-in writes no "cross"
    assert states(result) == ["failed"] * 2
    report = tmp_path / "out" / "seed=0" / "report.json"
    report.write_text(json.dumps({**json.loads(report.read_text()), "cross": CROSS}))
    assert states(survey(plan)) == ["finished", "begun"]
    assert command.calls[0][-4:-2] == ["--set", "training.seed=0"]
    assert command.calls[0][2:6] == ["--data", str(tmp_path), "--cross", str(tmp_path)]


def test_trunks_are_put_side_by_side(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    def pretend(words: Sequence[str]) -> str:
        run = Path(words[words.index("--out") + 1])
        assert words[:2] == ["pretrain", "celeba"] and "--teacher-table" in words
        shutil.copytree(tiny_bundle, run / "bundle")
        (run / "report.html").touch()
        (run / "metrics.jsonl").write_text(
            '{"epoch": 1, "seconds": 30}\n{"epoch": 2, "seconds": 9}'
        )
        means = {"mean_accuracy": 0.9, "balanced_accuracy": 0.8, "average_precision": 0.7}
        record = {"dataset": "celeba", "split": "val", "n": 55, "metrics": means}
        (run / "report.json").write_text(
            json.dumps({**record, "intervals": {"mean_accuracy": [0.85, 0.95]}})
        )
        return ""

    monkeypatch.setattr(workflow, "run_facekit", pretend)
    inputs = SweepInputs(tmp_path, teacher_table=tmp_path)
    plan = open_sweep(
        "demo", ["backbone.widths=[8,16,32],[16,32,64]"], inputs, out=tmp_path / "out"
    )
    result = make_runs(plan, inputs)
    assert result.table is not None and plan.kind == "pretrain"
    assert result.table.rows[0] == (
        "widths=8+16+32", "90.0", "85.0-95.0", "80.0", "70.0", "-", "396", "39.0 s"
    )  # fmt: skip
    assert "| widths=16+32+64 | 90.0 | 85.0-95.0 |" in (tmp_path / "out" / "sweep.md").read_text()
    assert "celeba/val, 55 images" in (tmp_path / "out" / "sweep.html").read_text()


@pytest.mark.parametrize(
    ("recipe", "sets", "given", "words"),
    [
        ("fer-frozen-linear", (), {}, "nothing to vary"),
        ("fer-frozen-linear", ("head.kindd=mlp,linear",), {}, "did you mean kind?"),
        ("fer-frozen-linear", ("head.kind=mlp,tree",), {}, "head.kind='tree'"),
        ("fer-frozen-linear", ("head.strengths=[1],[1.0]",), {}, "are the same run"),
        ("fer-full", ("backbone.family=compact,mobilnet",), {}, "mobilnet"),
        ("demo", ("kind=pretrain,transfer",), {}, "kind"),
        ("fer-frozen", ("training.seed=0,1",), {"data": None}, "--data is missing"),
        ("fer-frozen", ("training.seed=0,1",), {"data": "gone"}, "--data gone does not exist"),
        ("fer-frozen", ("training.seed=0,1",), {"exclude": "gone"}, "--exclude gone does not"),
        ("fer-frozen", ("training.seed=0,1",), {"teacher_table": "."}, "--teacher-table says"),
        ("demo", ("training.seed=0,1",), {"cross": "."}, "--cross says nothing to `facekit pre"),
    ],
)
def test_what_stops_every_run_is_told_at_once(
    recipe: str, sets: tuple[str, ...], given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    paths = {"data": ".", **given}
    inputs = SweepInputs(**{key: None if one is None else Path(one) for key, one in paths.items()})
    with pytest.raises((RecipeError, UsageError)) as caught:
        open_sweep(recipe, sets, inputs, out=tmp_path / "out")
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_where_a_sweep_may_lie(tmp_path: Path) -> None:
    inputs = SweepInputs(tmp_path)

    def open_in(out: Path | None, resume: bool = False) -> Path:
        return open_sweep(
            "fer-frozen", ["training.seed=0,1"], inputs, out=out, resume=resume
        ).folder

    named = open_in(None)
    assert named.parent == Path("runs") and named.name.startswith("fer-frozen-sweep-")
    with pytest.raises(UsageError, match="--resume needs --out: name the folder of the sweep"):
        open_in(None, True)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        open_in(tmp_path / "file")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.npz").touch()
    with pytest.raises(InterruptedRunError, match="holds a run already"):
        open_in(tmp_path / "run", True)
