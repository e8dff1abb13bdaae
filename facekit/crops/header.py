"""What a picture's first bytes say: format, size, orientation, transparency.

Read before decoding, so that a huge picture is refused or reduced before it
takes memory, and a damaged one is named before a C library complains.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from facekit.errors import ImageError

__all__ = ["FORMATS", "Header", "plain_png", "read_header"]

FORMATS = "JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or PNM"


#: The next JPEG marker in scan data: stuffed zeros, fill bytes and restarts are none.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


@dataclass(frozen=True)
class Header:
    """Facts about an encoded picture.

    Attributes:
        format: "jpeg", "png", "webp", "gif", "tiff", "bmp", "avif" or "pnm".
        width: Stored width in pixels, before EXIF orientation.
        height: Stored height in pixels, before EXIF orientation.
        alpha: Whether pixels may be transparent.
        orientation: EXIF orientation 1 to 8 of PNG and WebP; for other
            formats 1, because OpenCV turns them itself.
        progressive: A progressive JPEG, which is held in memory as a whole.
    """

    format: str
    width: int
    height: int
    alpha: bool = False
    orientation: int = 1
    progressive: bool = False


def read_header(data: bytes) -> Header:
    """Recognise a picture by its bytes, never by its name.

    Args:
        data: The encoded picture.

    Returns:
        Its Header.

    Raises:
        ImageError: No known format, or a header that makes no sense.
    """
    for magic, reader in _READERS:
        if magic.match(data):
            try:
                header = reader(data)
            except (struct.error, IndexError, ValueError) as error:
                raise ImageError("the picture is cut short or damaged in its header") from error
            if header.width < 1 or header.height < 1:
                raise ImageError("the picture's header gives it no size")
            return header
    if re.match(rb".{4}ftyp(hei|hev|mif1|msf1)", data, re.DOTALL):
        raise ImageError("HEIC pictures cannot be read: export the picture as JPEG")
    raise ImageError(f"not a picture in a known format ({FORMATS})")


def _jpeg(data: bytes) -> Header:
    at = 2
    while True:
        while data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height, width = struct.unpack_from(">HH", data, at + 5)
            break
        if marker in (0xD9, 0xDA):
            raise ValueError("no frame before the scan")
        standalone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += 2 if standalone else 2 + struct.unpack_from(">H", data, at + 2)[0]
    _require_end(data, at)
    return Header("jpeg", width, height, progressive=marker in (0xC2, 0xC6, 0xCA, 0xCE))


def _require_end(data: bytes, at: int) -> None:
    """Walk a JPEG's segments and scans to its end; OpenCV may fill a cut scan with grey.

    What follows the end, such as the film of a moving photo, is not looked at.

    Args:
        data: The encoded picture.
        at: Where its frame header starts.
    """
    while marker := _NEXT_MARKER.search(data, at):
        at, kind = marker.start(), data[marker.start() + 1]
        if kind == 0xD9:
            return
        if at + 4 > len(data):
            break
        at += 2 if kind == 0x01 else 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    raise ImageError("the JPEG is cut short")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of every chunk up to IEND, checksums verified."""
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ImageError("the PNG is cut short")
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise ImageError("the PNG is cut short")
        view = memoryview(data)[at + 4 : end - 4]
        if zlib.crc32(view) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageError("the PNG is damaged (a checksum is wrong)")
        yield kind, at, end
        at = end


def _png(data: bytes) -> Header:
    width, height, _depth, colour = struct.unpack_from(">IIBB", data, 16)
    alpha, orientation = colour in (4, 6), 1
    for kind, start, end in _png_chunks(data):
        if kind == b"tRNS":
            alpha = True
        elif kind == b"eXIf":
            orientation = _orientation(data[start + 8 : end - 4])
    return Header("png", width, height, alpha, orientation)


def plain_png(data: bytes) -> bytes:
    """A PNG with nothing but pixels and orientation.

    libpng prints warnings about colour profiles and other extras straight to
    standard error; animation chunks go as well, which leaves the first frame.

    Args:
        data: A PNG that ``read_header`` accepted.

    Returns:
        The same picture without other chunks.
    """
    keep = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND")
    parts = [data[start:end] for kind, start, end in _png_chunks(data) if kind in keep]
    return b"".join([data[:8], *parts])


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return Header("webp", *size, alpha=bool(bits >> 28 & 1))
    if kind != b"VP8X":
        raise ValueError("unknown WebP chunk")
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    orientation, at = 1, 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            orientation = _orientation(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        at += 8 + size + size % 2
    return Header("webp", width, height, bool(data[20] & 0x10), orientation)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("gif", width, height, alpha=True)


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the OS/2 header
        return Header("bmp", *struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Header("bmp", width, abs(height))


def _tiff(data: bytes) -> Header:
    tags = _tiff_tags(data)
    samples = tags.get(277, 1)
    return Header("tiff", tags.get(256, 0), tags.get(257, 0), alpha=samples == 4)


def _avif(data: bytes) -> Header:
    """The largest of the boxes that give a size (tiles and thumbnails have one too)."""
    sizes, at = [(0, 0)], data.find(b"ispe")
    while at >= 0:
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4)
    return Header("avif", *max(sizes, key=lambda s: s[0] * s[1]))


def _pnm(data: bytes) -> Header:
    text = re.sub(rb"#[^\n]*\n", b" ", data[:4096])
    numbers = re.match(rb"P[1-6]\s+(\d+)\s+(\d+)", text)
    if not numbers:
        raise ValueError("no size")
    return Header("pnm", int(numbers[1]), int(numbers[2]))


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Whole-number tags of the first directory, as TIFF and EXIF have it."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, start)[0]
    tags = {}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from(order + "HHI", data, at)
        if n == 1 and kind in (3, 4):
            tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return tags


def _orientation(exif: bytes) -> int:
    try:
        value = _tiff_tags(exif).get(274, 1)
    except struct.error:  # a broken EXIF block is no reason to lose the picture
        return 1
    return value if 1 <= value <= 8 else 1


_READERS = tuple(
    (re.compile(magic, re.DOTALL), reader)
    for magic, reader in (
        (rb"\xff\xd8\xff", _jpeg),
        (rb"\x89PNG\r\n\x1a\n", _png),
        (rb"RIFF.{4}WEBP", _webp),
        (rb"GIF8[79]a", _gif),
        (rb"II\*\0|MM\0\*", _tiff),
        (rb"BM", _bmp),
        (rb".{4}ftypavi[fs]", _avif),
        (rb"P[1-6]\s", _pnm),
    )
)
