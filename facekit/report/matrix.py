"""The confusion matrix as a heat map, and its greatest confusions in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.report.svg import drawing, text

__all__ = ["LARGEST", "confusion_chart", "greatest_confusions"]

#: Classes up to which the matrix is drawn; beyond, nobody could read it.
LARGEST: Final = 30
#: Classes up to which a cell has room for its numbers.
_NUMBERED: Final = 12
#: Share from which a cell is dark enough for light text.
_DARK: Final = 0.85


def confusion_chart(
    title: str, names: Sequence[str], confusion: NDArray[np.int64], *, small: bool = False
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
    k = len(names)
    if small:
        return _small_chart(title, names, confusion)
    cell = min(74.0, 640.0 / k)
    left = 24 + 6.4 * max(len(name) for name in names)
    top = 46.0 if k <= _NUMBERED else 34 + 4.8 * max(len(name) for name in names)
    totals = confusion.sum(1)
    body = [text(left, 14, "answered", "label")]
    for j, name in enumerate(names):
        body.append(_column_name(left + cell * (j + 0.5), top - 9, name, k > _NUMBERED))
        y = top + cell * (j + 0.5) + 4
        body.append(text(left - 9, y, name, "name", "end"))
        body.append(text(left + cell * k + 9, y, f"{totals[j]:,}", "note"))
    body.append(text(left - 9, top - 9, "label", "label", "end"))
    body.append(text(left + cell * k + 9, top - 9, "images", "label"))
    for (i, j), count in np.ndenumerate(confusion):
        share = float(count / totals[i]) if totals[i] else 0.0
        tip = f"{names[i]} answered as {names[j]}: {count:,} of {totals[i]:,}"
        body.append(_cell(left + cell * j, top + cell * i, cell, share, tip))
        if k <= _NUMBERED and totals[i]:
            body.append(_share(left + cell * (j + 0.5), top + cell * (i + 0.5), share, int(count)))
    return drawing(left + cell * k + 62, top + cell * k + 8, title, body)


def _small_chart(title: str, names: Sequence[str], confusion: NDArray[np.int64]) -> str:
    k, cell = len(names), 40.0 if len(names) <= _NUMBERED else 400.0 / len(names)
    longest = max(len(name) for name in names)
    left, top = 14 + 6.4 * longest, 18 + 4.8 * longest
    totals = confusion.sum(1)
    body = []
    for j, name in enumerate(names):
        middle = cell * (j + 0.5)
        body.append(_column_name(left + middle - 6, top - 6, name, True))
        body.append(text(left - 8, top + middle + 4, name, "name", "end"))
    for (i, j), count in np.ndenumerate(confusion):
        share = float(count / totals[i]) if totals[i] else 0.0
        tip = f"{names[i]} answered as {names[j]}: {count:,} of {totals[i]:,}"
        body.append(_cell(left + cell * j, top + cell * i, cell, share, tip))
        if k <= _NUMBERED and count:
            x, y = left + cell * (j + 0.5), top + cell * (i + 0.5) + 4
            tone = " on" if share > _DARK else ""
            body.append(text(x, y, f"{100 * share:.0f}", f"number{tone}", "middle"))
    return drawing(left + cell * k + 4.8 * len(names[-1]), top + cell * k + 6, title, body)


def greatest_confusions(
    names: Sequence[str], confusion: NDArray[np.int64], most: int = 5
) -> list[str]:
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


def _share(x: float, y: float, share: float, count: int) -> str:
    tone = " on" if share > _DARK else ""
    shown = f"{100 * share:.0f} %" if count else "0"
    return text(x, y - 1, shown, f"number{tone}", "middle") + text(
        x, y + 14, f"{count:,}" if count else "", f"number{tone}", "middle"
    )
