"""When a photo was taken, as its camera wrote it down.

EXIF is a TIFF directory inside the picture's file. The time is that of the
camera's own clock; a time zone is rarely there and is not asked for, so the
number is good for differences between photos of one camera, not as a date.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["taken_at"]

#: Tags of EXIF 2.3: where the EXIF directory starts; when the photo was taken, or
#: was digitised. DateTime (306) is left out: programs write there when they saved.
_DIRECTORY: Final = 34665
_TAKEN: Final = (36867, 36868)
_ASCII: Final = 2
_TIME: Final = "%Y:%m:%d %H:%M:%S"
#: Read of a file at most; EXIF blocks come first in JPEG, but may come last in WebP.
_MOST: Final = 1 << 26
_CHUNKS: Final = {b"\x89PNG": (8, ">I4s", 12, b"eXIf"), b"RIFF": (12, "<4sI", 8, b"EXIF")}


def taken_at(source: Path | bytes) -> float | None:
    """When a photo was taken.

    Args:
        source: A JPEG, PNG, WebP or TIFF file, or its bytes.

    Returns:
        Seconds since 1970 by the camera's clock, as if it ran in UTC; None where
        the file does not say or cannot be read.
    """
    try:
        data = source if isinstance(source, bytes) else _first(source)
        block = _exif(data)
        return None if block is None else _seconds(block)
    except (OSError, ValueError, IndexError, OverflowError, struct.error):
        return None


def _first(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST)


def _exif(data: bytes) -> bytes | None:
    """The TIFF block inside a file."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    return _chunk(data) if data[:4] in _CHUNKS else None


def _jpeg(data: bytes) -> bytes | None:
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:  # up to the first scan
        size = struct.unpack_from(">H", data, at + 2)[0]
        if size < 2:
            return None
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 10 : at + 2 + size]
        at += 2 + size
    return None


def _chunk(data: bytes) -> bytes | None:
    """The EXIF chunk of a PNG (padded by a checksum) or WebP (padded to even sizes)."""
    at, layout, frame, wanted = _CHUNKS[data[:4]]
    while at + 8 <= len(data):
        one, other = struct.unpack_from(layout, data, at)
        name, size = (other, one) if isinstance(other, bytes) else (one, other)
        if name == wanted:
            return data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0")
        at += frame + size + (size % 2 if frame == 8 else 0)
    return None


def _seconds(block: bytes) -> float | None:
    order = "<" if block[:2] == b"II" else ">"
    main = _tags(block, order, struct.unpack_from(order + "I", block, 4)[0])
    if _DIRECTORY not in main:
        return None
    found = _tags(block, order, main[_DIRECTORY][2])
    for tag in _TAKEN:
        kind, count, start = found.get(tag, (0, 0, 0))
        text = block[start : start + count].split(b"\0")[0].decode("ascii", "replace").strip()
        if kind == _ASCII and re.fullmatch(r"[\d: ]{19}", text) and not text.startswith("0000"):
            return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
    return None


def _tags(block: bytes, order: str, start: int) -> dict[int, tuple[int, int, int]]:
    """(type, count, value or place) of every tag of a directory."""
    count = struct.unpack_from(order + "H", block, start)[0]
    rows = (
        struct.unpack_from(order + "HHII", block, at)
        for at in range(start + 2, start + 2 + 12 * count, 12)
    )
    return {tag: (kind, n, value) for tag, kind, n, value in rows}
