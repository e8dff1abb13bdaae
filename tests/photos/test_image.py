"""Every kind of picture gives the right pixels; every broken one gives one line."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facekit.errors import ImageError
from facekit.photos import image as image_module
from facekit.photos.image import decode, read_picture

Rgb = NDArray[np.uint8]
WIDTH, HEIGHT = 90, 60

#: 16 x 8, left half (200, 30, 60), right half (20, 120, 220), by Pillow: CMYK.
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgICAgIDAgICAwMDAwQGBAQEBAQIBgYFBgkICgoJCAkJCgwPDAoLDgsJCQ0R"
    "DQ4PEBAREAoMEhMSEBMPEBAQ/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAkIAP/EABQQ"
    "AQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8AsAfSSipgfXgapn//2Q=="
)
#: The left half as above, the right half transparent; the second frame is another.
GIF = base64.b64decode(
    "R0lGODlhEAAIAIEAABR43MgePAAAAAAAACH5BAEKAAAALAAAAAAQAAgAAAgkAAMIHCgQgMGDBgkSRIhQ4UCGBx0WhAhA"
    "YgCKFSVitLhRI8WAACH5BAEKAAIALAAAAAAQAAgAgTfhw+uHIwAAAAAAAAgkAAEIHCgwgMGDBgkSRIhQ4UCGBx0WhBhA"
    "IgCKFSVitLhRI8WAADs="
)


def gradient() -> Rgb:
    """Red grows to the right and green downwards: no two corners are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), np.full_like(x, 60)]
    return np.stack(planes, -1).astype(np.uint8)


def encode(suffix: str, image: NDArray[np.generic] | None = None, *options: int) -> bytes:
    """Bytes of an RGB, RGBA or grey picture."""
    rgb = gradient() if image is None else image
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    flipped = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, codes[rgb.shape[2]])
    good, data = cv2.imencode(suffix, flipped, list(options))
    assert good
    return data.tobytes()


def see_through(maximum: int = 255) -> NDArray[np.generic]:
    """The gradient with a transparent right half."""
    rgba = np.dstack([gradient(), np.where(np.arange(WIDTH) < 45, 255, 0) + np.zeros((HEIGHT, 1))])
    return (rgba * (maximum // 255)).astype(np.uint8 if maximum == 255 else np.uint16)


def on_white() -> Rgb:
    expected = gradient()
    expected[:, 45:] = 255
    return expected


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk after its header."""
    return png[:33] + chunk(kind, body) + png[33:]


def exif(orientation: int, order: str = ">") -> bytes:
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def turned_jpeg(orientation: int) -> bytes:
    data, body = encode(".jpg", None, cv2.IMWRITE_JPEG_QUALITY, 98), b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def turned_webp(orientation: int) -> bytes:
    """A lossless see-through WebP in the extended layout, with EXIF."""
    simple = encode(".webp", see_through(), cv2.IMWRITE_WEBP_QUALITY, 101)
    size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    head = b"VP8X" + struct.pack("<I", 10) + bytes([0x18, 0, 0, 0]) + size
    block = exif(orientation, "<")
    tail = b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    body = b"WEBP" + head + simple[12:] + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


def upright(image: Rgb, orientation: int) -> Rgb:
    """What EXIF says, in NumPy's words instead of OpenCV's."""
    flips: dict[int, Callable[[Rgb], Rgb]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    return flips[orientation](image)


def palette_png() -> bytes:
    """8 x 4, left half (200, 30, 60), right half a see-through palette entry."""
    rows = b"".join(b"\0" + bytes([0] * 4 + [1] * 4) for _ in range(4))
    header = struct.pack(">IIBBBBB", 8, 4, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", bytes([200, 30, 60, 9, 9, 9])), (b"tRNS", b"\xff\0")]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def halves(left: tuple[int, ...], right: tuple[int, ...], height: int, width: int) -> Rgb:
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = left, right
    return image


RED, BLUE, WHITE = (200, 30, 60), (20, 120, 220), (255, 255, 255)

#: Name to (bytes, expected pixels, how far a pixel may be off).
GOOD: dict[str, tuple[Callable[[], bytes], Callable[[], Rgb], int]] = {
    "png": (lambda: encode(".png"), gradient, 0),
    "jpeg": (lambda: encode(".jpg", None, cv2.IMWRITE_JPEG_QUALITY, 98), gradient, 9),
    "progressive": (lambda: encode(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), gradient, 20),
    "webp": (lambda: encode(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 101), gradient, 0),
    "lossy webp": (lambda: encode(".webp", None, cv2.IMWRITE_WEBP_QUALITY, 90), gradient, 25),
    "bmp": (lambda: encode(".bmp"), gradient, 0),
    "tiff": (lambda: encode(".tiff"), gradient, 0),
    "ppm": (lambda: encode(".ppm"), gradient, 0),
    "16 bit": (lambda: encode(".png", gradient().astype(np.uint16) * 257), gradient, 0),
    "16 bit see-through": (lambda: encode(".png", see_through(257 * 255)), on_white, 0),
    "grey": (
        lambda: encode(".png", gradient()[..., 0]),
        lambda: gradient()[..., :1].repeat(3, -1),
        0,
    ),
    "see-through": (lambda: encode(".png", see_through()), on_white, 0),
    "see-through webp": (
        lambda: encode(".webp", see_through(), cv2.IMWRITE_WEBP_QUALITY, 101),
        on_white,
        0,
    ),
    "see-through tiff": (lambda: encode(".tiff", see_through()), on_white, 0),
    "palette": (palette_png, lambda: halves(RED, WHITE, 4, 8), 0),
    "cmyk": (lambda: CMYK, lambda: halves(RED, BLUE, 8, 16), 6),
    "animated gif": (lambda: GIF, lambda: halves(RED, WHITE, 8, 16), 0),
    "one pixel": (
        lambda: encode(".png", np.full((1, 1, 3), 7, np.uint8)),
        lambda: np.full((1, 1, 3), 7, np.uint8),
        0,
    ),
    "20,000 px wide": (
        lambda: encode(".png", np.full((3, 20_000, 3), 7, np.uint8)),
        lambda: np.full((3, 20_000, 3), 7, np.uint8),
        0,
    ),
    "bytes after the end": (lambda: encode(".png") + b"\0" * 99, gradient, 0),
}
for _way in range(1, 9):
    GOOD[f"jpeg turned {_way}"] = (
        lambda way=_way: turned_jpeg(way),  # type: ignore[misc]
        lambda way=_way: upright(gradient(), way),  # type: ignore[misc]
        9,
    )
    GOOD[f"png turned {_way}"] = (
        lambda way=_way: with_chunk(encode(".png"), b"eXIf", exif(way)),  # type: ignore[misc]
        lambda way=_way: upright(gradient(), way),  # type: ignore[misc]
        0,
    )
    GOOD[f"see-through png turned {_way}"] = (
        lambda way=_way: with_chunk(  # type: ignore[misc]
            encode(".png", see_through()), b"eXIf", exif(way, "<")
        ),
        lambda way=_way: upright(on_white(), way),  # type: ignore[misc]
        0,
    )
    GOOD[f"see-through webp turned {_way}"] = (
        lambda way=_way: turned_webp(way),  # type: ignore[misc]
        lambda way=_way: upright(on_white(), way),  # type: ignore[misc]
        0,
    )


@pytest.mark.parametrize("name", GOOD)
def test_pixels_are_right(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make, expected, most = GOOD[name]
    path = tmp_path / "写真 ñ 🙂.jpg"  # the bytes decide, not the name
    path.write_bytes(make())
    image, wanted = decode(path), expected()
    assert image.dtype == np.uint8
    assert image.shape == wanted.shape
    assert np.abs(image.astype(int) - wanted).max() <= most
    assert np.array_equal(image, decode(make()))
    assert capfd.readouterr() == ("", "")


def noise(suffix: str, *options: int) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    return encode(suffix, image, *options)


def cut_behind_its_preview() -> bytes:
    """A cut JPEG whose EXIF preview is whole: the preview's end is not the picture's."""
    data, body = noise(".jpg"), b"Exif\0\0" + exif(1) + encode(".jpg")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    return data[: -len(data) // 4]


def comment(text: bytes) -> bytes:
    """A JPEG segment that decoders pass over."""
    return b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text


def flipped_byte() -> bytes:
    data = bytearray(encode(".png"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


#: Name to (bytes, a word of the message).
BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"Dear diary, today I was renamed.\n" * 9, "known format"),
    "heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "header"),
    "half a jpeg": (lambda: noise(".jpg")[:3000], "cut short"),
    "cut behind its preview": (cut_behind_its_preview, "cut short"),
    "half a progressive jpeg": (
        lambda: noise(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)[:3000],
        "cut short",
    ),
    "half a jpeg and a comment with an end": (
        lambda: noise(".jpg")[:3000] + comment(b"no end: \xff\xd9."),
        "cut short",
    ),
    "half a jpeg and half a comment": (
        lambda: noise(".jpg")[:3000] + comment(b"no end: \xff\xd9.")[:-2],
        "cut short",
    ),
    "half a length": (lambda: noise(".jpg")[:-2] + b"\xff\xda\0", "cut short"),
    "jpeg without a scan": (lambda: noise(".jpg").split(b"\xff\xc4")[0], "cut short"),
    "start of a jpeg": (lambda: noise(".jpg")[:20], "header"),
    "half a png": (lambda: encode(".png")[:-60], "cut short"),
    "damaged png": (flipped_byte, "checksum"),
    "start of a png": (lambda: encode(".png")[:20], "header"),
    "half a webp": (lambda: noise(".webp")[:-4000], "damaged"),
    "start of a gif": (lambda: GIF[:8], "header"),
    "half a tiff": (lambda: noise(".tiff")[:-9000], "damaged|header"),
    "no size": (
        lambda: (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 4, 8, 2, 0, 0, 0))
            + chunk(b"IEND", b"")
        ),
        "header",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures_give_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, word = BROKEN[name]
    path = tmp_path / "broken.jpg"
    path.write_bytes(make())
    with pytest.raises(ImageError, match=rf"^broken\.jpg: .*({word})") as caught:
        decode(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("restart", [0, 2])
def test_what_follows_a_jpeg_is_not_looked_at(
    progressive: int, restart: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Moving photos carry a film, stereo photos a second picture, behind the first."""
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart)
    whole = noise(".jpg", *options)
    film = b"\0\0\0\x18ftypmp42" + bytes(12) + b"\0\0\x40\0mdat" + b"\x7f\xff\xda\0\x0c" * 9
    for tail in (film, noise(".jpg")[:3000], b"\xff"):
        assert np.array_equal(decode(whole + tail), decode(whole))
    assert capfd.readouterr() == ("", "")


def test_libpng_has_nothing_to_warn_about(capfd: pytest.CaptureFixture[str]) -> None:
    png = with_chunk(encode(".png"), b"iCCP", b"broken\0\0" + zlib.compress(b"no profile"))
    assert np.array_equal(decode(png), gradient())
    assert capfd.readouterr() == ("", "")
    cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert "iCCP" in capfd.readouterr().err  # else this test shows nothing


def bomb() -> bytes:
    """A few bytes that claim 40,000 x 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 30_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageError, match="40,000 x 30,000 pixels"):
        decode(bomb())


@pytest.mark.parametrize(("most", "factor"), [(5400, 1), (5399, 2), (1350, 2), (400, 4), (100, 8)])
def test_large_jpegs_are_reduced(most: int, factor: int) -> None:
    for way, size in ((1, (90, 60)), (6, (60, 90))):
        picture = read_picture(turned_jpeg(way), max_pixels=most)
        assert (picture.width, picture.height) == size
        assert picture.rgb.shape[:2] == (-(-size[1] // factor), -(-size[0] // factor))
        assert picture.scale == pytest.approx(factor, rel=0.1)
        small = cv2.resize(upright(gradient(), way), picture.rgb.shape[1::-1], interpolation=3)
        assert np.abs(picture.rgb.astype(int) - small).mean() < 6


@pytest.mark.parametrize(("enough", "factor"), [(1351, 1), (1350, 2), (338, 2), (337, 4), (1, 8)])
def test_jpegs_keep_as_many_pixels_as_are_enough(enough: int, factor: int) -> None:
    picture = read_picture(turned_jpeg(6), enough=enough)  # 90 x 60, shown upright
    assert (picture.width, picture.height) == (60, 90)
    assert picture.rgb.shape[:2] == (-(-90 // factor), -(-60 // factor))
    assert read_picture(encode(".png"), enough=1).rgb.shape == (60, 90, 3)


@pytest.mark.parametrize("way", [1, 3, 6, 8])
@pytest.mark.parametrize("size", [(90, 89), (89, 90), (90, 90)])
def test_nearly_square_jpegs_keep_their_sides(size: tuple[int, int], way: int) -> None:
    data, exif_block = io.BytesIO(), Image.Exif()
    exif_block[274] = way
    Image.new("RGB", size).save(data, "JPEG", exif=exif_block)
    picture = read_picture(data.getvalue(), enough=1)  # 12 x 12
    assert (picture.width, picture.height) == (size if way < 5 else size[::-1])


def test_memory_counts_where_more_pixels_would_be_enough() -> None:
    assert read_picture(turned_jpeg(1), max_pixels=1350, enough=5400).rgb.shape == (30, 45, 3)


def test_what_cannot_be_reduced_is_refused() -> None:
    progressive = encode(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    for data in (encode(".png"), progressive, turned_jpeg(1)):
        with pytest.raises(
            ImageError, match=r"90 x 60 pixels, more than the 84 .* make it smaller"
        ):
            decode(data, max_pixels=84)
    assert decode(progressive, max_pixels=2700).shape == (30, 45, 3)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match=r"folder\.jpg: is a folder"):
        decode(tmp_path / "folder.jpg")
    with pytest.raises(ImageError, match=r"none\.jpg: cannot be read \(No such file"):
        decode(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        decode(tmp_path / "zero\0byte.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="regular file"):
        decode(tmp_path / "pipe.jpg")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "closed.jpg"
    path.write_bytes(encode(".jpg"))

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(image_module, "read_regular", refuse)  # root may read anything
    with pytest.raises(ImageError, match=r"closed\.jpg: cannot be read \(Permission denied\)"):
        decode(path)


def test_a_name_that_is_no_text_still_gives_a_message(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    with pytest.raises(ImageError) as caught:
        decode(path)
    str(caught.value).encode("utf-8")


def test_any_damage_gives_a_picture_or_an_image_error() -> None:
    rng = np.random.default_rng(3)
    whole = [noise(".jpg"), encode(".png"), encode(".webp"), encode(".tiff"), encode(".bmp"), GIF]
    refused = 0
    for data in whole:
        for _ in range(40):
            bad = bytearray(data[: rng.integers(1, len(data) + 1)])
            for place in rng.integers(0, len(bad), 3):
                bad[place] = rng.integers(0, 256)
            try:
                image = decode(bytes(bad))
            except ImageError:
                refused += 1
            else:
                assert image.dtype == np.uint8
                assert image.ndim == 3
                assert image.shape[2] == 3
    assert refused > 60


def by_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(way: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = way
    return exif


@pytest.mark.parametrize("way", range(1, 9))
@pytest.mark.parametrize("kind", ["AVIF", "HEIF", "TIFF", "WEBP", "PNG"])
def test_every_format_is_turned_once(kind: str, way: int) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="it comes with the extra heic")
        import pillow_heif

        pillow_heif.register_heif_opener()
    options = {"quality": 95} if kind in ("AVIF", "HEIF", "WEBP") else {}
    data = by_pillow(Image.fromarray(gradient()), kind, exif=turned(way).tobytes(), **options)
    image, wanted = decode(data), upright(gradient(), way)
    assert image.shape == wanted.shape
    assert np.abs(image.astype(int) - wanted).mean() < 6


def test_see_through_avif_is_laid_on_white() -> None:
    image = decode(by_pillow(Image.fromarray(see_through()), "AVIF", quality=95))
    assert np.abs(image.astype(int) - on_white()).mean() < 6
    assert (image[:, 50:] > 250).all()


def test_heic_without_its_reader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pip install .*\[heic\]"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_of_grey_are_scaled_and_not_cut(kind: str) -> None:
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    image = decode(by_pillow(Image.fromarray(deep), kind))
    assert np.array_equal(image[..., 0].ravel(), np.arange(256))


def test_what_has_no_eight_bits_is_refused() -> None:
    data = by_pillow(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF")
    with pytest.raises(ImageError, match="float32: save it with 8 or 16 bits"):
        decode(data)


def test_the_first_picture_of_several_counts() -> None:
    for kind in ("PNG", "MPO", "TIFF", "WEBP", "AVIF"):
        first, second = (Image.new("RGB", (16, 8), c) for c in (RED, BLUE))
        both = {"save_all": True, "append_images": [second]}
        options = {} if kind in ("PNG", "TIFF", "MPO") else {"quality": 100}
        image = decode(by_pillow(first, kind, **both, **options))
        assert image.shape == (8, 16, 3)
        assert np.abs(image.astype(int) - RED).max() < 12, format


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr"])
def test_every_mode_of_a_tiff_becomes_rgb(mode: str) -> None:
    picture = Image.new("RGB", (16, 8), (255, 255, 255))
    picture.paste((0, 0, 0), (0, 0, 8, 8))
    data = by_pillow(picture.convert(mode), "PNG" if mode in ("P", "LA") else "TIFF")
    image = decode(data)
    assert image.dtype == np.uint8 and image.shape == (8, 16, 3)
    assert image[:, :8].max() < 8 and image[:, 8:].min() > 247


JPEGS = {
    "baseline": (),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
}


@pytest.mark.parametrize("options", JPEGS.values(), ids=list(JPEGS))
def test_a_jpeg_without_its_end_marker_is_whole(options: tuple[int, ...]) -> None:
    whole = noise(".jpg", *options)
    assert whole[-2:] == b"\xff\xd9"
    for left in (whole[:-2], whole[:-1]):
        assert np.array_equal(decode(left), decode(whole))


@pytest.mark.parametrize("options", JPEGS.values(), ids=list(JPEGS))
def test_a_jpeg_cut_in_its_scan_is_refused(options: tuple[int, ...]) -> None:
    whole = noise(".jpg", *options)
    start = whole.rindex(b"\xff\xda") + 16
    places = [*range(len(whole) - 12, len(whole) - 3), *range(start, len(whole) - 12, 97)]
    for end in places:
        if whole[end - 1] == 0xFF:  # half of a stuffed byte
            continue
        with pytest.raises(ImageError, match="cut short"):
            decode(whole[:end])


def test_millions_of_pieces_end_in_a_line() -> None:
    """Each was half a minute in a loop of ours, or would be in one of Pillow's."""
    jpeg, png = noise(".jpg"), encode(".png")
    for data in (
        jpeg[:2] + comment(b"") * 3_000_000 + jpeg[2:],
        b"\xff\xd8" + b"\xff" * 20_000_000 + jpeg[2:],
        b"\xff\xd8\xff" + b"\0" * 20_000_000,
        png[:33] + chunk(b"tEXt", b"") * 2_000_000 + png[33:],
        GIF[:19] + b"!\xfe\0" * 3_000_000 + GIF[19:],
    ):
        begun = time.process_time()
        with contextlib.suppress(ImageError):
            decode(data)
        assert time.process_time() - begun < 10


def test_a_thousand_scans_of_a_large_picture_are_refused() -> None:
    whole = encode(".jpg", np.zeros((3000, 3000), np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    at = whole.rindex(b"\xff\xda")
    scan = whole[at:-2]
    with pytest.raises(ImageError, match="scans or more"):
        decode(whole[:-2] + scan * 400 + b"\xff\xd9")


def test_a_text_before_the_header_does_not_hide_the_size() -> None:
    """The size stands in IHDR, wherever that is; a tEXt before it may hold another."""
    data = bomb()
    lead = chunk(b"tEXt", struct.pack(">II", 10, 10) + b"\x08\x02")
    with pytest.raises(ImageError, match=r"40,000 x 30,000|header"):
        decode(data[:8] + lead + data[8:])
    with pytest.raises(ImageError):
        decode(b"P4 #\r20000 20000 #\n10 10\n" + bytes(2500 * 20))


def test_broken_exif_loses_no_picture_and_says_nothing(recwarn: Any) -> None:
    data, body = encode(".jpg"), b"Exif\0\0" + exif(6)[:-9]
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    assert decode(data).shape in ((60, 90, 3), (90, 60, 3))
    assert not recwarn


def test_threads_decode_side_by_side() -> None:
    data = [turned_jpeg(way) for way in range(1, 9)] * 8
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(decode, data))
    for one, image in zip(data, images, strict=True):
        assert np.array_equal(image, decode(one))
