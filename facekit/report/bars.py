"""A value beside its baseline: the chart of all attributes and the small mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facekit.evaluation.weighted import PER_CLASS
from facekit.report.svg import Frame, Scale, bar, dot, drawing, line, nice_ticks, text


@dataclass(frozen=True)
class GainRow:
    """One row of a gain chart; all numbers are shares in [0, 1].

    Attributes:
        name: What was measured.
        value: Its share; NaN draws nothing.
        low: Lower end of the interval, or NaN.
        high: Upper end of the interval, or NaN.
        baseline: What to compare with.
    """

    name: str
    value: float
    low: float
    high: float
    baseline: float


def gain_chart(title: str, rows: Sequence[GainRow], baseline: str) -> str:
    """A bar from the baseline to the value for each row, in the order given.

    Args:
        title: For screen readers.
        rows: At least one.
        baseline: What the baseline is called.

    Returns:
        An SVG element.
    """
    ends = [end for row in rows for end in (row.baseline, row.low, row.value)]
    lowest = min((end for end in ends if math.isfinite(end)), default=0.9)
    ticks = [t for t in nice_ticks(min(lowest, 0.9), 1.0, 6) if t <= 1]
    pitch, top = 21.0, 52.0
    bottom = top + pitch * len(rows)
    frame = Frame(Scale(ticks[0], 1.0, 164, 740), Scale(0, 1, bottom, top))
    body = _gain_legend(baseline)
    for tick in ticks:
        x = frame.x(tick)
        body.append(line(x, top, x, bottom, "grid"))
        for y in (top - 6, bottom + 16):
            body.append(text(x, y, f"{100 * tick:.0f} %", "tick", "middle"))
    body.append(text(832, top - 6, "accuracy", "label", "end"))
    body.append(text(892, top - 6, "gain", "label", "end"))
    for i, row in enumerate(rows):
        body.append(_gain_row(frame, row, top + pitch * (i + 0.5)))
    return drawing(900, bottom + 24, title, body)


def range_mark(value: float, low: float, high: float, baseline: float) -> str:
    """A small bar of [0, 1] with a value, its interval and a baseline mark."""
    x = Scale(0, 1, 4, 216)
    body = [bar(4, 7, 216, 13, "track")]
    if math.isfinite(value):
        body.append(bar(4, 7, x(value), 13, "bar a"))
    if math.isfinite(low) and math.isfinite(high):
        body.append(line(x(low), 10, x(high), 10, "whisker"))
    if math.isfinite(baseline):
        body.append(line(x(baseline), 2, x(baseline), 18, "mark"))
    return drawing(220, 20, "value, interval and baseline between 0 and 100 %", body)


def _gain_row(frame: Frame, row: GainRow, y: float) -> str:
    parts = [text(154, y + 4, row.name.replace("_", " "), "name", "end")]
    if not (math.isfinite(row.value) and math.isfinite(row.baseline)):
        return parts[0] + text(frame.x.start + 6, y + 4, "no known label", "note")
    base, value = frame.x(row.baseline), frame.x(row.value)
    gain = round(100 * (row.value - row.baseline), 1) + 0.0  # no "-0.0"
    kind = "bar b" if gain < 0 else "bar a"
    tip = f"{row.name}: {100 * row.value:.1f} %, {100 * row.baseline:.1f} % by the majority class"
    parts.append(bar(min(base, value), y - 4, max(base, value), y + 4, kind, tip))
    parts.append(line(base, y - 7, base, y + 7, "mark"))
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(line(frame.x(row.low), y, frame.x(row.high), y, "whisker"))
    parts.append(dot(value, y, 4, kind.replace("bar", "dot")))
    parts.append(text(832, y + 4, f"{100 * row.value:.1f} %", "number", "end"))
    style = "number" if gain > 0 else "number loss" if gain < 0 else "number none"
    parts.append(text(892, y + 4, f"{gain:+.1f}".replace("-", "\N{MINUS SIGN}"), style, "end"))
    return "".join(parts)


def _gain_legend(baseline: str) -> list[str]:
    return [
        line(166, 8, 166, 22, "mark"),
        text(174, 19, baseline, "note"),
        bar(304, 11, 334, 19, "bar a"),
        text(342, 19, "gain", "note"),
        bar(388, 11, 418, 19, "bar b"),
        text(426, 19, "loss", "note"),
        line(472, 15, 510, 15, "whisker"),
        dot(491, 15, 4, "dot a"),
        text(518, 19, "measured, 95 % interval", "note"),
    ]


# Precision and recall of every class, side by side.


@dataclass(frozen=True)
class ClassRow:
    """One class; measures are shares in [0, 1], NaN where the data lack it.

    Attributes:
        name: The class.
        values: In the order of ``PER_CLASS``: the share of its answers that were
            right, of its images that were answered right, and the harmonic mean.
        low: Lower ends of their 95 % intervals.
        high: Upper ends.
        support: Images of the class.
    """

    name: str
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
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
    precision, recall, f1 = row.values
    if not math.isfinite(recall):
        note = "no image of this class: left out of the means"
        return "".join([*parts, text(frame.x.start + 8, y + 4, note, "note")])
    for j, kind, middle in ((1, "bar a", y - 7), (0, "bar b", y + 7)):
        value, low, high = row.values[j], row.low[j], row.high[j]
        x, tip = frame.x(value), f"{row.name}: {PER_CLASS[j]} {100 * value:.1f} %"
        parts.append(bar(frame.x.start, middle - 5, x, middle + 5, kind, tip))
        if math.isfinite(low) and math.isfinite(high):
            parts.append(line(frame.x(low), middle, frame.x(high), middle, "whisker"))
    for x, value in ((708, recall), (776, precision), (828, f1)):
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


# One measure of every class for several runs: a row a run, a bar a class.

_BAR = 72.0  # pixels of a share of 1
_CELL = 118.0


def class_panels(
    title: str, classes: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]
) -> str:
    """Bars in a grid, the best of each class in the strong colour.

    Args:
        title: For screen readers.
        classes: Names of the k columns.
        rows: A name and k shares in [0, 1], None where there is none; at least one.

    Returns:
        An SVG element.
    """
    left, top, pitch = 24 + 6.6 * max(len(name) for name, _ in rows), 26.0, 26.0
    columns = zip(*(values for _, values in rows), strict=True)
    best = [max((v for v in column if v is not None), default=None) for column in columns]
    body = [text(left + _CELL * j, top - 10, name, "label") for j, name in enumerate(classes)]
    for i, (name, values) in enumerate(rows):
        y = top + pitch * (i + 0.5)
        body.append(text(left - 10, y + 4, name, "name", "end"))
        for j, value in enumerate(values):
            x = left + _CELL * j
            body.append(bar(x, y - 7, x + _BAR, y + 7, "track"))
            if value is None:
                body.append(text(x + _BAR + 6, y + 4, "-", "note"))
                continue
            kind = "bar a" if value == best[j] else "bar quiet"
            tip = f"{name}, {classes[j]}: {100 * value:.1f} %"
            body.append(bar(x, y - 7, x + _BAR * value, y + 7, kind, tip))
            body.append(text(x + _BAR + 6, y + 4, f"{100 * value:.0f} %", "number"))
    return drawing(left + _CELL * len(classes), top + pitch * len(rows) + 8, title, body)
