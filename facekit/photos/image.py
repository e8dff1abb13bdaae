"""Encoded pictures to RGB arrays, upright, on white, in bounded memory.

Pillow decodes; its plugins are opened one by one, by a file's first bytes and not
through ``Image.open``, which guesses and has one pixel limit for the whole process.
Colour profiles are not applied: faces are learned from pixels as they are stored.
"""

from __future__ import annotations

import ctypes
import functools
import io
import logging
import math
import re
import stat
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from facekit._version import DISTRIBUTION
from facekit.arrays import UInt8
from facekit.errors import ImageError, UnreadError
from facekit.photos.av1 import coded_pixels
from facekit.system.files import open_regular, read_regular

#: Pictures with more pixels are reduced while decoding (JPEG) or refused; a
#: decoded picture takes about eight bytes a pixel at the peak.
MAX_PIXELS: Final = 100_000_000
#: No picture file is larger; the rest is videos and disk images.
MAX_BYTES: Final = 1 << 30
FORMATS: Final = "JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, HEIC or PNM"

#: How a file of each format begins, its name in Pillow and the plugin that reads it.
_FORMATS: Final = tuple(
    (re.compile(magic, re.DOTALL), name, plugin)
    for magic, name, plugin in (
        (rb"\xff\xd8\xff", "JPEG", "PIL.JpegImagePlugin"),
        (rb"\x89PNG\r\n\x1a\n", "PNG", "PIL.PngImagePlugin"),
        (rb"RIFF.{4}WEBP", "WEBP", "PIL.WebPImagePlugin"),
        (rb"GIF8[79]a", "GIF", "PIL.GifImagePlugin"),
        (rb"II[*+]\0|MM\0[*+]", "TIFF", "PIL.TiffImagePlugin"),
        (rb"BM", "BMP", "PIL.BmpImagePlugin"),
        (rb".{4}ftyp.{0,40}avi[fs]", "AVIF", "PIL.AvifImagePlugin"),
        (rb".{4}ftyp.{0,40}(hei|hev|mif1|msf1)", "HEIF", "pillow_heif"),
        (rb"P[1-6]\s", "PPM", "PIL.PpmImagePlugin"),
    )
)
#: How many times the memory of the others a decoder takes for a pixel.
_COSTS: Final = {"WEBP": 2}
#: Longer sides are no pictures; a row costs Pillow some bytes of its own.
_LONGEST: Final = 1_000_000
#: Reads that opening and decoding may make, and one more for so many bytes: a plugin's
#: loop over the pieces of a file makes some each, so that millions of tiny ones end in a line.
_MOST_READS, _BYTES_A_READ = 50_000, 500
#: Markers of a JPEG; more have no use. Scans of a progressive one are decoded each for
#: all its pixels, so that few are allowed in a large picture (cameras write ten).
_MOST_MARKERS, _MOST_SCANS, _MOST_SCANNED = 20_000, 500, 2_000_000_000
#: Frames whose blocks of 64 pixels take a bit at least: shorter files lack most of them.
_HUFFMAN, _PIXELS_A_BYTE = (0xC0, 0xC1, 0xC2), 512
#: The next JPEG marker in scan data: stuffed zeros, fill bytes and restarts are none.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
#: What an unfinished scan is filled up with: it shows wherever a bit is missing.
_FILLINGS: Final = (b"", b"\x55" * 64, b"\xaa" * 64)

#: Pixels that are brought to RGB at once: they stay in the processor's cache.
_STRIP: Final = 1 << 18
#: TIFF: sides of a tile, which is decoded whole however small the picture is.
_TILE, _MOST_TILE = (322, 323), 1 << 24

#: EXIF 2.3: the way up; the directory of the photo; when it was taken. DateTime (306)
#: and DateTimeDigitized (36868) are left out: programs write there when they saved,
#: scanners when they scanned.
_ORIENTATION, _DIRECTORY, _TAKEN = 274, 34665, 36867
#: Orientations that swap the axes.
_ON_THE_SIDE: Final = (5, 6, 7, 8)
#: EXIF 2.3: model and program; what made the file, 1 and 2 being scanners.
_MAKERS, _SOURCE, _SCANNERS = (272, 305), 41728, (b"\x01", b"\x02", 1, 2)
#: Where a clock begins that was never set, or lost its battery.
_NEW_YEAR: Final = "01:01"
_TIME: Final = "%Y:%m:%d %H:%M:%S"
#: Read of a file for its time; EXIF blocks come first in JPEG, but may come last in WebP.
_MOST_FOR_TIME: Final = 1 << 26


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: uint8 RGB array of shape (h, w, 3), perhaps reduced.
        width: Width of the whole picture in pixels, upright.
        height: Height of the whole picture in pixels, upright.
    """

    rgb: UInt8
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels of the picture for one pixel of ``rgb``: 1, 2, 4 or 8."""
        return self.width / int(self.rgb.shape[1])


def decode(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> UInt8:
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


def read_picture(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, enough: int = MAX_PIXELS
) -> Picture:
    """Decode one picture to 8 bits, upright by its EXIF orientation, over white.

    Of an animation the first frame is taken. A JPEG with more than
    ``max_pixels`` is reduced by 2, 4 or 8 while it is decoded.

    Args:
        source: A file, or its bytes.
        max_pixels: Most pixels to hold, in [1, inf).
        enough: Pixels that do, in [1, inf): a JPEG that keeps as many when it is
            reduced is, which takes less time.

    Returns:
        The Picture.

    Raises:
        ImageError: The file cannot be read, is no picture, damaged or too large.
    """
    name = _printable(source.name) if isinstance(source, Path) else "the picture"
    try:
        data = _read(source) if isinstance(source, Path) else source
        return _decode(data, max_pixels, enough)
    except MemoryError as error:
        raise ImageError(f"{name}: does not fit into memory: make it smaller") from error
    except ImageError as error:
        raise type(error)(f"{name}: {error}") from error


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture as it is stored, from its header.

    Raises:
        ImageError: No picture, or a header that makes no sense.
    """
    width, height = _open(data)[1].size
    return width, height


def taken_at(source: Path | bytes) -> float | None:
    """When a photo was taken, where that can be believed.

    The time is that of the camera's own clock; a time zone is rarely there and is not
    asked for, so the number is good for differences between photos of one camera, not
    as a date.

    Args:
        source: A picture file, or its bytes.

    Returns:
        Seconds since 1970 by the camera's clock, as if it ran in UTC; None where
        the file does not say or cannot be read, where a scanner made it, and on the
        first of January.
    """
    try:
        data = source if isinstance(source, bytes) else _first(source)
        main = _exif(_open(data)[1])
        found = main.get_ifd(_DIRECTORY)
        scanned = any("scan" in str(main.get(tag, "")).lower() for tag in _MAKERS)
        text = str(found.get(_TAKEN, "")).split("\0")[0].strip()
        if scanned or found.get(_SOURCE) in _SCANNERS or text[5:10] == _NEW_YEAR:
            return None
        if re.fullmatch(r"[\d: ]{19}", text) and not text.startswith("0000"):
            return datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()
    except Exception:
        return None
    return None


def _printable(name: str) -> str:
    """File names may hold bytes that are no text; a message must not."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _read(path: Path) -> bytes:
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise ImageError("is a folder, not a picture")
        if not stat.S_ISREG(info.st_mode):
            raise ImageError("is not a regular file")
        if info.st_size > MAX_BYTES:
            raise ImageError(f"has {info.st_size:,} bytes, more than any picture")
        return read_regular(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadError(f"cannot be read ({reason})") from error


def _first(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_MOST_FOR_TIME)


class _Counted(io.BytesIO):
    """Bytes that may be asked for so many times."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS + self.getbuffer().nbytes // _BYTES_A_READ:
            raise ImageError("the picture is in too many pieces: save it again")
        return super().read(size)


def _open(data: bytes) -> tuple[str, Any]:
    """The format, and Pillow's image with its header read and no pixel decoded."""
    if not data:
        raise ImageError("the file is empty")
    found = next((entry for entry in _FORMATS if entry[0].match(data)), None)
    if found is None:
        raise ImageError(f"not a picture in a known format ({FORMATS})")
    _, name, plugin = found
    _hush()
    try:
        module = import_module(plugin)
    except ImportError as error:
        raise ImageError(
            f"HEIC pictures need pillow-heif: pip install '{DISTRIBUTION}[heic]', or export as JPEG"
        ) from error
    if name == "HEIF" and name not in Image.OPEN:
        module.register_heif_opener()
    try:
        return name, Image.OPEN[name][0](_Counted(data), "")
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # plugins raise whatever their parser stumbles over
        raise ImageError("the picture is cut short or damaged in its header") from error


@functools.cache
def _silence() -> None:
    """Once a process: Pillow's own copy of libtiff prints what is wrong with a file."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it goes to standard error
    with suppress(AttributeError, OSError):  # a build that has it inside, or has none
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _hush() -> None:
    """Pillow warns of damaged extras; the filter is put back where something removed it."""
    _silence()
    if not any(f[0] == "ignore" and f[3] and f[3].pattern == r"PIL\." for f in warnings.filters):
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _decode(data: bytes, max_pixels: int, enough: int) -> Picture:
    name, image = _open(data)
    width, height = image.size
    _require_bounds(name, image, data)
    factor = _reduction(name, image, max_pixels // _COSTS.get(name, 1))
    if name == "JPEG":
        spare = (k for k in (8, 4, 2) if width * height >= enough * k**2)
        factor = max(factor, next(spare, 1))
    versions = [data]
    if name == "JPEG":
        versions = _whole_jpegs(data, width * height)
    elif name == "PNG":
        _require_sound(image)
    if name == "PNG" or versions[0] is not data:  # verifying has used the image up
        _, image = _open(versions[0])
    first = _pixels(name, image, factor)
    for other in versions[1:]:
        if not np.array_equal(first, _pixels(*_open(other), factor)):
            raise ImageError("the JPEG is cut short")
    if factor == 1:
        return Picture(first, first.shape[1], first.shape[0])
    if _exif(image).get(_ORIENTATION, 1) in _ON_THE_SIDE:
        width, height = height, width
    return Picture(first, width, height)


def _require_bounds(name: str, image: Any, data: bytes) -> None:
    """Refuse what takes more memory than the size of the picture says."""
    if max(image.size) > _LONGEST:
        raise ImageError(f"has a side of {max(image.size):,} pixels: {_LONGEST:,} are allowed")
    inside = 0
    if name == "TIFF":
        sides = [image.tag_v2.get(tag) for tag in _TILE]
        inside = math.prod(sides) if all(isinstance(side, int) for side in sides) else 0
    elif name == "AVIF":
        inside = coded_pixels(data)
    if inside > max(_MOST_TILE, 2 * image.width * image.height):
        raise ImageError(f"the {name} holds {inside:,} pixels, more than its size: save it again")


def _reduction(name: str, image: Any, max_pixels: int) -> int:
    """1, 2, 4 or 8: how many times smaller the picture must be decoded."""
    pixels = image.width * image.height
    if pixels <= max_pixels:
        return 1
    # A progressive JPEG takes three bytes a pixel however far it is reduced.
    whole = image.info.get("progressive") and pixels > 2 * max_pixels
    if name == "JPEG" and not whole:
        for factor in (2, 4, 8):
            if pixels <= max_pixels * factor**2:
                return factor
    raise ImageError(
        f"has {image.width:,} x {image.height:,} pixels, more than the {max_pixels:,} "
        "that are read at once: make it smaller"
    )


def _require_sound(image: Any) -> None:
    """Checksums of a PNG, which decoding alone does not look at."""
    try:
        image.verify()
    except ImageError:
        raise
    except Exception as error:
        checksum = "checksum" in str(error)
        reason = "damaged (a checksum is wrong)" if checksum else "cut short"
        raise ImageError(f"the PNG is {reason}") from error


def _whole_jpegs(data: bytes, pixels: int) -> list[bytes]:
    """The JPEG; without its end marker, several that agree where no pixel is missing.

    Some cameras leave the marker out. Put there, it would hide a scan that is cut: the
    decoder fills up with grey. What it fills up with is in ``_FILLINGS``.
    """
    at = tail = 2
    scans = 0
    for _ in range(_MOST_MARKERS):
        marker = _NEXT_MARKER.search(data, at)
        if marker is None:
            break
        at, kind = marker.start(), data[marker.start() + 1]
        if scans and tail < 0:
            tail = at
        if kind == 0xD9:
            return [data]
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 2 + size > len(data) or (at + 4 > len(data)):
            raise ImageError("the JPEG is cut short")
        at += 2 if kind == 0x01 else 2 + max(2, size)
        if kind in _HUFFMAN and pixels > _PIXELS_A_BYTE * len(data):
            raise ImageError("the JPEG is cut short")
        if kind == 0xDA:
            scans, tail = scans + 1, -1
            if scans > _MOST_SCANS or (scans > 1 and scans * pixels > _MOST_SCANNED):
                raise ImageError(f"has {scans} scans or more: save it again")
    else:
        raise ImageError("the picture is in too many pieces: save it again")
    if not scans:
        raise ImageError("the JPEG is cut short")
    data = data.rstrip(b"\xff")
    tail = len(data) if tail < 0 else tail
    return [data[:tail] + filling + data[tail:] + b"\xff\xd9" for filling in _FILLINGS]


def _pixels(name: str, image: Any, factor: int) -> UInt8:
    if factor > 1:
        image.draft(None, (image.width // factor, image.height // factor))
    try:
        image.load()
        way = 1 if name == "TIFF" else _exif(image).get(_ORIENTATION, 1)  # Pillow turned it
        rgb = _upright(_over_white(image), way)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        label = "HEIC" if name == "HEIF" else "PNM" if name == "PPM" else name
        short = "cut short" if "truncated" in str(error) else "damaged or of an unknown kind"
        raise ImageError(f"the {label} is {short}") from error
    return np.ascontiguousarray(rgb)


def _exif(image: Any) -> Image.Exif:
    """The EXIF block, empty where it is broken; never what XMP says instead."""
    if image.format == "TIFF":
        return image.getexif()  # type: ignore[no-any-return]
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or _raw_profile(image))
    except Exception:
        return Image.Exif()
    return exif


def _raw_profile(image: Any) -> bytes:
    """EXIF as older tools write it into a PNG: a name, a length, lines of hexadecimals."""
    text = image.info.get("Raw profile type exif", "")
    return bytes.fromhex("".join(text.split("\n")[3:])) if isinstance(text, str) else b""


def _over_white(image: Any) -> UInt8:
    """uint8 RGB (h, w, 3) of whatever mode a picture has."""
    if image.mode in ("F", "I") or image.mode.startswith("I;"):
        deep = np.asarray(image)
        if deep.dtype.kind not in "iu" or deep.min() < 0 or deep.max() > 65535:
            raise ImageError(f"has pixels of type {deep.dtype}: save it with 8 or 16 bits")
        grey = ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    width, height = image.size
    over = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        part = image.crop((0, top, width, min(top + rows, height)))
        strip = np.asarray(part if part.mode == mode else part.convert(mode))
        if mode == "RGBA" and strip[..., 3].min() == 255:
            strip = strip[..., :3]
        elif mode == "RGBA":
            alpha = strip[..., 3:].astype(np.uint16)
            strip = (strip[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        over[top : top + rows] = strip
    return over


def _upright(rgb: UInt8, orientation: object) -> UInt8:
    """Turn by the EXIF orientation: 5 to 8 swap the axes, then both may be mirrored."""
    if orientation not in range(2, 9):
        return rgb
    if orientation in _ON_THE_SIDE:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return rgb
