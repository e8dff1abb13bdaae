"""Tables and JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

import typer

from facekit.errors import UsageError
from facekit.system.files import output_stream
from facekit.system.terminal import printable

#: Characters, more than any row has.
_ANY_WIDTH: Final = 100_000


def say(text: object = "") -> None:
    """Print lines that any terminal can show."""
    typer.echo(printable(str(text)))


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return printable(text).replace("\n", r"\n")


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
        say(title)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(Text(_cell(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))
    whole = not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    Console(highlight=False, width=_ANY_WIDTH if whole else None).print(table)


def print_pairs(pairs: Mapping[str, object], title: str = "") -> None:
    """Print names and values in two columns; nested mappings get dotted names."""
    rows = list(_flat(pairs, ""))
    width = max((len(name) for name, _ in rows), default=0)
    if title:
        say(title)
    for name, value in rows:
        say(f"{name:<{width}}  {_cell(value)}")


def _flat(pairs: Mapping[str, object], prefix: str) -> Iterable[tuple[str, object]]:
    for name, value in pairs.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


# Where the records of ``facekit predict`` go; each sink takes one at a time.

Record = Mapping[str, Any]


class JsonList:
    """One JSON list on standard output, a record a line, never held in memory."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stdout
        self._before = "[\n"

    def write(self, record: Record) -> None:
        """Add one record."""
        self._stream.write(self._before + json.dumps(record))
        self._before = ",\n"

    def close(self) -> None:
        """End the list."""
        self._stream.write("[]\n" if self._before == "[\n" else "\n]\n")
        self._stream.flush()


class JsonLines:
    """A JSON Lines file: one record a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[JsonLines]:
        """Open the file, see ``output_stream``; an error leaves what was there before.

        Args:
            path: The file; its folder must exist.

        Raises:
            UsageError: The file cannot be written.
        """
        if path.is_dir():
            raise UsageError(f"--jsonl {path} is a folder: give a file name")
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(output_stream(path))
            except OSError as error:
                raise UsageError(f"cannot write --jsonl {path}: {error.strerror}") from None
            yield cls(stream)

    def write(self, record: Record) -> None:
        """Add one record."""
        self._stream.write(json.dumps(record) + "\n")


class PeopleTable:
    """A table on standard output, printed when all records are in."""

    def __init__(self, most: int = 6) -> None:
        self._most = most
        self._rows: list[tuple[object, ...]] = []

    def write(self, record: Record) -> None:
        """Add one record: a row for every face, or one that says why there is none."""
        if record["error"] is not None:
            self._rows.append((record["path"], "", "", "", f"error: {record['error']}"))
        elif not record["faces"]:
            self._rows.append((record["path"], "", "", "", "no face found"))
        for face in record["faces"]:
            from facekit.report.annotate import labels_of, verdicts_of  # late: OpenCV

            box = " ".join(f"{v:.0f}" for v in face["box"])
            score = f"{face['detection_score']:.2f}"
            who = ", ".join(verdicts_of(face))
            turned = [f"turned by {face['turned']}"] if "turned" in face else []
            seen = ", ".join([*turned, *labels_of(face, self._most)])
            self._rows.append((record["path"], box, score, who, seen))

    def close(self) -> None:
        """Print the table; "who" only where somebody is enrolled."""
        columns: tuple[str, ...] = ("photo", "box x y w h", "score", "who", "seen")
        if not any(row[3] for row in self._rows):
            columns = columns[:3] + columns[4:]
            self._rows = [row[:3] + row[4:] for row in self._rows]
        print_table(columns, self._rows)
