"""Precision and recall of every class, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facekit.evaluation.intervals import Interval
from facekit.report.svg import Frame, Scale, bar, drawing, line, text

__all__ = ["ClassRow", "class_chart"]


@dataclass(frozen=True)
class ClassRow:
    """One class; measures are shares in [0, 1], NaN where the data lack it.

    Attributes:
        name: The class.
        recall: Share of its images that were answered right.
        recall_interval: 95 % interval.
        precision: Share of its answers that were right.
        precision_interval: 95 % interval.
        f1: Harmonic mean of both.
        support: Images of the class.
    """

    name: str
    recall: float
    recall_interval: Interval
    precision: float
    precision_interval: Interval
    f1: float
    support: int


def class_chart(title: str, rows: Sequence[ClassRow]) -> str:
    """Two bars a class, in the order given.

    Args:
        title: For screen readers.
        rows: At least one.

    Returns:
        An SVG element.
    """
    pitch, top, left, right = 36.0, 58.0, 140.0, 640.0
    bottom = top + pitch * len(rows)
    frame = Frame(Scale(0, 1, left, right), Scale(0, 1, bottom, top))
    body = _legend()
    for percent in range(0, 101, 20):
        x = frame.x(percent / 100)
        body.append(line(x, top, x, bottom, "grid"))
        body.append(text(x, top - 8, f"{percent} %", "tick", "middle"))
    for x, name in ((708, "recall"), (776, "precision"), (828, "F1"), (888, "images")):
        body.append(text(x, top - 8, name, "label", "end"))
    for i, row in enumerate(rows):
        body.append(_row(frame, row, top + pitch * (i + 0.5)))
    return drawing(900, bottom + 8, title, body)


def _row(frame: Frame, row: ClassRow, y: float) -> str:
    parts = [text(frame.x.start - 10, y + 4, row.name, "name", "end")]
    parts.append(text(888, y + 4, f"{row.support:,}", "note", "end"))
    if not math.isfinite(row.recall):
        note = "no image of this class: left out of the means"
        return "".join([*parts, text(frame.x.start + 8, y + 4, note, "note")])
    pairs = (
        (row.recall, row.recall_interval, "bar a", "recall", y - 7),
        (row.precision, row.precision_interval, "bar b", "precision", y + 7),
    )
    for value, (low, high), kind, what, middle in pairs:
        x, tip = frame.x(value), f"{row.name}: {what} {100 * value:.1f} %"
        parts.append(bar(frame.x.start, middle - 5, x, middle + 5, kind, tip))
        if math.isfinite(low) and math.isfinite(high):
            parts.append(line(frame.x(low), middle, frame.x(high), middle, "whisker"))
    for x, value in ((708, row.recall), (776, row.precision), (828, row.f1)):
        parts.append(text(x, y + 4, f"{100 * value:.1f} %", "number", "end"))
    return "".join(parts)


def _legend() -> list[str]:
    return [
        bar(140, 11, 170, 19, "bar a"),
        text(178, 19, "recall: its images answered right", "note"),
        bar(396, 11, 426, 19, "bar b"),
        text(434, 19, "precision: its answers that are right", "note"),
        line(668, 15, 704, 15, "whisker"),
        text(712, 19, "95 % interval", "note"),
    ]
