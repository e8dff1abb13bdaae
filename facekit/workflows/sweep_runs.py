"""Train one recipe with every combination of some settings, and compare the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.errors import UsageError
from facekit.lock import locked
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.command_line import command_line
from facekit.workflows.run_folder import LOCK
from facekit.workflows.sweep_plan import (
    State,
    SweepPlan,
    SweepRun,
    plan_sweep,
    record_plan,
    state_of,
)
from facekit.workflows.sweep_process import run_facekit
from facekit.workflows.sweep_table import SweepTable, tabulate, write_table

__all__ = [
    "SweepInputs",
    "SweepOutcome",
    "SweepResult",
    "arguments_of",
    "make_runs",
    "open_sweep",
    "survey",
]


@dataclass(frozen=True)
class SweepInputs:
    """What all runs are fed, as the user gave it."""

    data: Path | None = None
    exclude: Path | None = None
    people: Path | None = None
    cross: Path | None = None
    teacher_table: Path | None = None
    allow_missing: bool = False

    def arguments(self) -> list[str]:
        """The same as options of the command line."""
        named = {
            "--data": self.data,
            "--exclude": self.exclude,
            "--people": self.people,
            "--cross": self.cross,
            "--teacher-table": self.teacher_table,
        }
        words = [word for name, path in named.items() if path for word in (name, str(path))]
        return [*words, *(["--allow-missing"] if self.allow_missing else [])]


@dataclass(frozen=True)
class SweepOutcome:
    """How far a run is.

    Attributes:
        run: Which.
        state: ``finished``, ``failed`` (in this sitting), ``running`` (in another
            process), ``begun`` or ``waiting``.
        error: Why it failed, in one line.
    """

    run: SweepRun
    state: State
    error: str = ""


@dataclass(frozen=True)
class SweepResult:
    """What a sitting left behind.

    Attributes:
        plan: The sweep.
        outcomes: One a run, in the order of the plan.
        table: The finished runs; None while there is none.
    """

    plan: SweepPlan
    outcomes: tuple[SweepOutcome, ...]
    table: SweepTable | None

    def record(self) -> dict[str, Any]:
        """What ``facekit sweep --json`` prints."""
        measures = self.table.records if self.table else {}
        runs = [
            {
                "index": one.run.index,
                "name": one.run.name,
                "overrides": one.run.overrides,
                "run": str(one.run.folder),
                "state": one.state,
                "error": one.error or None,
                "measures": measures.get(one.run.name),
            }
            for one in self.outcomes
        ]
        return {
            "recipe": self.plan.recipe,
            "kind": self.plan.kind,
            "out": str(self.plan.folder),
            "axes": {axis.key: axis.values for axis in self.plan.axes},
            "runs": runs,
            "notes": self.table.notes if self.table else [],
        }


def open_sweep(
    recipe: str | Path,
    sets: Sequence[str],
    inputs: SweepInputs,
    *,
    out: Path | str | None = None,
    resume: bool = False,
) -> SweepPlan:
    """Plan a sweep, and refuse at once what would stop every run of it.

    Args:
        recipe: As for ``plan_sweep``.
        sets: As for ``plan_sweep``.
        inputs: What the runs are fed.
        out: As for ``plan_sweep``.
        resume: As for ``plan_sweep``.

    Raises:
        FacekitError: With one line for the user.
    """
    plan = plan_sweep(recipe, sets, out, resume=resume)
    streams = any(run.recipe.data.source == "tfds" for run in plan.runs)
    if inputs.data is None and not streams:
        raise UsageError("--data is missing: name the folder or file of the data set")
    given = {"--data": inputs.data, "--exclude": inputs.exclude, "--people": inputs.people}
    given |= {"--cross": inputs.cross, "--teacher-table": inputs.teacher_table}
    for name, path in given.items():
        if path is not None and not path.exists():
            raise UsageError(f"{name} {path} does not exist: check the path")
    foreign = {"pretrain": ("--people", "--cross"), "transfer": ("--teacher-table",)}[plan.kind]
    tried = [run.recipe.data.cross for run in plan.runs if isinstance(run.recipe, TransferRecipe)]
    if any(tried) and inputs.cross is None:
        raise UsageError("--cross is missing: the recipe tries its results on other data")
    if inputs.cross is not None and tried and not all(tried):
        raise UsageError("--cross needs --set data.cross=ckplus (or fer): say what is in it")
    for name in foreign:
        if given[name] is not None:
            raise UsageError(f"{name} says nothing to `facekit {plan.kind}`: leave it out")
    return plan


def make_runs(
    plan: SweepPlan,
    inputs: SweepInputs,
    *,
    only: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> SweepResult:
    """Make the runs one after another, each in a process of its own.

    Finished runs are left alone, one that was interrupted goes on, and one that fails
    keeps no other from running.

    Args:
        plan: From ``open_sweep``.
        inputs: What the runs are fed.
        only: Number of the one run to make; None makes all.
        say: Called with a line before and after every run.

    Returns:
        How far all runs are; ``sweep.md`` and ``sweep.html`` hold the finished ones.

    Raises:
        UsageError: There is no run of this number.
        FacekitError: The folder cannot be used.
    """
    if only is not None and not 0 <= only < len(plan.runs):
        raise UsageError(f"--only {only}: the runs have the numbers 0 to {len(plan.runs) - 1}")
    record_plan(plan, command_line())
    errors: dict[int, str] = {}
    for run in plan.runs if only is None else [plan.runs[only]]:
        place = f"[{run.index + 1}/{len(plan.runs)}] {run.name}"
        state = state_of(run)
        if state in ("finished", "running"):
            also = " in another process" if state == "running" else " already"
            say(f"{place}: {state}{also}")
            continue
        say(f"{place}: {'goes on' if run.resumable else 'starts'}")
        errors[run.index] = _make(plan, run, inputs)
        say(f"{place}: {errors[run.index] or 'finished'}")
    with locked(plan.folder / LOCK):  # of several tasks the last one has seen all
        result = survey(plan, errors)
        if result.table is not None:
            write_table(plan, result.table)
    return result


def survey(plan: SweepPlan, errors: dict[int, str] | None = None) -> SweepResult:
    """See how far the runs are; nothing is run or written.

    Args:
        plan: From ``open_sweep``.
        errors: By the runs' numbers: why they failed in this sitting, or nothing.
    """
    outcomes = []
    for run in plan.runs:
        error = (errors or {}).get(run.index, "")
        outcomes.append(SweepOutcome(run, "failed" if error else state_of(run), error))
    finished = [one.run for one in outcomes if one.state == "finished"]
    if not finished:
        return SweepResult(plan, tuple(outcomes), None)
    missing = [f"{one.run.name} ({one.state})" for one in outcomes if one.state != "finished"]
    notes = [f"Not finished: {', '.join(missing)}."] if missing else []
    return SweepResult(plan, tuple(outcomes), tabulate(finished, notes))


def arguments_of(plan: SweepPlan, inputs: SweepInputs) -> list[str]:
    """The sweep as a command: what follows ``facekit``."""
    sets = [f"{axis.key}={','.join(axis.values)}" for axis in plan.axes]
    words = ["sweep", plan.recipe, *inputs.arguments()]
    return [*words, *(word for one in sets for word in ("--set", one)), "--out", str(plan.folder)]


def _make(plan: SweepPlan, run: SweepRun, inputs: SweepInputs) -> str:
    """One run; why it failed, or nothing."""
    recipe = run.recipe
    dataset = recipe.data.source if isinstance(recipe, TransferRecipe) else "celeba"
    words = [recipe.kind, dataset, *inputs.arguments(), "--recipe", plan.recipe]
    words += [word for text in run.overrides for word in ("--set", text)]
    words += ["--out", str(run.folder)]
    if run.resumable:
        words.append("--resume")
    else:
        (run.folder / "report.json").unlink(missing_ok=True)  # one that was cut short
    error = run_facekit(words)
    if error or state_of(run) == "finished":
        return error
    return "it ended without a report"
