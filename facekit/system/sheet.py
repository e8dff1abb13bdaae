"""Tables as csv that a spreadsheet only shows and never runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

#: What a cell begins with that a spreadsheet takes for a formula
#: (https://owasp.org/www-community/attacks/CSV_Injection), and the quote that
#: makes text of it.
_RUN: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_TEXT: Final = "'"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Write csv with a line break of ``\n`` after every row.

    Text that a spreadsheet would take for a formula gets a quote in front, which
    `plain_cell` takes away again; numbers stay as they are.

    Args:
        columns: Names of the columns.
        rows: One sequence of cells a row.

    Returns:
        The csv, its header included.

    Example:
        >>> csv_text(["id", "gain"], [["=1+1.jpg", -2.5]])
        "id,gain\n'=1+1.jpg,-2.5\n"
    """
    lines = []
    for row in (columns, *rows):
        line = io.StringIO(newline="")  # with "\r\n" as its end the writer quotes both
        csv.writer(line).writerow([_shown(cell) for cell in row])
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)


def plain_cell(cell: str) -> str:
    """The text that `csv_text` was given for a cell."""
    return cell[1:] if cell.startswith(_TEXT) and cell[1:].startswith((*_RUN, _TEXT)) else cell


def _shown(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    twice = cell.startswith(_TEXT) and cell[1:].startswith((*_RUN, _TEXT))
    return _TEXT + cell if twice or cell.startswith(_RUN) else cell
