"""Runs side by side: what is compared, as rows of text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from facekit.evaluation.intervals import Interval
from facekit.report.cells import (
    count_text,
    markdown_rows,
    percent_text,
    range_text,
    time_text,
)

__all__ = [
    "COLUMNS",
    "ELSEWHERE_COLUMNS",
    "MEANING",
    "PUBLISHED_COLUMNS",
    "SHORT_COLUMNS",
    "ComparedRun",
    "Elsewhere",
    "elsewhere_rows",
    "markdown_table",
    "published_rows",
    "short_rows",
    "text_rows",
]

#: Heads of the table; shares are in percent.
COLUMNS: Final = (
    "run",
    "rung",
    "acc. %",
    "95 %",
    "prec. %",
    "recall %",
    "F1 %",
    "params",
    "trained",
    "train",
    "ms",
)
#: Heads of the narrower table for a terminal of 80 characters.
SHORT_COLUMNS: Final = (
    "run",
    "rung",
    "acc. %",
    "P %",
    "R %",
    "F1 %",
    "params",
    "trained",
    "time",
    "ms",
)
#: Heads of what was published beside what was measured; shares are in percent.
PUBLISHED_COLUMNS: Final = (
    "run", "acc. % reported", "measured", "95 %", "F1 % reported", "measured", "epochs", "an epoch",
)  # fmt: skip
#: Heads of what other data say; shares are in percent.
ELSEWHERE_COLUMNS: Final = ("run", "measured on", "acc. %", "95 %", "F1 %")
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


def text_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """A row of cells for every run, under ``COLUMNS``."""
    return [
        (
            run.name,
            run.rung,
            percent_text(run.accuracy),
            range_text(run.accuracy_interval),
            percent_text(run.macro_precision),
            percent_text(run.macro_recall),
            percent_text(run.macro_f1),
            count_text(run.parameters),
            count_text(run.trainable),
            time_text(run.seconds),
            "-" if run.latency_ms is None else f"{run.latency_ms:.1f}",
        )
        for run in runs
    ]


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
        (
            run.name,
            percent_text(run.reported_accuracy),
            percent_text(run.accuracy),
            range_text(run.accuracy_interval),
            percent_text(run.reported_macro_f1),
            percent_text(run.macro_f1),
            "-" if run.epochs is None else str(run.epochs),
            time_text(run.epoch_seconds),
        )
        for run in runs
        if run.reported_accuracy is not None or run.reported_macro_f1 is not None
    ]


def elsewhere_rows(runs: Sequence[ComparedRun]) -> list[tuple[str, ...]]:
    """A row of cells for every other data set of every run, under ``ELSEWHERE_COLUMNS``."""
    return [
        (
            run.name,
            other.measured_on,
            percent_text(other.accuracy),
            range_text(other.accuracy_interval),
            percent_text(other.macro_f1),
        )
        for run in runs
        for other in run.elsewhere
    ]


def markdown_table(runs: Sequence[ComparedRun]) -> str:
    """The table in Markdown, and those of published numbers and of other data, if any.

    The best accuracy and F1 are bold.

    Args:
        runs: At least one.

    Returns:
        Markdown ending with a line break. Nothing is bold where the runs were
        measured on different images.
    """
    rows = [list(row) for row in text_rows(runs)]
    if len(runs) > 1 and len({run.measured_on for run in runs}) == 1:
        for column, values in (
            (COLUMNS.index("acc. %"), [run.accuracy for run in runs]),
            (COLUMNS.index("F1 %"), [run.macro_f1 for run in runs]),
        ):
            best = values.index(max(values))
            rows[best][column] = f"**{rows[best][column]}**"
    out = [markdown_rows(COLUMNS, rows, words=2)]
    for columns, more, words in (
        (PUBLISHED_COLUMNS, published_rows(runs), 1),
        (ELSEWHERE_COLUMNS, elsewhere_rows(runs), 2),
    ):
        out += [markdown_rows(columns, more, words=words)] if more else []
    return "\n".join(out)
