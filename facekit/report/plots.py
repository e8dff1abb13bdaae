"""The plots of a report page, as inline SVG text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from facekit.evaluation.reliability import Reliability
from facekit.evaluation.verification import Det
from facekit.report.svg import Frame, Scale, bar, dot, drawing, line, nice_ticks, path, text

__all__ = [
    "Line",
    "det_chart",
    "line_chart",
    "reliability_chart",
]

#: Line styles in order; the second is dashed, so colour is never alone.
_STYLES: Final = ("a", "b", "c")
_DET_TICKS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: Written at its end.
        x: Data positions.
        y: Values, NaN where there is none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    percent: bool = False,
    reference: tuple[float, str] | None = None,
) -> str:
    """Lines over epochs, each named at its end.

    Args:
        title: For screen readers.
        lines: At most three; each has a finite value.
        x_label: Name of the horizontal axis.
        y_label: Name and unit of the vertical axis.
        percent: Values are shares, written as percent.
        reference: A level to compare with and its name, or None.

    Returns:
        An SVG element.
    """
    values = [v for one in lines for v in one.y if math.isfinite(v)]
    if reference:
        values.append(reference[0])
    y_ticks = nice_ticks(min(values), max(values))
    steps = [x for one in lines for x in one.x]
    first, last = min(steps), max(steps)
    pad = 0.5 if first == last else 0.0
    names = [_end_name(one, percent) for one in lines]
    room = 12 + 6.6 * max(map(len, names))
    frame = Frame(
        Scale(first - pad, last + pad, 56, 470 - room), Scale(y_ticks[0], y_ticks[-1], 204, 30)
    )
    x_ticks = [t for t in nice_ticks(first, last, 6, whole=True) if first <= t <= last]
    y_format = _percent_ticks(y_ticks) if percent else _short
    body = [frame.axes(x_ticks, y_ticks, _short, y_format, x_label, y_label)]
    if reference:
        body.append(_reference(frame, *reference))
    for one, style in zip(lines, _STYLES, strict=False):
        points = [(frame.x(x), frame.y(y)) for x, y in zip(one.x, one.y, strict=True)]
        body.append(path(points, f"line {style}"))
        if len(points) == 1:
            body.append(dot(*points[0], 3.5, f"dot {style}"))
    body += _end_labels(frame, lines, names)
    return drawing(470, 246, title, body)


def reliability_chart(
    title: str, curve: Reliability, observed: str = "of these, really there"
) -> str:
    """Share of positives against probability, and how often each was given.

    Args:
        title: For screen readers.
        curve: From `reliability`.
        observed: Name of the vertical axis.

    Returns:
        An SVG element.
    """
    frame = Frame(Scale(0, 1, 56, 396), Scale(0, 1, 350, 30))
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    percent = _percent_ticks(ticks)
    body = [frame.axes(ticks, ticks, percent, percent, "", observed)]
    body.append(line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "reference"))
    points = [
        (frame.x(p), frame.y(o))
        for p, o, n in zip(curve.predicted, curve.observed, curve.count, strict=True)
        if n
    ]
    body.append(path(points, "line a"))
    body += [dot(x, y, 4, "dot a") for x, y in points]
    share = curve.count / max(1, curve.count.sum())
    tall = Scale(0, max(float(share.max()), 1e-9), 464, 404)
    for i, part in enumerate(share.tolist()):
        x1, x2 = frame.x(float(curve.edges[i])) + 1, frame.x(float(curve.edges[i + 1])) - 1
        tip = f"{100 * curve.edges[i]:.0f} to {100 * curve.edges[i + 1]:.0f} %: "
        body.append(bar(x1, tall(part), x2, 464, "bar quiet", f"{tip}{curve.count[i]} answers"))
    body.append(line(56, 464, 396, 464, "axis"))
    body.append(text(56, 397, f"share of answers, up to {100 * share.max():.0f} %", "note"))
    body.append(text(226, 486, "probability given", "label", "middle"))
    return drawing(420, 494, title, body)


def det_chart(
    title: str,
    curves: Sequence[tuple[str, Det]],
    marks: Sequence[tuple[str, float, float]] = (),
) -> str:
    """Detection error trade-off on normal deviate axes (Martin et al., 1997).

    Args:
        title: For screen readers.
        curves: Name and curve, at most three. Rates outside 0.1 to 40 % are
            drawn on the edge.
        marks: Name, FMR and FNMR of points to show, such as a threshold in use.

    Returns:
        An SVG element.
    """
    from scipy.special import ndtri

    low, high = float(ndtri(_DET_TICKS[0])), float(ndtri(_DET_TICKS[-1]))
    frame = Frame(Scale(low, high, 60, 400), Scale(low, high, 370, 30))
    ticks = [float(ndtri(t)) for t in _DET_TICKS]
    names = {round(t, 9): f"{100 * rate:g} %" for t, rate in zip(ticks, _DET_TICKS, strict=True)}

    def label(tick: float) -> str:
        return names[round(tick, 9)]

    body = [frame.axes(ticks, ticks, label, label, "strangers accepted (FMR)", "refused (FNMR)")]
    body += [line(frame.x(t), 370, frame.x(t), 30, "grid") for t in ticks]
    ends = _DET_TICKS[0], _DET_TICKS[-1]
    for i, (name, curve) in enumerate(curves[: len(_STYLES)]):
        fmr, fnmr = (ndtri(rate.clip(*ends)) for rate in (curve.fmr, curve.fnmr))
        points = [(frame.x(a), frame.y(b)) for a, b in zip(fmr, fnmr, strict=True)]
        body.append(path(points, f"line {_STYLES[i]}"))
        body.append(line(276, 44 + 17 * i, 298, 44 + 17 * i, f"line {_STYLES[i]}"))
        body.append(text(304, 48 + 17 * i, name, "note"))
    for name, *rates in marks:
        at, up = (float(ndtri(min(max(rate, ends[0]), ends[1]))) for rate in rates)
        body.append(dot(frame.x(at), frame.y(up), 5, "dot b"))
        body.append(text(frame.x(at) + 9, frame.y(up) - 7, name, "name"))
    return drawing(414, 412, title, body)


def _reference(frame: Frame, value: float, name: str) -> str:
    y = frame.y(value)
    rule = line(frame.x.start, y, frame.x.end, y, "reference")
    return rule + text(frame.x.end - 4, y - 5, name, "note", "end")


def _end_labels(frame: Frame, lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """Names at the last value of each line, moved apart where they collide."""
    places = [
        (frame.y(_last(one)), name, style)
        for one, name, style in zip(lines, names, _STYLES, strict=False)
    ]
    out, free = [], -math.inf
    for y, name, style in sorted(places):
        free = max(y, free + 14)
        out.append(text(frame.x.end + 8, free + 4, name, f"name {style}"))
    return out


def _end_name(one: Line, percent: bool) -> str:
    value = f"{100 * _last(one):.1f} %" if percent else f"{_last(one):.3g}"
    return f"{one.name} {value}".strip()


def _last(one: Line) -> float:
    return [value for value in one.y if math.isfinite(value)][-1]


def _percent_ticks(ticks: Sequence[float]) -> Callable[[float], str]:
    step = 100 * (ticks[1] - ticks[0])
    digits = next(d for d in range(9) if d == 8 or abs(step - round(step, d)) < step / 1000)
    return lambda value: f"{100 * value:.{digits}f} %"


def _short(value: float) -> str:
    return f"{value:.4g}"
