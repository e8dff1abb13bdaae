"""One measure of every class for several runs: a row a run, a bar a class."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.report.svg import bar, drawing, text

__all__ = ["class_panels"]

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
