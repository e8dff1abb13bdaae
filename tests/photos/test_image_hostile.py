"""Pictures that cost more than they say: each is read or refused in seconds, quietly."""

from __future__ import annotations

import io
import logging
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from facekit.errors import ImageError
from facekit.photos.av1 import coded_pixels
from facekit.photos.image import read_picture

GREY = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90), np.uint8))
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(kind: str, image: Image.Image = GREY, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff(*entries: tuple[int, int, int], body: bytes = b"") -> bytes:
    """A little-endian TIFF: (tag, type, value) in the order given, then its strips at 200."""
    lines = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + lines + bytes(4)
    return head.ljust(200, b"\0") + body


def ends(data: bytes, match: str, seconds: float = 2.5) -> None:
    begun = time.process_time()
    with pytest.raises(ImageError, match=match) as caught:
        read_picture(data)
    assert time.process_time() - begun < seconds
    assert "\n" not in str(caught.value)


PACKED = zlib.compress(bytes(1_000_000))
STRIP = [(258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 200), (277, 3, 1), (278, 4, 99_999)]
BIG, SMALL = [(256, 4, 30_000), (257, 4, 30_000)], [(256, 4, 10), (257, 4, 10)]
TILE = [(258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), (322, 4, 30_000), (323, 4, 30_000)]
LARGE = struct.pack(">II", 30_000, 30_000)
LYING = {
    "tiff whose size is there twice": tiff(*BIG, *SMALL, *STRIP, body=PACKED),
    "tiff of one huge tile": tiff(*SMALL, *TILE, (324, 4, 200), (325, 4, 900), body=PACKED),
    "png with a text before its header": PNG
    + chunk(b"tEXt", struct.pack(">IIBB", 10, 10, 8, 2) + b"a\0b")
    + chunk(b"IHDR", LARGE + b"\x08\0\0\0\0")
    + chunk(b"IDAT", PACKED)
    + chunk(b"IEND", b""),
    "png with two headers": PNG
    + chunk(b"IHDR", struct.pack(">II", 10, 10) + b"\x08\0\0\0\0")
    + chunk(b"IHDR", LARGE + b"\x08\0\0\0\0")
    + chunk(b"IDAT", PACKED)
    + chunk(b"IEND", b""),
    "pbm whose comment ends at a CR": b"P4 #\r20000 20000 #\n10 10\n" + bytes(1_000),
    "ppm with comments inside": b"P6 #x\r#y\n30000#\r30000 255\n" + bytes(1_000),
    "png of one column": PNG
    + chunk(b"IHDR", struct.pack(">II", 1, 99_999_999) + b"\x08\0\0\0\0")
    + chunk(b"IDAT", PACKED)
    + chunk(b"IEND", b""),
    "gif whose frame is larger": b"GIF89a\n\0\n\0\x80\0\0"
    + bytes(6)
    + b","
    + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0)
    + b"\x02\x02\x4c\x01\0;",
}


@pytest.mark.parametrize("what", LYING)
def test_the_size_that_the_decoder_reads_is_the_one_that_counts(what: str) -> None:
    ends(LYING[what], "pixels|header|kind|cut short")


def pieces(piece: bytes, behind: int = 2) -> bytes:
    data = encoded("JPEG")
    return data[:behind] + piece * (20_000_000 // len(piece)) + data[behind:]


PIECES = {
    "jpeg of empty segments": pieces(b"\xff\xe5\0\2"),
    "jpeg of fill bytes": pieces(b"\xff"),
    "jpeg of comments at its end": pieces(b"\xff\xfe\0\2", -2),
    "jpeg of markers at its end": pieces(b"\xff\x01", -2),
    "png of empty texts": PNG
    + chunk(b"IHDR", struct.pack(">II", 10, 10) + b"\x08\0\0\0\0")
    + chunk(b"tEXt", b"") * 2_000_000,
    "png of empty data": PNG
    + chunk(b"IHDR", struct.pack(">II", 10, 10) + b"\x08\0\0\0\0")
    + chunk(b"IDAT", b"") * 2_000_000,
    "gif of comments": b"GIF89a\n\0\n\0\x80\0\0" + bytes(6) + b"!\xfe\1x\0" * 4_000_000,
    "gif of tiny blocks": b"GIF89a\n\0\n\0\x80\0\0" + bytes(6) + b"!\xfe" + b"\1x" * 9_000_000,
    "webp of empty chunks": b"RIFF"
    + struct.pack("<I", 20_000_000)
    + b"WEBPVP8X\x0a\0\0\0\0\0\0\0\x09\0\0\x09\0\0"
    + b"XXXX\0\0\0\0" * 2_500_000,
    "avif of sizes": encoded("AVIF")[:32] + b"ispe" * 5_000_000,
    "ppm of comments": b"P6\n" + b"#\n" * 10_000_000,
}


@pytest.mark.parametrize("what", PIECES)
def test_millions_of_pieces_end_in_a_line(what: str) -> None:
    ends(PIECES[what], "pieces|short|damaged|header", seconds=5)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_less_than_a_bit_a_block_is_cut_short(progressive: bool) -> None:
    data = bytearray(encoded("JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 9_000, 9_000)
    ends(bytes(data), "cut short")
    flat = Image.new("L", (4_000, 4_000), 120)  # as few bits a block as there can be
    assert (
        read_picture(encoded("JPEG", flat, progressive=progressive, optimize=True)).width == 4_000
    )


def test_an_avif_that_holds_more_than_its_boxes_say() -> None:
    large = encoded("AVIF", Image.new("RGB", (6_000, 4_000)), speed=10, quality=20)
    assert coded_pixels(large) == 24_000_000
    at = large.index(b"ispe") + 8
    ends(large[:at] + struct.pack(">II", 100, 100) + large[at + 8 :], "24,000,000 pixels")
    frames = {"save_all": True, "append_images": [Image.new("RGB", (640, 480), "red")]}
    assert coded_pixels(encoded("AVIF", Image.new("RGB", (640, 480)), **frames)) == 640 * 480


def test_a_webp_counts_twice_for_it_takes_twice_the_memory() -> None:
    data = encoded("WEBP")
    assert read_picture(data, max_pixels=2 * 60 * 90).width == 90
    with pytest.raises(ImageError, match="90 x 60 pixels"):
        read_picture(data, max_pixels=2 * 60 * 90 - 1)


@pytest.mark.parametrize("size", [(100_000, 9), (9, 100_000), (300_000, 1), (1, 300_000)])
def test_long_and_thin_pictures_keep_every_pixel(size: tuple[int, int]) -> None:
    rgba = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 4), np.uint8)
    rgb = read_picture(encoded("PNG", Image.fromarray(rgba), compress_level=1)).rgb
    alpha = rgba[..., 3:].astype(np.uint32)
    expected = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(rgb, expected)


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "group4"])
def test_nothing_but_facekit_speaks_of_a_damaged_tiff(
    packing: str, capfd: pytest.CaptureFixture[str]
) -> None:
    image = GREY.convert("1") if packing == "group4" else GREY
    whole, rng = encoded("TIFF", image, compression=packing), np.random.default_rng(2)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(8, len(data), 12):
            data[at] = rng.integers(256)
        try:
            read_picture(bytes(data))
        except ImageError:
            refused += 1
    assert refused > 2
    assert capfd.readouterr() == ("", "")


def test_too_many_samples_are_no_line_of_a_log(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("PIL").propagate, before = False, logging.getLogger("PIL").propagate
    try:  # as in a program without logging
        ends(tiff(*SMALL, *[e for e in STRIP if e[0] != 277], (277, 3, 2_048)), "TIFF|header")
    finally:
        logging.getLogger("PIL").propagate = before
    assert capfd.readouterr().err == ""
