"""Drawing blocks of inline SVG: scales, ticks, axes, text.

Colours are left to the style sheet through class names, so that one drawing
serves light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Scale:
    """Linear map from data to pixels.

    Attributes:
        low: Data value at ``start``.
        high: Data value at ``end``; differs from ``low``.
        start: Pixel.
        end: Pixel.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a data value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Frame:
    """The plot area and its two scales.

    Attributes:
        x: Data to pixels, from left to right.
        y: Data to pixels, from bottom to top.
    """

    x: Scale
    y: Scale

    def axes(
        self,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        x_format: Callable[[float], str],
        y_format: Callable[[float], str],
        x_label: str = "",
        y_label: str = "",
    ) -> str:
        """Grid lines, tick labels and axis titles."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = [line(left, self.y(t), right, self.y(t), "grid") for t in y_ticks]
        parts += [text(left - 7, self.y(t) + 3.5, y_format(t), "tick", "end") for t in y_ticks]
        parts += [line(self.x(t), bottom, self.x(t), bottom + 4, "axis") for t in x_ticks]
        parts += [text(self.x(t), bottom + 17, x_format(t), "tick", "middle") for t in x_ticks]
        parts.append(line(left, bottom, right, bottom, "axis"))
        if x_label:
            parts.append(text((left + right) / 2, bottom + 35, x_label, "label", "middle"))
        if y_label:
            parts.append(text(left, top - 10, y_label, "label", "start"))
        return "".join(parts)


def drawing(width: float, height: float, title: str, body: Iterable[str]) -> str:
    """A whole SVG element that scales with the page.

    Args:
        width: Of the view box.
        height: Of the view box.
        title: What it shows, for screen readers.
        body: Elements.

    Returns:
        The element as text.
    """
    label = escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {_n(width)} {_n(height)}" style="max-width:{_n(width)}px" '
        f'role="img" aria-label="{label}">'
        f"{''.join(body)}</svg>"
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line of the given class."""
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{kind}"/>'


def text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """A line of text of the given class; ``anchor`` is start, middle or end."""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through pixel positions; a NaN lifts the pen."""
    commands, down = [], False
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            commands.append(f"{'L' if down else 'M'}{_n(x)} {_n(y)}")
            down = True
        else:
            down = False
    return f'<path d="{"".join(commands)}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    """A filled circle of the given class."""
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{kind}"/>'


def bar(x1: float, y1: float, x2: float, y2: float, kind: str, tip: str = "") -> str:
    """A rectangle of the given class from top left to bottom right.

    Args:
        x1: Left.
        y1: Top.
        x2: Right; nothing is drawn left of ``x1``.
        y2: Bottom.
        kind: Class.
        tip: Shown when pointed at, or empty.

    Returns:
        The element as text.
    """
    title = f"<title>{escape(tip)}</title>" if tip else ""
    width, height = _n(max(0.0, x2 - x1)), _n(max(0.0, y2 - y1))
    return (
        f'<rect x="{_n(x1)}" y="{_n(y1)}" width="{width}" height="{height}" rx="1.5" '
        f'class="{kind}">{title}</rect>'
    )


def nice_ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round numbers that span [low, high].

    Args:
        low: Smallest value.
        high: Largest value, not below ``low``.
        count: About how many ticks.
        whole: Whole numbers only.

    Returns:
        Ascending; the first is at most ``low``, the last at least ``high``.
    """
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
