"""Values with their intervals, one below the other on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facekit.evaluation.intervals import Interval
from facekit.report.svg import Frame, Scale, dot, drawing, line, nice_ticks, text

__all__ = ["RangeRow", "range_chart"]


@dataclass(frozen=True)
class RangeRow:
    """One row.

    Attributes:
        name: What was measured.
        value: A share in [0, 1].
        interval: Its 95 % interval, or None.
    """

    name: str
    value: float
    interval: Interval | None


def range_chart(title: str, rows: Sequence[RangeRow]) -> str:
    """A dot and a line a row, in the order given.

    Args:
        title: For screen readers.
        rows: At least one.

    Returns:
        An SVG element.
    """
    ends = [end for row in rows for end in (row.value, *(row.interval or ()))]
    ends = [end for end in ends if math.isfinite(end)] or [0.0, 1.0]
    ticks = nice_ticks(min(ends), max(ends), 6)
    left = 24 + 6.6 * max(len(row.name) for row in rows)
    pitch, top = 26.0, 26.0
    bottom = top + pitch * len(rows)
    frame = Frame(Scale(ticks[0], ticks[-1], left, left + 420), Scale(0, 1, bottom, top))
    body = []
    digits = 0 if all(abs(100 * t - round(100 * t)) < 1e-6 for t in ticks) else 1
    for tick in ticks:
        x = frame.x(tick)
        body.append(line(x, top, x, bottom, "grid"))
        body.append(text(x, top - 8, f"{100 * tick:.{digits}f} %", "tick", "middle"))
    for i, row in enumerate(rows):
        y = top + pitch * (i + 0.5)
        body.append(text(left - 10, y + 4, row.name, "name", "end"))
        if row.interval:
            low, high = row.interval
            body.append(line(frame.x(low), y, frame.x(high), y, "whisker"))
        body.append(dot(frame.x(row.value), y, 5, "dot a"))
        body.append(text(left + 486, y + 4, f"{100 * row.value:.1f} %", "number", "end"))
    return drawing(left + 496, bottom + 8, title, body)
