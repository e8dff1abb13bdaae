"""Sweep: one recipe with every combination of some settings, for programs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from facekit.errors import UsageError
from facekit.recipe.transfer import TransferRecipe
from facekit.system.files import locked
from facekit.system.terminal import tell
from facekit.workflows.run_folder import LOCK, command_line
from facekit.workflows.sweep.output import SweepTable, tabulate, write_table
from facekit.workflows.sweep.plan import (
    State,
    SweepPlan,
    SweepRun,
    plan_sweep,
    record_plan,
    state_of,
)

#: Texts that need no quotes, and those that would be something else without.
_PLAIN: Final = re.compile(r"[A-Za-z_][\w.-]*")
_NO_TEXTS: Final = ("true", "false", "inf", "nan")


def sweep(
    recipe: str | Path,
    data: Path | str | None = None,
    *,
    sets: Mapping[str, Sequence[object]] | Sequence[str],
    out: Path | str | None = None,
    resume: bool = False,
    only: int | None = None,
    exclude: Path | str | None = None,
    people: Path | str | None = None,
    cross: Path | str | None = None,
    teacher_table: Path | str | None = None,
    allow_missing: bool = False,
    progress: bool = True,
) -> SweepResult:
    """Train a recipe with all combinations of some settings; the same as ``facekit sweep``.

    Args:
        recipe: Name of a shipped recipe or path of a TOML file.
        data: Folder or file of the data set.
        sets: Values by key, such as ``{"backbone.compression": [0.3, 0.5, 0.7]}``, or
            ``key=value,value`` texts.
        out: Folder of the sweep; None makes one under ``runs/``.
        resume: Go on: what is finished is left alone.
        only: Number of the one run to make, from 0; None makes all.
        exclude: Images to leave out, such as ``facekit audit`` lists.
        people: For a folder: a csv that says who is in each picture.
        cross: Folder of another data set that every result is tried on.
        teacher_table: As for ``pretrain``.
        allow_missing: Leave out images that cannot be used.
        progress: A line on standard error before and after every run.

    Returns:
        How far every run is, and the table of the finished ones.

    Raises:
        FacekitError: With one line for the user. A run that fails is no error: its
            outcome says why.
    """
    inputs = SweepInputs(data, exclude, people, cross, teacher_table, allow_missing)
    if isinstance(sets, Mapping):
        sets = [f"{key}={','.join(map(_text, values))}" for key, values in sets.items()]
    plan = open_sweep(recipe, sets, inputs, out=out, resume=resume)
    return make_runs(plan, inputs, only=only, say=tell if progress else lambda line: None)


def _text(value: object) -> str:
    """A value as TOML has it, so that commas and blanks in a string do no harm."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        plain = _PLAIN.fullmatch(str(value)) and value not in _NO_TEXTS
        return str(value) if plain else json.dumps(str(value))  # a basic string of TOML as well
    raise UsageError(f"sets has {value!r}: give texts, numbers, true, false or lists of them")


@dataclass(frozen=True)
class SweepInputs:
    """What all runs are fed, as the user gave it."""

    data: Path | str | None = None
    exclude: Path | str | None = None
    people: Path | str | None = None
    cross: Path | str | None = None
    teacher_table: Path | str | None = None
    allow_missing: bool = False

    @property
    def paths(self) -> dict[str, Path]:
        """Those that are given, by their options."""
        given = {name: one for name, one in vars(self).items() if isinstance(one, Path | str)}
        return {f"--{name.replace('_', '-')}": Path(one) for name, one in given.items()}

    def arguments(self) -> list[str]:
        """The same as words of a command."""
        words = [word for name, path in self.paths.items() for word in (name, str(path))]
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
            "axes": self.plan.axes,
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
    for name, path in inputs.paths.items():
        if not path.exists():
            raise UsageError(f"{name} {path} does not exist: check the path")
    foreign = {"pretrain": ("--people", "--cross"), "transfer": ("--teacher-table",)}[plan.kind]
    tried = [run.recipe.data.cross for run in plan.runs if isinstance(run.recipe, TransferRecipe)]
    if any(tried) and inputs.cross is None:
        raise UsageError("--cross is missing: the recipe tries its results on other data")
    if inputs.cross is not None and tried and not all(tried):
        raise UsageError("--cross needs --set data.cross=ckplus (or fer): say what is in it")
    for name in foreign:
        if name in inputs.paths:
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
    missing = [f"{one.run.name} ({one.state})" for one in outcomes if one.state != "finished"]
    notes = [f"Not finished: {', '.join(missing)}."] if missing else []
    table = tabulate(finished, notes) if finished else None
    return SweepResult(plan, tuple(outcomes), table)


def arguments_of(plan: SweepPlan, inputs: SweepInputs) -> list[str]:
    """The sweep as a command: what follows ``facekit``."""
    sets = [f"{key}={','.join(values)}" for key, values in plan.axes.items()]
    return ["sweep", plan.recipe, *inputs.arguments(), *_settings(sets, plan.folder)]


def _settings(sets: Sequence[str], folder: Path) -> list[str]:
    return [*(word for one in sets for word in ("--set", one)), "--out", str(folder)]


def _make(plan: SweepPlan, run: SweepRun, inputs: SweepInputs) -> str:
    """One run; why it failed, or nothing."""
    recipe = run.recipe
    dataset = recipe.data.source if isinstance(recipe, TransferRecipe) else "celeba"
    words = [recipe.kind, dataset, *inputs.arguments(), "--recipe", plan.recipe]
    words += _settings(run.overrides, run.folder)
    if run.resumable:
        words.append("--resume")
    else:
        (run.folder / "report.json").unlink(missing_ok=True)  # one that was cut short
    error = run_facekit(words)
    if error or state_of(run) == "finished":
        return error
    return "it ended without a report"


# Run one ``facekit`` command in a process of its own.


def run_facekit(arguments: Sequence[str]) -> str:
    """Run the command and pass what it says on to standard error.

    A process of its own: what one run leaves in memory cannot touch the next, one
    that is killed takes no other along, and its bundle names the very command.

    Args:
        arguments: What follows ``facekit``.

    Returns:
        Empty when it ended well, else why not, in one line.

    Raises:
        KeyboardInterrupt: The user stopped it, or this process.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "facekit", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    last = ""
    try:
        assert process.stdout is not None
        with _ended_by_sigterm(), process.stdout as lines:
            for line in lines:
                sys.stderr.write(line)
                last = line.strip() or last
        code = process.wait()
    except BaseException:
        process.terminate()  # checkpoints appear whole or not at all
        process.wait()
        raise
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return "" if code == 0 else last.removeprefix("facekit: ") or f"ended with code {code}"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise, so that a sweep that is ended ends its run, too."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
