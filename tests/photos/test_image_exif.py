"""The camera's clock is read from every kind of file that has one, and nothing else."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facekit.photos.image import taken_at

NOON = 1_689_336_000.0  # 2023-07-14 12:00:00 UTC
TEXT = "2023:07:14 12:00:00"


def block(text: str = TEXT, *, tag: int = 36867, order: str = "<", main: int = 34665) -> bytes:
    """A TIFF block: one directory that points to another with one text."""
    data = text.encode() + b"\0"
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    first = struct.pack(order + "HHHII", 1, main, 4, 1, 26) + bytes(4)
    second = struct.pack(order + "HHHII", 1, tag, 2, len(data), 44) + bytes(4)
    return head + first + second + data


def jpeg(exif: bytes) -> bytes:
    plain = cv2.imencode(".jpg", np.full((8, 8, 3), 90, np.uint8))[1].tobytes()
    body = b"Exif\0\0" + exif
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]


def saved(kind: str, exif: bytes) -> bytes:
    """By Pillow, in any format that carries EXIF."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 90, 90)).save(buffer, kind, exif=b"Exif\0\0" + exif)
    return buffer.getvalue()


def tiff(exif: bytes) -> bytes:
    """The block is the TIFF's own directory; a picture is added to it."""
    loaded = Image.Exif()
    loaded.load(exif)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 90, 90)).save(buffer, "TIFF", exif=loaded)
    return buffer.getvalue()


def png(exif: bytes) -> bytes:
    return saved("PNG", exif)


def webp(exif: bytes) -> bytes:
    return saved("WEBP", exif)


def avif(exif: bytes) -> bytes:
    return saved("AVIF", exif)


def heic(exif: bytes) -> bytes:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif comes with the extra heic")
    heif.register_heif_opener()
    return saved("HEIF", exif)


@pytest.mark.parametrize("wrap", [tiff, jpeg, png, webp, avif, heic])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_container_gives_the_time(wrap, order: str) -> None:
    assert taken_at(wrap(block(order=order))) == NOON


def test_a_file_gives_what_its_bytes_give(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(block()))
    assert taken_at(path) == NOON
    assert taken_at(tmp_path / "missing.jpg") is None
    assert taken_at(tmp_path) is None


def test_the_times_of_digitising_and_of_saving_say_nothing_of_the_photo() -> None:
    assert taken_at(jpeg(block(tag=36868))) is None
    assert taken_at(jpeg(block(tag=306))) is None
    assert taken_at(jpeg(block(main=306))) is None


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "2000:01:01 00:03:10",
        "2012:01:01 12:00:00",
        "    :  :     :  :  ",
        "2023:13:41 12:00:00",
        "",
        "yesterday",
        "2023",
    ],
)
def test_a_time_that_is_none_is_none(text: str) -> None:
    assert taken_at(jpeg(block(text))) is None


@pytest.mark.parametrize("wrap", [tiff, jpeg, png, webp])
def test_no_damage_raises(wrap) -> None:
    whole = wrap(block())
    for end in range(0, len(whole), 3):
        assert taken_at(whole[:end]) in (None, NOON)
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 4):
            broken[at] = int(rng.integers(0, 256))
        found = taken_at(bytes(broken))
        assert found is None or isinstance(found, float)


def test_pictures_without_exif_and_other_files() -> None:
    plain = np.full((8, 8, 3), 90, np.uint8)
    for kind in (".jpg", ".png", ".webp", ".bmp"):
        assert taken_at(cv2.imencode(kind, plain)[1].tobytes()) is None
    assert taken_at(b"") is None
    assert taken_at(b"a text") is None


@pytest.mark.parametrize(
    ("directory", "tag", "value"),
    [
        (34665, 41728, b"\x02"),
        (None, 272, "Perfection V600 Scanner"),
        (None, 305, "PhotoScan by Google Photos"),
    ],
)
def test_a_scanner_does_not_know_when_a_print_was_taken(
    directory: int | None, tag: int, value: str | bytes
) -> None:
    exif = Image.Exif()
    exif.get_ifd(34665)[36867] = TEXT
    (exif.get_ifd(directory) if directory else exif)[tag] = value
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    assert taken_at(buffer.getvalue()) is None
    exif = Image.Exif()
    exif.get_ifd(34665).update({36867: TEXT, 41728: b"\x03"})
    exif[272] = "Pixel 7"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    assert taken_at(buffer.getvalue()) == NOON
