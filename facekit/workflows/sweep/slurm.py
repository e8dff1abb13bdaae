"""A sweep as a Slurm array job: the script, which runs nothing by itself."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from facekit.errors import UsageError
from facekit.system.files import write_atomically
from facekit.workflows.sweep.plan import SweepPlan

_MARK: Final = "# Written by `facekit sweep`"


def slurm_script(plan: SweepPlan, arguments: Sequence[str], file: Path) -> str:
    """The text of the script.

    Args:
        plan: The sweep.
        arguments: What follows ``facekit`` for the sweep as a whole, without
            ``--only`` and ``--resume``.
        file: Where the script will be.

    Returns:
        A bash script that does one run for each number in ``SLURM_ARRAY_TASK_ID``.
    """
    runs = [f"#   {run.index}  {_one_line(' '.join(run.overrides))}" for run in plan.runs]
    script = files("facekit.workflows.sweep").joinpath("slurm.sh").read_text(encoding="utf-8")
    return script.format(
        mark=_MARK,
        count="1 run" if len(runs) == 1 else f"{len(runs)} runs",
        recipe=_one_line(Path(plan.recipe).stem),
        file=shlex.quote(_one_line(file.name)),
        runs="\n".join(runs),
        job=re.sub(r"[^A-Za-z0-9._-]+", "-", Path(plan.recipe).stem),
        last=len(runs) - 1,
        python=shlex.quote(sys.executable),
        here=shlex.quote(str(Path.cwd())),
        command=shlex.join(arguments),
    )


def write_script(plan: SweepPlan, arguments: Sequence[str], file: Path) -> None:
    """Write the script; whole or not at all.

    Args:
        plan: The sweep.
        arguments: As for ``slurm_script``.
        file: Its folder exists; an older script of a sweep is replaced.

    Raises:
        UsageError: It is a folder, lies in none, or is a file of another making.
    """
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"--slurm {file} cannot be written: name a file in a folder that exists")
    if file.exists() and _MARK not in file.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"--slurm {file} is there already and no script of a sweep: name another")
    write_atomically(file, slurm_script(plan, arguments, file))


def _one_line(text: str) -> str:
    """A comment must not end before its line does."""
    return " ".join(text.split())
