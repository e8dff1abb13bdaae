"""Encoded pictures to RGB arrays, upright, on white, in bounded memory."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.crops.header import Header, plain_png, read_header
from facekit.crops.quiet import silence_opencv
from facekit.errors import ImageError

__all__ = ["MAX_PIXELS", "Picture", "decode", "read_picture"]

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
