"""How large the AV1 streams of an AVIF picture are: its boxes may say less."""

from __future__ import annotations

import re
from typing import Final

#: A sequence header where streams begin, and the frame or data that follows it.
_BEGIN: Final = re.compile(rb"(?:\x12\0|mdat|idat)\x0a(?=[\x04-\x40])", re.DOTALL)
_MOST: Final = 80


def coded_pixels(data: bytes) -> int:
    """Pixels of the largest stream, 0 where none says it in a way that is known.

    Args:
        data: An AVIF file.
    """
    most = 0
    for begin in _BEGIN.finditer(data):
        at = begin.end()
        end = at + 1 + data[at]
        follows = data[end] if end < len(data) else 0x32
        if follows & 0x83 == 2 and 2 <= follows >> 3 <= 8:  # else it is chance
            most = max(most, _pixels("".join(f"{byte:08b}" for byte in data[at + 1 : end])))
    return most


def _pixels(bits: str) -> int:
    """Of a sequence header (AV1 5.5.1): the sizes lie behind the operating points."""
    bits = bits.ljust(8 * _MOST, "0")
    at = 10
    if bits[4] == "0":
        if bits[5] == "1":  # times of frames: no picture has them
            return 0
        points, delays, at = int(bits[7:12], 2) + 1, bits[6] == "1", 12
        for _ in range(points):
            at += 17 + (int(bits[at + 12 : at + 17], 2) > 7)
            if delays:
                at += 5 if bits[at : at + 1] == "1" else 1
    pixels = 1
    lengths = [int(bits[at + shift : at + shift + 4] or "0", 2) + 1 for shift in (0, 4)]
    at += 8
    for length in lengths:
        pixels *= int(bits[at : at + length] or "0", 2) + 1
        at += length
    return pixels
