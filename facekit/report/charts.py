"""The plots of a report page, as inline SVG text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from facekit.arrays import Floating, Int64
from facekit.evaluation.calibration import Reliability
from facekit.evaluation.intervals import Interval
from facekit.evaluation.verification import Det
from facekit.report.svg import Frame, Scale, bar, dot, drawing, line, nice_ticks, path, text

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
    title: str, curves: Sequence[tuple[str, Det]], marks: Sequence[tuple[str, float, float]] = ()
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


# Values with their intervals, one below the other on one axis.


def range_chart(title: str, rows: Sequence[tuple[str, float, Interval | None]]) -> str:
    """A dot and a line a row, in the order given.

    Args:
        title: For screen readers.
        rows: What was measured, a share in [0, 1] and its 95 % interval, or None; at
            least one.

    Returns:
        An SVG element.
    """
    ends = [end for _, value, interval in rows for end in (value, *(interval or ()))]
    ends = [end for end in ends if math.isfinite(end)] or [0.0, 1.0]
    ticks = nice_ticks(min(ends), max(ends), 6)
    left = 24 + 6.6 * max(len(name) for name, *_ in rows)
    pitch, top = 26.0, 26.0
    bottom = top + pitch * len(rows)
    frame = Frame(Scale(ticks[0], ticks[-1], left, left + 420), Scale(0, 1, bottom, top))
    body = []
    digits = 0 if all(abs(100 * t - round(100 * t)) < 1e-6 for t in ticks) else 1
    for tick in ticks:
        x = frame.x(tick)
        body.append(line(x, top, x, bottom, "grid"))
        body.append(text(x, top - 8, f"{100 * tick:.{digits}f} %", "tick", "middle"))
    for i, (name, value, interval) in enumerate(rows):
        y = top + pitch * (i + 0.5)
        body.append(text(left - 10, y + 4, name, "name", "end"))
        if interval:
            low, high = map(frame.x, interval)
            body.append(line(low, y, high, y, "whisker"))
        body.append(dot(frame.x(value), y, 5, "dot a"))
        body.append(text(left + 486, y + 4, f"{100 * value:.1f} %", "number", "end"))
    return drawing(left + 496, bottom + 8, title, body)


# Scores of one person's photos above those of strangers, with the threshold.


_BINS: Final = 60
_LEFT: Final = 20.0
_RIGHT: Final = 800.0  # room for words at the last tick
#: Rows from top to bottom: words, the person's dots, the strangers' bars, axis.
_WORDS: Final = 16.0
_DOTS: Final = 132.0
_BARS: Final = 290.0
_STEP: Final = 9.0  # from dot to dot
_TEXT_WIDTH: Final = 6.2  # of a letter, about


def score_chart(
    title: str, own: Floating, strangers: Floating, *, threshold: float, reject: float
) -> str:
    """A dot for every photo of the person, bars for the strangers, below each other.

    Args:
        title: For screen readers.
        own: float array of shape (n,), scores of held-out photos, at least one.
        strangers: float array of shape (k,), at least one.
        threshold: The score from which the verdict is "yes".
        reject: The score below which it is "no".

    Returns:
        An SVG element.
    """
    values = np.concatenate([own, strangers, [threshold, min(reject, threshold)]])
    ticks = nice_ticks(float(values.min()), float(values.max()), 9)
    x = Scale(ticks[0], ticks[-1], _LEFT, _RIGHT)
    edges = _edges(ticks[0], ticks[-1], threshold)
    body = _bands(x, threshold, min(reject, threshold))
    axis = Frame(x, Scale(0, 1, _BARS, _DOTS))
    body.append(axis.axes(ticks, [], lambda tick: _number(tick, "g"), str, "score"))
    body += _bars(x, edges, strangers, threshold)
    body += _dots(x, edges, own, threshold, reject)
    body.append(line(x(threshold), _WORDS + 8, x(threshold), _BARS, "mark"))
    body.append(text(_LEFT, _WORDS + 22, f"{own.size:,} held-out photos, a dot each", "note"))
    note = f"{strangers.size:,} strangers (bar height: square root of their number)"
    body.append(text(_LEFT, _DOTS + 24, note, "note"))
    return drawing(900, _BARS + 44, title, body)


def _bands(x: Scale, threshold: float, reject: float) -> list[str]:
    """The three verdicts above the parts of the axis they stand for."""
    body = []
    if reject < threshold:
        body.append(bar(x(reject), _WORDS + 8, x(threshold), _BARS, "track", "unsure"))
        middle, wide = (x(reject) + x(threshold)) / 2, x(threshold) - x(reject)
        if wide > 7 * _TEXT_WIDTH:
            body.append(text(middle, _WORDS, "unsure", "name", "middle"))
    body.append(text(x(threshold) + 6, _WORDS, f"yes from {_number(threshold)}", "name"))
    body.append(text(x(reject) - 6, _WORDS, f"no below {_number(reject)}", "name", "end"))
    return body


def _edges(low: float, high: float, threshold: float) -> Floating:
    """Edges of equal bins over [low, high], one of them at the threshold."""
    step = (high - low) / _BINS
    below, above = math.ceil((threshold - low) / step), math.ceil((high - threshold) / step)
    return threshold + step * np.arange(-below, above + 1)


def _bars(x: Scale, edges: Floating, strangers: Floating, threshold: float) -> list[str]:
    counts, _ = np.histogram(strangers, edges)
    tall = Scale(0, math.sqrt(max(1, counts.max())), _BARS, _DOTS + 32)
    body = []
    for left, right, count in zip(edges, edges[1:], counts.tolist(), strict=False):
        kind = "bar b" if left >= threshold else "bar quiet"
        left, right = max(left, x.low), min(right, x.high)
        if count:
            tip = f"{count:,} strangers from {left:.2f} to {right:.2f}"
            top = tall(math.sqrt(count))
            body.append(bar(x(left) + 0.75, top, x(right) - 0.75, _BARS, kind, tip))
    return body


def _dots(x: Scale, edges: Floating, own: Floating, threshold: float, reject: float) -> list[str]:
    """Stacked where they would overlap; closer together where the stack is high."""
    place = np.digitize(own, edges)
    highest = int(np.bincount(place).max())
    step = min(_STEP, (_DOTS - _WORDS - 34) / max(1, highest))
    seen = [0] * (edges.size + 1)
    body = [line(_LEFT, _DOTS, _RIGHT, _DOTS, "axis")]
    for score, i in sorted(zip(own.tolist(), place.tolist(), strict=True)):
        kind = "dot a" if score >= threshold else "dot b" if score < reject else "dot c"
        body.append(dot(x(score), _DOTS - 6 - step * seen[i], 4, kind))
        seen[i] += 1
    return body


def _number(value: float, style: str = ".2f") -> str:
    return f"{value:{style}}".replace("-", "\N{MINUS SIGN}")


# The confusion matrix as a heat map, and its greatest confusions in words.

#: Classes up to which the matrix is drawn; beyond, nobody could read it.
LARGEST: Final = 30
#: Classes up to which a cell has room for its numbers.
_NUMBERED: Final = 12
#: Share from which a cell is dark enough for light text.
_DARK: Final = 0.85


def confusion_chart(
    title: str, names: Sequence[str], confusion: Int64, *, small: bool = False
) -> str:
    """A square a pair of label and answer, darker for a larger share of the row.

    Args:
        title: For screen readers.
        names: The k classes, at most ``LARGEST``.
        confusion: int array of shape (k, k), rows are labels, columns answers.
        small: One of many on a page: shares alone, without counts.

    Returns:
        An SVG element.
    """
    k, longest = len(names), max(len(name) for name in names)
    steep = small or k > _NUMBERED
    if small:
        cell, left, top, gap = 40.0 if k <= _NUMBERED else 400.0 / k, 14 + 6.4 * longest, 18.0, 6
    else:
        cell, left, top, gap = min(74.0, 640.0 / k), 24 + 6.4 * longest, 34.0, 9
    top = top + 4.8 * longest if steep else 46.0
    totals, body = confusion.sum(1), []
    for j, name in enumerate(names):
        middle = cell * (j + 0.5)
        body.append(_column_name(left + middle - gap * small, top - gap, name, steep))
        body.append(text(left - 9 + small, top + middle + 4, name, "name", "end"))
        if not small:
            body.append(text(left + cell * k + 9, top + middle + 4, f"{totals[j]:,}", "note"))
    if not small:
        body.append(text(left, 14, "answered", "label"))
        body.append(text(left - 9, top - 9, "label", "label", "end"))
        body.append(text(left + cell * k + 9, top - 9, "images", "label"))
    for (i, j), count in np.ndenumerate(confusion):
        share = float(count / totals[i]) if totals[i] else 0.0
        tip = f"{names[i]} answered as {names[j]}: {count:,} of {totals[i]:,}"
        body.append(_cell(left + cell * j, top + cell * i, cell, share, tip))
        if k <= _NUMBERED and (count if small else totals[i]):
            place = left + cell * (j + 0.5), top + cell * (i + 0.5)
            body.append(_share(*place, share, int(count), small))
    right = 4.8 * len(names[-1]) if small else 62
    return drawing(left + cell * k + right, top + cell * k + (6 if small else 8), title, body)


def greatest_confusions(names: Sequence[str], confusion: Int64, most: int = 5) -> list[str]:
    """The commonest wrong pairs as sentences, by share of the label's images.

    Args:
        names: The k classes.
        confusion: int array of shape (k, k), rows are labels, columns answers.
        most: How many.

    Returns:
        Such as ``"fear answered as sad: 18 % (95 of 528)"``, greatest first.
    """
    totals = confusion.sum(1)
    share = confusion / np.maximum(totals, 1)[:, None]
    np.fill_diagonal(share, 0)
    order = np.argsort(-share, axis=None, kind="stable")[: min(most, int((share > 0).sum()))]
    pairs = zip(*np.unravel_index(order, share.shape), strict=True)
    return [
        f"{names[i]} answered as {names[j]}: {100 * share[i, j]:.0f} % "
        f"({confusion[i, j]:,} of {totals[i]:,})"
        for i, j in pairs
    ]


def _column_name(x: float, y: float, name: str, steep: bool) -> str:
    if not steep:
        return text(x, y, name, "name", "middle")
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="name" transform="rotate(-50 {x:.1f} {y:.1f})">'
        f"{escape(name)}</text>"
    )


def _cell(x: float, y: float, side: float, share: float, tip: str) -> str:
    size = f'width="{side - 2:.1f}" height="{side - 2:.1f}" rx="3"'
    place = f'x="{x + 1:.1f}" y="{y + 1:.1f}" {size}'
    return (
        f'<rect {place} class="track"/>'
        f'<rect {place} class="bar a" fill-opacity="{share:.3f}">'
        f"<title>{escape(tip)}</title></rect>"
    )


def _share(x: float, y: float, share: float, count: int, small: bool) -> str:
    tone = " on" if share > _DARK else ""
    if small:
        return text(x, y + 4, f"{100 * share:.0f}", f"number{tone}", "middle")
    shown, counted = (f"{100 * share:.0f} %", f"{count:,}") if count else ("0", "")
    above = text(x, y - 1, shown, f"number{tone}", "middle")
    return above + text(x, y + 14, counted, f"number{tone}", "middle")
