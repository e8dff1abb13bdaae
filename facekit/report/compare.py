"""Runs side by side: what is compared, as rows of text and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import numpy as np

from facekit.evaluation.intervals import Interval
from facekit.report.bars import class_panels
from facekit.report.charts import LARGEST, confusion_chart, range_chart
from facekit.report.page import (
    Section,
    count_text,
    document,
    figure,
    markdown_rows,
    pairs,
    percent_text,
    range_text,
    table,
    time_text,
)

#: What the heads of ``COLUMNS`` say at length.
MEANING: Final = {
    "acc. %": "accuracy and its 95 % interval",
    "prec., recall, F1": "macro means: every class counts the same",
    "params": "learnt numbers of backbone and head",
    "trained": "those of them that this run trained",
    "train": "time of training",
    "ms": "milliseconds a face, one at a time, where it was measured",
}


@dataclass(frozen=True)
class Elsewhere:
    """The same run measured on another data set.

    Attributes:
        measured_on: Data, partition and number of images.
        accuracy: Share of right answers.
        accuracy_interval: Its 95 % interval, or None.
        macro_f1: Mean over the classes.
    """

    measured_on: str
    accuracy: float
    accuracy_interval: Interval | None
    macro_f1: float


@dataclass(frozen=True)
class ComparedRun:
    """One run; measures are shares in [0, 1].

    Attributes:
        name: Tells it from the others.
        measured_on: Data, partition and number of images.
        rung: ``frozen``, ``last``, ``full`` or ``scratch``.
        accuracy: Share of right answers.
        accuracy_interval: Its 95 % interval, or None.
        macro_precision: Mean over the classes.
        macro_recall: Mean over the classes.
        macro_f1: Mean over the classes.
        macro_f1_interval: Its 95 % interval, or None.
        parameters: Learnt numbers, all.
        trainable: Learnt numbers that the run trained.
        seconds: Of training, or None.
        latency_ms: Milliseconds a face, or None.
        classes: The k names, in the order of ``confusion``.
        class_f1: F1 of each class, None where the data lack it.
        confusion: Counts, k rows of labels by k columns of answers.
        epochs: Of the backbone's training; None where it was not trained.
        epoch_seconds: Of one of them, the median.
        reported_accuracy: What the recipe's authors published, or None.
        reported_macro_f1: The same.
        elsewhere: Other data that the run was tried on.
    """

    name: str
    measured_on: str
    rung: str
    accuracy: float
    accuracy_interval: Interval | None
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_f1_interval: Interval | None
    parameters: int
    trainable: int
    seconds: float | None
    latency_ms: float | None
    classes: tuple[str, ...] = ()
    class_f1: tuple[float | None, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    epochs: int | None = None
    epoch_seconds: float | None = None
    reported_accuracy: float | None = None
    reported_macro_f1: float | None = None
    elsewhere: tuple[Elsewhere, ...] = ()


#: A column of a table: its head, and a run's cell; shares are in percent.
Column = tuple[str, Callable[[Any], str]]
_RUN: Final[Column] = ("run", lambda run: run.name)
_ACCURACY: Final[Column] = ("acc. %", lambda run: percent_text(run.accuracy))
_RANGE: Final[Column] = ("95 %", lambda run: range_text(run.accuracy_interval))
_F1: Final[Column] = ("F1 %", lambda run: percent_text(run.macro_f1))
_PARAMETERS: Final[Column] = ("params", lambda run: count_text(run.parameters))
_RUNS: Final[tuple[Column, ...]] = (
    _RUN,
    ("rung", lambda run: run.rung),
    _ACCURACY,
    _RANGE,
    ("prec. %", lambda run: percent_text(run.macro_precision)),
    ("recall %", lambda run: percent_text(run.macro_recall)),
    _F1,
    _PARAMETERS,
    ("trained", lambda run: count_text(run.trainable)),
    ("train", lambda run: time_text(run.seconds)),
    ("ms", lambda run: "-" if run.latency_ms is None else f"{run.latency_ms:.1f}"),
)
_PUBLISHED: Final[tuple[Column, ...]] = (
    _RUN,
    ("acc. % reported", lambda run: percent_text(run.reported_accuracy)),
    ("measured", _ACCURACY[1]),
    _RANGE,
    ("F1 % reported", lambda run: percent_text(run.reported_macro_f1)),
    ("measured", _F1[1]),
    ("epochs", lambda run: "-" if run.epochs is None else str(run.epochs)),
    ("an epoch", lambda run: time_text(run.epoch_seconds)),
)
_ELSEWHERE: Final[tuple[Column, ...]] = (
    ("measured on", lambda other: other.measured_on), _ACCURACY, _RANGE, _F1,
)  # fmt: skip
COLUMNS, PUBLISHED_COLUMNS = (tuple(head for head, _ in one) for one in (_RUNS, _PUBLISHED))
ELSEWHERE_COLUMNS: Final = ("run", *(head for head, _ in _ELSEWHERE))
#: Columns whose greatest value is bold -> the measure in them.
_BEST: Final = {"acc. %": "accuracy", "F1 %": "macro_f1"}
#: Heads of the narrower table for a terminal of 80 characters.
SHORT_COLUMNS: Final = (
    "run", "rung", "acc. %", "P %", "R %", "F1 %", "params", "trained", "time", "ms",
)  # fmt: skip


def _cells(columns: Sequence[Column], row: object) -> tuple[str, ...]:
    return tuple(cell(row) for _, cell in columns)


def text_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """A row of cells for every run, under ``COLUMNS``."""
    return [_cells(_RUNS, run) for run in runs]


def short_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """A row of cells for every run, under ``SHORT_COLUMNS``; no blanks in numbers."""
    out = []
    for run, (name, rung, accuracy, _, *rest) in zip(runs, text_rows(runs), strict=True):
        if run.accuracy_interval:
            low, high = run.accuracy_interval
            accuracy += f"±{50 * (high - low):.1f}"
        out.append((name, rung, accuracy, *(cell.replace(" ", "") for cell in rest)))
    return out


def published_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """What was published beside what was measured, of the runs that have both."""
    return [
        _cells(_PUBLISHED, run)
        for run in runs
        if run.reported_accuracy is not None or run.reported_macro_f1 is not None
    ]


def elsewhere_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """A row of cells for every other data set of every run, under ``ELSEWHERE_COLUMNS``."""
    return [(run.name, *_cells(_ELSEWHERE, other)) for run in runs for other in run.elsewhere]


def markdown_table(runs: Sequence[ComparedRun]) -> str:
    """The table in Markdown, and those of published numbers and of other data, if any.

    The best accuracy and F1 are bold.

    Args:
        runs: At least one.

    Returns:
        Markdown ending with a line break. Nothing is bold where the runs were
        measured on different images.
    """
    out = [markdown_rows(COLUMNS, _bold(runs, _RUNS), words=2)]
    for columns, more, words in (
        (PUBLISHED_COLUMNS, published_rows(runs), 1),
        (ELSEWHERE_COLUMNS, elsewhere_rows(runs), 2),
    ):
        out += [markdown_rows(columns, more, words=words)] if more else []
    return "\n".join(out)


# Runs side by side on a page: charts, classes, confusion matrices, all numbers.


def _bold(runs: Sequence[Any], columns: Sequence[Column]) -> list[list[str]]:
    """Rows of cells; the best values are marked where all runs saw the same images."""
    out = [list(_cells(columns, run)) for run in runs]
    if len(runs) > 1 and len({run.measured_on for run in runs}) == 1:
        for place, (head, _) in enumerate(columns):
            if head in _BEST:
                values = [getattr(run, _BEST[head]) for run in runs]
                best = out[values.index(max(values))]
                best[place] = f"**{best[place]}**"
    return out


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
        Section(
            "How good",
            " ".join([measured, *notes]),
            _ranges(runs, {"Accuracy": "accuracy", "Macro F1": "macro_f1"}),
        ),
        *_published(runs),
        *_classes(runs),
        *_matrices(runs),
        *_elsewhere(runs),
        Section("All numbers", "", table(COLUMNS, text_rows(runs)) + pairs(MEANING)),
    ]
    if not same:
        sections.append(Section("Measured on", "", pairs(places)))
    return document("Runs side by side", f"{len(runs)} runs", sections, "Made by facekit.")


def _ranges(runs: Sequence[Any], measures: Mapping[str, str]) -> str:
    """A chart a measure, by its title."""
    charts = []
    for title, of in measures.items():
        rows = [(run.name, getattr(run, of), getattr(run, f"{of}_interval")) for run in runs]
        charts.append(figure(range_chart(title, rows), title))
    return f"<div>{''.join(charts)}</div>"


def _published(runs: Sequence[ComparedRun]) -> list[Section]:
    rows = published_rows(runs)
    lead = (
        "Reported is what the authors of a system published, on their split and after their "
        "epochs; measured is this run, after the epochs it had."
    )
    title = "Beside what was published"
    return [Section(title, lead, table(PUBLISHED_COLUMNS, rows))] if rows else []


def _classes(runs: Sequence[ComparedRun]) -> list[Section]:
    """F1 of every class; runs of other classes stand apart."""
    charts = []
    known, names = [run for run in runs if run.class_f1], attrgetter("classes")
    for classes, some in groupby(sorted(known, key=names), names):
        rows = [(run.name, run.class_f1) for run in some]
        charts.append(figure(class_panels("F1 of every class", classes, rows), wide=True))
    lead = "F1 of every class; the best one is coloured."
    return [Section("Class by class", lead, "".join(charts))] if charts else []


def _matrices(runs: Sequence[ComparedRun]) -> list[Section]:
    charts = [
        figure(
            confusion_chart(run.name, run.classes, np.array(run.confusion), small=True), run.name
        )
        for run in runs
        if run.confusion and len(run.classes) <= LARGEST
    ]
    lead = "Rows are labels, columns answers; percent of the label's images."
    body = f'<div class="figures">{"".join(charts)}</div>'
    return [Section("Confusion matrices", lead, body)] if charts else []


def _elsewhere(runs: Sequence[ComparedRun]) -> list[Section]:
    rows = elsewhere_rows(runs)
    lead = "Data that no run has learned or chosen anything from."
    return [Section("On other data", lead, table(ELSEWHERE_COLUMNS, rows))] if rows else []


# Pretrained trunks side by side: as rows of text, as Markdown and as a page.
_MEANING: Final = {
    "acc. %": "accuracy, mean over the 40 attributes, and its 95 % interval",
    "balanced %": "balanced accuracy, the same mean",
    "AP %": "average precision, the same mean",
    "cosine": "to the identity teacher's vectors, where there is one",
    "params": "learnt numbers of the backbone",
    "time": "of training",
}


@dataclass(frozen=True)
class ComparedTrunk:
    """One pretraining, measured on validation images; shares are in [0, 1].

    Attributes:
        name: Tells it from the others.
        measured_on: Data, partition and number of images.
        accuracy: Mean over the attributes.
        accuracy_interval: Its 95 % interval, or None.
        balanced_accuracy: Mean over the attributes, or None.
        average_precision: Mean over the attributes, or None.
        identity_cosine: To the teacher's vectors, or None.
        parameters: Learnt numbers of the backbone.
        seconds: Of training.
    """

    name: str
    measured_on: str
    accuracy: float
    accuracy_interval: Interval | None
    balanced_accuracy: float | None
    average_precision: float | None
    identity_cosine: float | None
    parameters: int
    seconds: float


_TRUNKS: Final[tuple[Column, ...]] = (
    _RUN,
    _ACCURACY,
    _RANGE,
    ("balanced %", lambda run: percent_text(run.balanced_accuracy)),
    ("AP %", lambda run: percent_text(run.average_precision)),
    ("cosine", lambda run: "-" if run.identity_cosine is None else f"{run.identity_cosine:.3f}"),
    _PARAMETERS,
    ("time", lambda run: time_text(run.seconds)),
)
TRUNK_COLUMNS: Final = tuple(head for head, _ in _TRUNKS)


def trunk_rows(trunks: Sequence[ComparedTrunk]) -> list[tuple[str, ...]]:
    """A row of cells for every trunk, under ``TRUNK_COLUMNS``."""
    return [_cells(_TRUNKS, one) for one in trunks]


def trunk_markdown(trunks: Sequence[ComparedTrunk]) -> str:
    """The table in Markdown; the best accuracy is bold where all saw the same images.

    Args:
        trunks: At least one.
    """
    return markdown_rows(TRUNK_COLUMNS, _bold(trunks, _TRUNKS), words=1)


def trunk_page(trunks: Sequence[ComparedTrunk], notes: Sequence[str] = ()) -> str:
    """A page with a chart and the table.

    Args:
        trunks: At least one.
        notes: What a reader must know, a sentence each.

    Returns:
        HTML, to be saved with `write_page`.
    """
    places = "; ".join(dict.fromkeys(one.measured_on for one in trunks))
    sections = [
        Section(
            "How good",
            " ".join([f"Measured on {places}.", *notes]),
            _ranges(trunks, {"Accuracy, mean over the attributes": "accuracy"}),
        ),
        Section("All numbers", "", table(TRUNK_COLUMNS, trunk_rows(trunks)) + pairs(_MEANING)),
    ]
    return document("Trunks side by side", f"{len(trunks)} runs", sections, "Made by facekit.")
