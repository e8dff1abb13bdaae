"""Tables and JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import typer

__all__ = ["print_json", "print_pairs", "print_table", "printable"]


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
    """Print rows under column names, as wide as the terminal.

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
    Console(highlight=False).print(table)


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
