"""Lists of pictures as text: rows of cells, whatever stands between them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from facekit.errors import DataError

#: What may stand between cells; the first where nothing shows it.
_SEPARATORS: Final = (",", ";", "\t", "|")
#: A number of rows alone in its line, with or without marks between thousands.
_COUNT: Final = re.compile(r"\d{1,3}(?:[,.' ]\d{3})+|\d+")
#: How UTF-16 begins, read as bytes that are no UTF-8.
_UTF16: Final = ("\udcff\udcfe", "\udcfe\udcff")


def read_rows(
    path: Path, *, blanks: bool = False, longest: int | None = 500
) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a list; rows without anything in them are passed over.

    Cells stand between commas, or between semicolons or tabs, as spreadsheets write
    them: the first line shows which (the second, where the first is a number of rows
    alone). File names that are no UTF-8 are read as Python reads them from a folder.

    Args:
        path: UTF-8 text, with or without a mark.
        blanks: Cells stand between white space, unless the first two lines have none.
        longest: Characters of the longest cell, since arrays of text give every name the
            room of the longest one; None for any.

    Yields:
        Number of the line and its cells, without the blanks around them.

    Raises:
        DataError: The file cannot be read as text, or a cell is too long.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            head = [file.readline(), file.readline()]
            file.seek(0)
            if "\0" in head[0] or head[0].startswith(_UTF16):
                raise ValueError("it is no UTF-8 text (UTF-16, it seems): save it as UTF-8")
            counted = bool(_COUNT.fullmatch(head[0].strip()))
            if counted and not _COUNT.fullmatch(head[1].strip()):  # 202,599 images: no cells
                yield 1, ["".join(c for c in file.readline() if c.isdecimal())]
                head = [head[1]]
            parted = any(one in line for line in head for one in _SEPARATORS)
            if blanks and not parted and any(len(line.split()) > 1 for line in head):
                rows: Iterator[tuple[int, list[str]]] = (
                    (number, line.split()) for number, line in enumerate(file, 3 - len(head))
                )
            else:
                reader = csv.reader(
                    file, delimiter=_separator(head), skipinitialspace=True, strict=True
                )
                rows = (
                    (reader.line_num + 2 - len(head), [cell.strip() for cell in cells])
                    for cells in reader
                )
            for number, cells in rows:
                long = next((one for one in cells if len(one) > (longest or len(one))), None)
                if long is not None:
                    raise ValueError(
                        f"line {number} has a cell of {len(long):,} characters ({long[:40]}…), "
                        f"allowed are {longest}"
                    )
                if any(cells):
                    yield number, cells
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a list: {error}") from error


def _separator(lines: Sequence[str]) -> str:
    first = next((line for line in lines if any(one in line for one in _SEPARATORS)), "")
    return max(_SEPARATORS, key=first.count)
