"""The finished runs of a sweep side by side, in one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from facekit.bundle.manifest import read_manifest
from facekit.errors import DataError
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
from facekit.system.files import write_atomically
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
    notes = _fed_notes(runs)
    if runs[0].recipe.kind == "pretrain":
        trunks = [_trunk(run) for run in runs]
        notes += more
        records = {one.name: asdict(one) for one in trunks}
        page = trunk_page(trunks, notes)
        rows, text = trunk_rows(trunks), trunk_markdown(trunks)
        return SweepTable(TRUNK_COLUMNS, rows, records, notes, text, page)
    read = read_runs([run.folder for run in runs])
    found = [replace(one, name=run.name) for one, run in zip(read, runs, strict=True)]
    notes = [*compare_notes(found), *notes, *more]
    records = {one.name: asdict(one) for one in found}
    page = comparison_page(found, notes)
    rows, text = short_rows(found), markdown_table(found)
    return SweepTable(SHORT_COLUMNS, rows, records, notes, text, page)


def write_table(plan: SweepPlan, table: SweepTable) -> None:
    """Write ``sweep.md`` and ``sweep.html`` into the sweep's folder."""
    axes = "; ".join(f"`{axis.key}` = {', '.join(axis.values)}" for axis in plan.axes)
    notes = "".join(f"\n- {' '.join(note.split())}" for note in table.notes)
    head = f"# {Path(plan.recipe).stem}\n\n{' '.join(axes.split())}\n\n"
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
            facts = json.loads((run.folder / "data.json").read_text(encoding="utf-8"))
            fed.add(facts["labels"])
        except (OSError, ValueError, KeyError, TypeError):
            return []
    if len(fed) < 2:
        return []
    return ["Not all learned from the same images and labels: differences may be the data's."]
