"""Sweep: one recipe with every combination of some settings, for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from facekit.errors import UsageError
from facekit.workflows.sweep_runs import SweepInputs, SweepResult, make_runs, open_sweep

__all__ = ["SweepResult", "sweep"]

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
    folder, bad, who, other, table = (
        None if path is None else Path(path)
        for path in (data, exclude, people, cross, teacher_table)
    )
    inputs = SweepInputs(folder, bad, who, other, table, allow_missing)
    if isinstance(sets, Mapping):
        sets = [f"{key}={','.join(map(_text, values))}" for key, values in sets.items()]
    plan = open_sweep(recipe, sets, inputs, out=out, resume=resume)
    return make_runs(plan, inputs, only=only, say=_tell if progress else lambda line: None)


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


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
