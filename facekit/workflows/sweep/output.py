"""The finished runs of a sweep side by side, in one table."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from facekit.bundle.manifest import read_manifest
from facekit.errors import DataError, UsageError
from facekit.report.compare import (
    SHORT_COLUMNS,
    TRUNK_COLUMNS,
    ComparedTrunk,
    comparison_page,
    markdown_table,
    short_rows,
    trunk_markdown,
    trunk_page,
    trunk_rows,
)
from facekit.report.page import write_page
from facekit.report.record import read_history
from facekit.system.files import write_atomically, write_output
from facekit.workflows.compare import compare_notes, read_runs
from facekit.workflows.sweep.plan import SweepPlan, SweepRun

_MARKDOWN: Final = "sweep.md"
_PAGE: Final = "sweep.html"


@dataclass(frozen=True)
class SweepTable:
    """A table in every shape.

    Attributes:
        columns: Heads for a terminal.
        rows: Cells for a terminal, a row a finished run.
        records: The same for JSON, by the runs' names.
        notes: What keeps the runs from being compared, a sentence each.
        markdown: The table.
        html: A page with charts.
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    records: dict[str, dict[str, Any]]
    notes: list[str]
    markdown: str
    html: str


def tabulate(runs: Sequence[SweepRun], more: Sequence[str] = ()) -> SweepTable:
    """Read the reports of finished runs.

    Args:
        runs: Finished ones of one kind, at least one.
        more: Notes to add, a sentence each.

    Raises:
        DataError: A report cannot be read.
    """
    notes = [*_fed_notes(runs), *more]
    if runs[0].recipe.kind == "pretrain":
        trunks = [_trunk(run) for run in runs]
        records = {one.name: asdict(one) for one in trunks}
        text, page = trunk_markdown(trunks), trunk_page(trunks, notes)
        return SweepTable(TRUNK_COLUMNS, trunk_rows(trunks), records, notes, text, page)
    read = read_runs([run.folder for run in runs])
    found = [replace(one, name=run.name) for one, run in zip(read, runs, strict=True)]
    notes = [*compare_notes(found), *notes]
    records = {one.name: asdict(one) for one in found}
    text, page = markdown_table(found), comparison_page(found, notes)
    return SweepTable(SHORT_COLUMNS, short_rows(found), records, notes, text, page)


def write_table(plan: SweepPlan, table: SweepTable) -> None:
    """Write ``sweep.md`` and ``sweep.html`` into the sweep's folder."""
    axes = "; ".join(f"`{key}` = {', '.join(values)}" for key, values in plan.axes.items())
    notes = "".join(f"\n- {_one_line(note)}" for note in table.notes)
    head = f"# {Path(plan.recipe).stem}\n\n{_one_line(axes)}\n\n"
    write_atomically(plan.folder / _MARKDOWN, head + table.markdown + (notes and f"{notes}\n"))
    write_page(plan.folder / _PAGE, table.html)


def _trunk(run: SweepRun) -> ComparedTrunk:
    """One pretraining out of its report, its bundle and its history."""
    path = run.folder / "report.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        metrics, low_high = report["metrics"], report["intervals"]["mean_accuracy"]
        manifest = read_manifest(run.folder / "bundle")
        history = read_history(run.folder / "metrics.jsonl")
        return ComparedTrunk(
            name=run.name,
            measured_on=f"{report['dataset']}/{report['split']}, {report['n']:,} images",
            accuracy=float(metrics["mean_accuracy"]),
            accuracy_interval=None if low_high is None else (low_high[0], low_high[1]),
            balanced_accuracy=metrics["balanced_accuracy"],
            average_precision=metrics["average_precision"],
            identity_cosine=manifest.metrics.get("val_identity_cosine"),
            parameters=manifest.backbone.parameters,
            seconds=sum(float(row["seconds"]) for row in history),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error!r}): run this one again") from error


def _fed_notes(runs: Sequence[SweepRun]) -> list[str]:
    """Told where runs learned from other rows: a changed folder, say, or another seed's split."""
    fed = set()
    for run in runs:
        try:
            fed.add(json.loads((run.folder / "data.json").read_text(encoding="utf-8"))["labels"])
        except (OSError, ValueError, KeyError, TypeError):
            return []
    if len(fed) < 2:
        return []
    return ["Not all learned from the same images and labels: differences may be the data's."]


# A sweep as a Slurm array job: the script, which runs nothing by itself.

_MARK: Final = "# Written by `facekit sweep`"


def write_script(plan: SweepPlan, arguments: Sequence[str], file: Path) -> None:
    """Write a bash script that does one run for each ``SLURM_ARRAY_TASK_ID``.

    Whole or not at all.

    Args:
        plan: The sweep.
        arguments: What follows ``facekit`` for the sweep as a whole, without
            ``--only`` and ``--resume``.
        file: Its folder exists; an older script of a sweep is replaced.

    Raises:
        UsageError: It is a folder, lies in none, or is a file of another making.
    """
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"--slurm {file} cannot be written: name a file in a folder that exists")
    if file.is_file() and _MARK not in file.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"--slurm {file} is there already and no script of a sweep: name another")
    runs = [f"#   {run.index}  {_one_line(' '.join(run.overrides))}" for run in plan.runs]
    script = files("facekit.workflows.sweep").joinpath("slurm.sh").read_text(encoding="utf-8")
    filled = script.format(
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
    write_output(file, filled)


def _one_line(text: str) -> str:
    """A comment must not end before its line does."""
    return " ".join(text.split())
