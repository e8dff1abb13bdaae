"""A value beside its baseline: the chart of all attributes and the small mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facekit.report.svg import Frame, Scale, bar, dot, drawing, line, nice_ticks, text

__all__ = ["GainRow", "gain_chart", "range_mark"]


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
    if not _drawable(row):
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


def _drawable(row: GainRow) -> bool:
    return math.isfinite(row.value) and math.isfinite(row.baseline)
