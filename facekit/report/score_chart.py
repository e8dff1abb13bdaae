"""Scores of one person's photos above those of strangers, with the threshold."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.report.svg import Frame, Scale, bar, dot, drawing, line, nice_ticks, text

__all__ = ["score_chart"]

Floats = NDArray[np.floating]

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
    title: str, own: Floats, strangers: Floats, *, threshold: float, reject: float
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


def _edges(low: float, high: float, threshold: float) -> Floats:
    """Edges of equal bins over [low, high], one of them at the threshold."""
    step = (high - low) / _BINS
    below, above = math.ceil((threshold - low) / step), math.ceil((high - threshold) / step)
    return threshold + step * np.arange(-below, above + 1)


def _bars(x: Scale, edges: Floats, strangers: Floats, threshold: float) -> list[str]:
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


def _dots(x: Scale, edges: Floats, own: Floats, threshold: float, reject: float) -> list[str]:
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
