"""Runs side by side on a page: charts, classes, confusion matrices, all numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from facekit.report.class_panels import class_panels
from facekit.report.compare import (
    COLUMNS,
    ELSEWHERE_COLUMNS,
    MEANING,
    PUBLISHED_COLUMNS,
    ComparedRun,
    elsewhere_rows,
    published_rows,
    text_rows,
)
from facekit.report.matrix import LARGEST, confusion_chart
from facekit.report.page import Section, document, figure, pairs, table
from facekit.report.ranges import RangeRow, range_chart

__all__ = ["comparison_page"]


def comparison_page(runs: Sequence[ComparedRun], notes: Sequence[str] = ()) -> str:
    """A page with charts and tables.

    Args:
        runs: At least one.
        notes: What a reader must know, a sentence each.

    Returns:
        HTML, to be saved with `write_page`.
    """
    places = {run.name: run.measured_on for run in runs}
    same = len(set(places.values())) == 1
    measured = f"Measured on {runs[0].measured_on}." if same else "Measured on different images."
    sections = [
        Section("How good", " ".join([measured, *notes]), _ranges(runs)),
        *_published(runs),
        *_classes(runs),
        *_matrices(runs),
        *_elsewhere(runs),
        Section("All numbers", "", table(COLUMNS, text_rows(runs)) + pairs(MEANING)),
    ]
    if not same:
        sections.append(Section("Measured on", "", pairs(places)))
    return document("Runs side by side", f"{len(runs)} runs", sections, "Made by facekit.")


def _ranges(runs: Sequence[ComparedRun]) -> str:
    charts = []
    for title, rows in (
        ("Accuracy", [RangeRow(r.name, r.accuracy, r.accuracy_interval) for r in runs]),
        ("Macro F1", [RangeRow(r.name, r.macro_f1, r.macro_f1_interval) for r in runs]),
    ):
        charts.append(figure(range_chart(title, rows), title))
    return f"<div>{''.join(charts)}</div>"


def _published(runs: Sequence[ComparedRun]) -> list[Section]:
    rows = published_rows(runs)
    if not rows:
        return []
    lead = (
        "Reported is what the authors of a system published, on their split and after their "
        "epochs; measured is this run, after the epochs it had."
    )
    return [Section("Beside what was published", lead, table(PUBLISHED_COLUMNS, rows))]


def _classes(runs: Sequence[ComparedRun]) -> list[Section]:
    """F1 of every class; runs of other classes stand apart."""
    charts = []
    for classes, some in groupby(sorted(filter(_knows_f1, runs), key=_classes_of), _classes_of):
        rows = [(run.name, run.class_f1) for run in some]
        charts.append(figure(class_panels("F1 of every class", classes, rows), wide=True))
    lead = "F1 of every class; the best one is coloured."
    return [Section("Class by class", lead, "".join(charts))] if charts else []


def _matrices(runs: Sequence[ComparedRun]) -> list[Section]:
    charts = [
        figure(
            confusion_chart(run.name, run.classes, np.array(run.confusion), small=True), run.name
        )
        for run in _with_matrix(runs)
    ]
    lead = "Rows are labels, columns answers; percent of the label's images."
    body = f'<div class="figures">{"".join(charts)}</div>'
    return [Section("Confusion matrices", lead, body)] if charts else []


def _elsewhere(runs: Sequence[ComparedRun]) -> list[Section]:
    rows = elsewhere_rows(runs)
    lead = "Data that no run has learned or chosen anything from."
    return [Section("On other data", lead, table(ELSEWHERE_COLUMNS, rows))] if rows else []


def _with_matrix(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    return [run for run in runs if run.confusion and len(run.classes) <= LARGEST]


def _knows_f1(run: ComparedRun) -> bool:
    return bool(run.class_f1)


def _classes_of(run: ComparedRun) -> tuple[str, ...]:
    return run.classes
