"""Tables and JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import typer

__all__ = ["print_json", "print_pairs", "print_table", "printable"]

#: Characters, more than any row has.
_ANY_WIDTH: Final = 100_000


def printable(value: object) -> str:
    """Text that any terminal can show: control and undecodable characters escaped."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_json(record: object) -> None:
    """Print one JSON document; ASCII only, so that every file name survives."""
    typer.echo(json.dumps(record, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print rows under column names.

    A terminal's width (or ``COLUMNS``) folds long cells; a pipe or file gets every row
    on one line, so that it can be searched.

    Args:
        columns: Names of the columns.
        rows: One sequence of cells a row; floats get four digits.
        title: Line above the table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        typer.echo(title)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    whole = not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    Console(highlight=False, width=_ANY_WIDTH if whole else None).print(table)


def print_pairs(pairs: Mapping[str, object], title: str = "") -> None:
    """Print names and values in two columns; nested mappings get dotted names."""
    rows = list(_flat(pairs, ""))
    width = max((len(name) for name, _ in rows), default=0)
    if title:
        typer.echo(title)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {printable(value)}")


def _flat(pairs: Mapping[str, object], prefix: str) -> Iterable[tuple[str, object]]:
    for name, value in pairs.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
