"""Make all models again on one GPU, within some minutes (README.md beside this file).

    python -m gpu.run PACKS WORK --minutes 15
    python -m gpu.run PACKS WORK --minutes 15 --tiny      small networks, on any processor

The same command again goes on: what is finished stays, what was cut is resumed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from facekit.report.record import read_history
from facekit.system.terminal import show_messages, tell
from gpu.pack import parts_of
from gpu.results import save_results
from gpu.stages import Stage, command, plan

#: Epochs of the first sitting, which measures the rate: the first one compiles.
_PROBE: Final = 2
#: Seconds at the end in which nothing trains: results are saved.
_SAVING: Final = 10.0
#: Seconds that a command takes beside its epochs, until one has been measured.
_STARTING, _FINISHING = 20.0, 30.0
#: A stage is stopped after so many times its share, but not before so many seconds: the
#: first one decodes all pictures, and compiling has its own time.
_SPARE, _COLD = 1.5, 150.0
#: Share of the wanted epochs that a model is finished with; with fewer it waits for more
#: time.
_LEAST: Final = 0.2

#: Runs a command of facekit: its words, the log, seconds at most; the exit code, None
#: where it was stopped.
Call = Callable[[Sequence[str], Path, float], int | None]


@dataclass
class Schedule:
    """Stages within a time, in a folder.

    Attributes:
        stages: In order.
        work: Holds ``runs``, ``logs`` and ``results``.
        end: When everything is over, by ``clock``.
        call: Runs a command.
        clock: Seconds.
    """

    stages: Sequence[Stage]
    work: Path
    end: float
    call: Call
    clock: Callable[[], float] = time.monotonic
    states: dict[str, str] = field(default_factory=dict)
    _rates: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)
    _finishing: dict[str, float] = field(default_factory=dict)  # by command

    def run(self) -> dict[str, str]:
        """Work through the stages.

        Returns:
            By stage: finished, cut, skipped or failed, and why.
        """
        (self.work / "logs").mkdir(parents=True, exist_ok=True)
        for number, stage in enumerate(self.stages):
            waiting = [one for one in self.stages[number:] if not self._is_finished(one.name)]
            if stage not in waiting:
                self.states.setdefault(stage.name, "finished")
                continue
            left = self.end - self.clock() - _SAVING
            share = left * stage.weight / sum(one.weight for one in waiting)
            tell(f"{stage.name}: {share:.0f} of {left:.0f} s")
            try:
                said = self._run(stage, share)
            except Exception as error:  # whatever it is, the next stage may do
                said = f"failed: {error!r}"
            self.states[stage.name] = said
            tell(f"{stage.name}: {said}")
            save_results(self.work, self.stages, self.states)
        return self.states

    def _run(self, stage: Stage, share: float) -> str:
        begun = self.clock()
        words = command(stage, self._bundle, self._finished)
        if words is None:
            return "skipped: what it needs is not finished"
        if share <= 0:
            return "skipped: no time"
        run, kind = self.work / "runs" / stage.name, (*stage.words, *stage.teachers[:1])
        last = self.end - _SAVING
        resumed = (run / "checkpoint.npz").exists()
        if not resumed and kind not in self._rates:  # what is alike has measured it before
            first = ["--epochs", str(min(_PROBE, stage.epochs))]
            limit = min(begun + max(_SPARE * share, _COLD), last)
            how = self._call(stage, [*words, *_length(stage.epochs), *first], limit)
            if how or self._is_finished(stage.name):
                return how or f"finished: {stage.epochs} of {stage.epochs} epochs"
            resumed, rows = True, read_history(run / "metrics.jsonl")
            beside = self.clock() - begun - sum(map(_seconds, rows))
            self._rates[kind] = _seconds(rows[-1]), max(beside, 1.0)
        rows = read_history(run / "metrics.jsonl") if resumed else []
        each, starting = self._rates.get(kind) or (_seconds(rows[-1]), _STARTING)
        beside = starting + self._finishing.get(stage.words[0], _FINISHING)
        more = int(max(0.0, begun + share - self.clock() - beside) / each)
        epochs = min(stage.epochs, len(rows) + more)
        part = epochs < _LEAST * stage.epochs  # too few to end with: the rate stays
        if part and not more:
            return f"cut: {len(rows)} of {stage.epochs} epochs, no time for more"
        length = _length(stage.epochs if part else epochs)
        go_on = [*stage.words, "--resume"] if resumed else words
        second, limit = self.clock(), min(begun + max(_SPARE * share, _COLD), last)
        how = self._call(
            stage, [*go_on, *length, *(["--epochs", str(more)] if part else [])], limit
        )
        if how or part:
            return how or f"cut: {epochs} of {stage.epochs} epochs"
        ending = self.clock() - second - (epochs - len(rows)) * each - starting
        known = self._finishing.get(stage.words[0], 1.0)
        self._finishing[stage.words[0]] = max(ending, known)
        return f"finished: {epochs} of {stage.epochs} epochs"

    def _call(self, stage: Stage, words: list[str], limit: float) -> str | None:
        """Run a command; None where it went well."""
        log = self.work / "logs" / f"{stage.name}.txt"
        out = ["--out", str(self.work / "runs" / stage.name)]
        code = self.call([*words, *out], log, limit - self.clock())
        if code is None:
            return "cut: its time was over"
        if code:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            return f"failed: {lines[-1] if lines else f'exit code {code}'}"
        return None

    def _bundle(self, name: str) -> Path:
        return self.work / "runs" / name / "bundle"

    def _is_finished(self, name: str) -> bool:
        return (self.work / "runs" / name / "report.json").exists()

    def _finished(self, patterns: Sequence[str]) -> list[str]:
        """Finished stages by pattern, the best of each pattern first."""
        found: list[str] = []
        for pattern in patterns:
            names = fnmatch.filter((one.name for one in self.stages), pattern)
            names = [name for name in names if self._is_finished(name)]
            found += sorted(names, key=self._lowest)
        return found

    def _lowest(self, name: str) -> float:
        rows = read_history(self.work / "runs" / name / "metrics.jsonl")
        return float(min(row["val_loss"] for row in rows))


def _length(epochs: int) -> list[str]:
    return ["--set", "training.checkpoint_minutes=0.5", "--set", f"training.epochs={epochs}"]


def _seconds(row: dict[str, Any]) -> float:
    """How long an epoch takes once it is compiled, with its validation."""
    whole = row["seconds"] + row.get("validation_seconds", 0.0) - row.get("compile_seconds", 0.0)
    return max(float(whole), 0.01)


def call_facekit(words: Sequence[str], log: Path, seconds: float) -> int | None:
    """Run a command of facekit in a process of its own.

    Args:
        words: After ``facekit``.
        log: What it says is added to it.
        seconds: At most; then it is stopped.

    Returns:
        Its exit code; None where it was stopped.
    """
    with log.open("a") as file:
        file.write(f"$ facekit {' '.join(words)}\n")
        file.flush()
        python = [sys.executable, "-m", "facekit", *words]
        process = subprocess.Popen(python, stdout=file, stderr=file, start_new_session=True)
        try:
            return process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started, if it still runs."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue


def unpack(packs: Path, out: Path) -> None:
    """Join and unpack ``celeba`` and ``fer`` of ``gpu.pack``, unless that is done."""
    for name in ("celeba", "fer"):
        parts = parts_of(packs / f"{name}.zip")
        if not parts or (out / name).exists():
            continue
        draft = out / f"{name}.part"
        draft.mkdir(parents=True, exist_ok=True)
        whole = draft / f"{name}.zip"
        with whole.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
        with zipfile.ZipFile(whole) as archive:
            archive.extractall(draft)
        whole.unlink()
        (draft / name).rename(out / name)
        draft.rmdir()


def main(words: list[str] | None = None) -> None:
    """Unpack, and make everything that there is time for."""
    begun = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m gpu.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("packs", type=Path, help="folder of gpu.pack's parts")
    parser.add_argument("work", type=Path, help="folder for everything that is made")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--tiny", action="store_true", help="small networks, three epochs")
    parser.add_argument("--only", default="*", help="stages by name, such as trunk-*,student")
    given = parser.parse_args(words)
    show_messages()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no command outlives this
    work = given.work.resolve()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("FACEKIT_HOME", str(work / "home"))
    unpack(given.packs, work / "data")
    wanted = given.only.split(",")
    stages = [
        stage for stage in plan(work / "data", tiny=given.tiny)
        if any(fnmatch.fnmatch(stage.name, one) for one in wanted)
    ]  # fmt: skip
    states = Schedule(stages, work, begun + 60 * given.minutes, call_facekit).run()
    sys.stdout.write(json.dumps(states, indent=1) + "\n")


if __name__ == "__main__":
    main()
