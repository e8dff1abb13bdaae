"""Pretrained trunks side by side: as rows of text, as Markdown and as a page."""

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
from facekit.report.page import Section, document, figure, pairs, table
from facekit.report.ranges import RangeRow, range_chart

__all__ = ["TRUNK_COLUMNS", "ComparedTrunk", "trunk_markdown", "trunk_page", "trunk_rows"]

#: Heads of the table; shares are in percent.
TRUNK_COLUMNS: Final = ("run", "acc. %", "95 %", "balanced %", "AP %", "cosine", "params", "time")
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


def trunk_rows(trunks: Sequence[ComparedTrunk]) -> list[tuple[str, ...]]:
    """A row of cells for every trunk, under ``TRUNK_COLUMNS``."""
    return [
        (
            one.name,
            percent_text(one.accuracy),
            range_text(one.accuracy_interval),
            percent_text(one.balanced_accuracy),
            percent_text(one.average_precision),
            "-" if one.identity_cosine is None else f"{one.identity_cosine:.3f}",
            count_text(one.parameters),
            time_text(one.seconds),
        )
        for one in trunks
    ]


def trunk_markdown(trunks: Sequence[ComparedTrunk]) -> str:
    """The table in Markdown; the best accuracy is bold where all saw the same images.

    Args:
        trunks: At least one.
    """
    rows = [list(row) for row in trunk_rows(trunks)]
    if len(trunks) > 1 and len({one.measured_on for one in trunks}) == 1:
        values = [one.accuracy for one in trunks]
        best = rows[values.index(max(values))]
        best[1] = f"**{best[1]}**"
    return markdown_rows(TRUNK_COLUMNS, rows, words=1)


def trunk_page(trunks: Sequence[ComparedTrunk], notes: Sequence[str] = ()) -> str:
    """A page with a chart and the table.

    Args:
        trunks: At least one.
        notes: What a reader must know, a sentence each.

    Returns:
        HTML, to be saved with `write_page`.
    """
    rows = [RangeRow(one.name, one.accuracy, one.accuracy_interval) for one in trunks]
    title = "Accuracy, mean over the attributes"
    places = "; ".join(dict.fromkeys(one.measured_on for one in trunks))
    sections = [
        Section(
            "How good",
            " ".join([f"Measured on {places}.", *notes]),
            f"<div>{figure(range_chart(title, rows), title)}</div>",
        ),
        Section("All numbers", "", table(TRUNK_COLUMNS, trunk_rows(trunks)) + pairs(_MEANING)),
    ]
    return document("Trunks side by side", f"{len(trunks)} runs", sections, "Made by facekit.")
