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


def csv_text(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, quoted: bool = False
) -> str:
    r"""Write csv with a line break of ``\n`` after every row.

    Text that a spreadsheet would take for a formula gets a quote in front, which
    `plain_cell` takes away again; numbers stay as they are.

    Args:
        columns: Names of the columns.
        rows: One sequence of cells a row.
        quoted: Put every cell into quotes.

    Returns:
        The csv, its header included.

    Example:
        >>> csv_text(["id", "gain"], [["=1+1.jpg", -2.5]])
        "id,gain\n'=1+1.jpg,-2.5\n"
    """
    lines = []
    for row in (columns, *rows):
        line = io.StringIO(newline="")  # with "\r\n" as its end the writer quotes both
        csv.writer(line, csv.unix_dialect if quoted else csv.excel).writerow(
            [_shown(cell) for cell in row]
        )
        lines.append(line.getvalue().rstrip("\r\n") + "\n")
    return "".join(lines)


def list_text(ids: Sequence[str]) -> str:
    """A csv with the column ``id`` that ``splits.read_excluded`` reads, whatever the names."""
    # Unquoted, a line that starts so would be a comment, or lose its blanks.
    odd = any(name.startswith(("#", " ")) for name in ids)
    return csv_text(["id"], ([name] for name in ids), quoted=odd)


def plain_cell(cell: str) -> str:
    """The text that `csv_text` was given for a cell."""
    return cell[1:] if cell.startswith(_TEXT) and cell[1:].startswith((*_RUN, _TEXT)) else cell


def _shown(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    twice = cell.startswith(_TEXT) and cell[1:].startswith((*_RUN, _TEXT))
    return _TEXT + cell if twice or cell.startswith(_RUN) else cell
