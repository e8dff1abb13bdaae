"""How large the pictures of a table are, from their first bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.crops.build import encoded
from facekit.crops.header import Header, read_header
from facekit.datasets.table import Table
from facekit.errors import ImageError

__all__ = ["picture_sizes"]

#: Enough for most headers; long colour profiles and previews need the whole file.
_FIRST: Final = 1 << 16


def picture_sizes(table: Table) -> NDArray[np.int64]:
    """Width and height of every picture as it is stored.

    Args:
        table: The pictures; files are opened, not decoded.

    Returns:
        int64 array of shape (n, 2): width and height in pixels, 0 where a picture
        cannot be read.
    """
    sizes = np.zeros((len(table), 2), np.int64)
    for row, source in enumerate(encoded(table, np.arange(len(table)))):
        header = _header(source)
        if header is not None:
            sizes[row] = header.width, header.height
    return sizes


def _header(source: Path | bytes) -> Header | None:
    try:
        if isinstance(source, bytes):
            return read_header(source)
        with source.open("rb") as file:
            first = file.read(_FIRST)
            try:
                return read_header(first)
            except ImageError:
                rest = file.read()
                return read_header(first + rest) if rest else None
    except (ImageError, OSError):
        return None
