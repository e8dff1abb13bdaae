"""Numbers as the short texts of a table, and a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.evaluation.intervals import Interval

__all__ = ["count_text", "markdown_rows", "percent_text", "range_text", "time_text"]


def percent_text(value: float | None) -> str:
    """A share in [0, 1] in percent; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def range_text(interval: Interval | None) -> str:
    """An interval of shares in percent."""
    return "-" if interval is None else f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}"


def count_text(number: int) -> str:
    """Three digits and k or M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return (
                f"{number / size:.3g} {unit}"
                if number < 1000 * size
                else f"{number / size:,.0f} {unit}"
            )
    return str(number)


def time_text(seconds: float | None) -> str:
    """Seconds, minutes or hours."""
    if seconds is None:
        return "-"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def markdown_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """A table in Markdown that ends with a line break.

    Args:
        columns: Heads.
        rows: Cells; line breaks and bars in them do no harm.
        words: So many columns from the left are words, the others numbers.
    """
    rule = [*["---"] * words, *["---:"] * (len(columns) - words)]
    lines = [columns, rule, *rows]
    return "".join(f"| {' | '.join(_cell(text) for text in row)} |\n" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
