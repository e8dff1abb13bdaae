"""Leave out what an audit, or a person, found to be no good."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from facekit.datasets.table import Table
from facekit.errors import DataError

__all__ = ["leave_out", "read_excluded"]

_COLUMNS: Final = ("id", "file")


def read_excluded(path: Path | str) -> frozenset[str]:
    """Read which pictures to leave out.

    Args:
        path: A csv with a column ``id`` or ``file`` (what ``facekit audit
            --exclude-out`` writes is one, perhaps without rows), or plain text with
            one id a line. Blank lines, and lines that start with ``#``, are passed
            over.

    Returns:
        The ids.

    Raises:
        DataError: The file cannot be read, is a csv without such a column, or plain
            text that names nothing.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of pictures: {error}") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = [cell.strip().casefold() for cell in next(csv.reader(lines[:1]), [])]
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is not None:
        rows = csv.reader(lines[1:])
        found = frozenset(cells[column].strip() for cells in rows if len(cells) > column)
        return found - {""}  # a csv without rows: an audit that found nothing
    if path.suffix.lower() == ".csv" and len(header) > 1:
        raise DataError(f"{path} has the columns {', '.join(header[:6])}; wanted is id or file")
    found = frozenset(line.strip() for line in lines)
    if not found:
        raise DataError(f"{path} names no picture; wanted is one id a line, or a csv with ids")
    return found


def leave_out(table: Table, ids: Iterable[str]) -> Table:
    """The table without some of its rows.

    Args:
        table: Every split of a source.
        ids: Ids of the table.

    Returns:
        The other rows, in their order.

    Raises:
        DataError: An id is not in the table, or no row would be left.
    """
    wanted = set(ids)
    known = table.ids.tolist()
    foreign = sorted(wanted.difference(known))
    if foreign:
        near = difflib.get_close_matches(foreign[0], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; ids are relative to the data folder"
        raise DataError(
            f"{len(foreign):,} of the {len(wanted):,} pictures to leave out are not in "
            f"{table.name}, such as {foreign[0]!r}{hint}"
        )
    kept = ~np.isin(table.ids, list(wanted)) if wanted else np.ones(len(table), bool)
    if not kept.any():
        raise DataError(
            f"nothing of {table.name} is left: all its {len(table):,} rows are left out"
        )
    return table.select(kept)
