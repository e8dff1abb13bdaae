"""Encoded pictures to RGB arrays, upright, on white, in bounded memory."""

from __future__ import annotations

import functools
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import ImageError

#: Pictures with more pixels are reduced while decoding (JPEG) or refused; a
#: decoded picture takes about six bytes a pixel at the peak.
MAX_PIXELS: Final = 100_000_000
#: No picture file is larger; the rest is videos and disk images.
MAX_BYTES: Final = 1 << 30

_REDUCED: Final = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
#: What brings each EXIF orientation upright: (swap axes, then flip code).
_UPRIGHT: Final[dict[int, tuple[bool, int | None]]] = {
    1: (False, None),
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: uint8 RGB array of shape (h, w, 3), perhaps reduced.
        width: Width of the whole picture in pixels, upright.
        height: Height of the whole picture in pixels, upright.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels of the picture for one pixel of ``rgb``: 1, 2, 4 or 8."""
        return self.width / int(self.rgb.shape[1])


def decode(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode one picture; ``read_picture`` without the size of the original.

    Args:
        source: A file, or its bytes.
        max_pixels: Most pixels to hold, in [1, inf).

    Returns:
        uint8 RGB array of shape (height, width, 3).

    Raises:
        ImageError: The file cannot be read, is no picture, damaged or too large.
    """
    return read_picture(source, max_pixels=max_pixels).rgb


def read_picture(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode one picture to 8 bits, upright by its EXIF orientation, over white.

    Of an animation the first frame is taken. A JPEG with more than
    ``max_pixels`` is reduced by 2, 4 or 8 while it is decoded.

    Args:
        source: A file, or its bytes.
        max_pixels: Most pixels to hold, in [1, inf).

    Returns:
        The Picture.

    Raises:
        ImageError: The file cannot be read, is no picture, damaged or too large.
    """
    name = _printable(source.name) if isinstance(source, Path) else "the picture"
    try:
        data = _read(source) if isinstance(source, Path) else source
        if not data:
            raise ImageError("the file is empty")
        header = read_header(data)
        return _decode(data, header, _reduction(header, max_pixels))
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error


def _printable(name: str) -> str:
    """File names may hold bytes that are no text; a message must not."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _read(path: Path) -> bytes:
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise ImageError("is a folder, not a picture")
        if not stat.S_ISREG(info.st_mode):  # reading a pipe or device may never end
            raise ImageError("is not a regular file")
        if info.st_size > MAX_BYTES:
            raise ImageError(f"has {info.st_size:,} bytes, more than any picture")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"cannot be read ({reason})") from error


def _reduction(header: Header, max_pixels: int) -> int:
    """1, 2, 4 or 8: how many times smaller the picture must be decoded."""
    pixels = header.width * header.height
    if pixels <= max_pixels:
        return 1
    # A progressive JPEG takes three bytes a pixel however far it is reduced.
    if header.format == "jpeg" and not (header.progressive and pixels > 2 * max_pixels):
        for factor in _REDUCED:
            if pixels <= max_pixels * factor**2:
                return factor
    raise ImageError(
        f"has {header.width:,} x {header.height:,} pixels, more than the {max_pixels:,} "
        "that are read at once: make it smaller"
    )


def _decode(data: bytes, header: Header, reduction: int) -> Picture:
    silence_opencv()
    if header.format == "png":
        data = plain_png(data)
    flags = cv2.IMREAD_UNCHANGED if header.alpha else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(reduction, flags))
    except cv2.error as error:
        raise ImageError(f"cannot be decoded ({error.err})") from error
    except MemoryError as error:
        raise ImageError("does not fit into memory: make it smaller") from error
    if image is None:
        raise ImageError(f"the {header.format.upper()} is damaged or of an unknown kind")
    if header.alpha:
        image = _upright(_over_white(_eight_bits(image)), header.orientation)
    height, width = image.shape[:2]
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if reduction == 1:
        return Picture(rgb, width, height)  # type: ignore[arg-type]
    turned = (width > height) != (header.width > header.height)
    full = (header.height, header.width) if turned else (header.width, header.height)
    return Picture(rgb, *full)  # type: ignore[arg-type]


def _eight_bits(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    if image.dtype == np.uint16:
        return cv2.convertScaleAbs(image, alpha=1 / 257)  # type: ignore[arg-type,return-value]
    if image.dtype != np.uint8:
        raise ImageError(f"has pixels of type {image.dtype}: save it with 8 or 16 bits")
    return image.view(np.uint8)


def _over_white(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 BGR (h, w, 3) of grey, BGR or BGRA pixels."""
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
    if image.shape[2] == 3:
        return image
    over = np.empty((*image.shape[:2], 3), np.uint8)
    for top in range(0, len(image), 256):  # strips keep the wider numbers small
        strip = image[top : top + 256]
        alpha = strip[..., 3:].astype(np.uint16)
        over[top : top + 256] = (strip[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return over


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    swap, flip = _UPRIGHT[orientation]
    if swap:
        image = cv2.transpose(image)  # type: ignore[assignment]
    return image if flip is None else cv2.flip(image, flip)  # type: ignore[return-value]


# What a picture's first bytes say: format, size, orientation, transparency.
#
# Read before decoding, so that a huge picture is refused or reduced before it
# takes memory, and a damaged one is named before a C library complains.

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


# When a photo was taken, as its camera wrote it down.
#
# EXIF is a TIFF directory inside the picture's file. The time is that of the
# camera's own clock; a time zone is rarely there and is not asked for, so the
# number is good for differences between photos of one camera, not as a date.

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
        return _jpeg_exif(data)
    return _chunk(data) if data[:4] in _CHUNKS else None


def _jpeg_exif(data: bytes) -> bytes | None:
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


# OpenCV's own log lines, kept off standard error.

_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT


@functools.cache
def silence_opencv() -> None:
    """Once a process: what goes wrong is our error to report, not a log line."""
    old = getattr(cv2, "setLogLevel", None)  # OpenCV 4.12; later it moved
    set_level = old if old is not None else cv2.utils.logging.setLogLevel
    set_level(_SILENT)
