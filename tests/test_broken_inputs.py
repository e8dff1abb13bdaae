"""The broken input set: one record each, and nothing else is lost."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.predict import FaceModel, load

WIDTH, HEIGHT = 120, 80


def drawing() -> np.ndarray:
    """A blue picture with a red top left corner, RGB."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:] = (20, 40, 200)
    rgb[:20, :30] = (220, 20, 20)
    return rgb


def encoded(suffix: str, rgb: np.ndarray | None = None) -> bytes:
    image = drawing() if rgb is None else rgb
    done, data = cv2.imencode(suffix, image[:, :, ::-1])
    assert done
    return data.tobytes()


def turned() -> bytes:
    """A JPEG that says in EXIF: turn me 90 degrees clockwise."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    body = b"Exif\0\0" + tiff
    data = encoded(".jpg")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def cmyk() -> bytes:
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the CMYK JPEG")
    from io import BytesIO

    buffer = BytesIO()
    image.fromarray(drawing()).convert("CMYK").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def animated(folder: Path) -> bytes:
    animation = cv2.Animation()
    animation.frames = [drawing()[:, :, ::-1], np.zeros((HEIGHT, WIDTH, 3), np.uint8)]
    animation.durations = np.array([100, 100])
    path = folder / "made.gif"
    assert cv2.imwriteanimation(str(path), animation)
    data = path.read_bytes()
    path.unlink()
    return data


def sixteen_bit() -> bytes:
    done, data = cv2.imencode(".png", drawing()[:, :, ::-1].astype(np.uint16) * 257)
    assert done
    return data.tobytes()


def transparent() -> bytes:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    done, data = cv2.imencode(".png", np.concatenate([drawing()[:, :, ::-1], alpha], axis=2))
    assert done
    return data.tobytes()


#: Bytes that are a picture all the same, with the size to be reported.
READABLE: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "plain.jpg": (lambda: encoded(".jpg"), (WIDTH, HEIGHT)),
    "one-pixel.png": (lambda: encoded(".png", np.full((1, 1, 3), 9, np.uint8)), (1, 1)),
    "sixteen-bit.png": (sixteen_bit, (WIDTH, HEIGHT)),
    "cmyk.jpg": (cmyk, (WIDTH, HEIGHT)),
    "rgba.png": (transparent, (WIDTH, HEIGHT)),
    "turned.jpg": (turned, (HEIGHT, WIDTH)),
    "wrong-suffix.txt": (lambda: encoded(".png"), (WIDTH, HEIGHT)),
    "写真 ñ é 🙂.jpg": (lambda: encoded(".jpg"), (WIDTH, HEIGHT)),
}
#: Bytes that are no picture.
UNREADABLE: dict[str, Callable[[], bytes]] = {
    "empty.jpg": lambda: b"",
    "text.jpg": lambda: b"Dear diary, today I was renamed.\n" * 40,
    "header-only.jpg": lambda: encoded(".jpg")[:20],
    "half.png": lambda: encoded(".png")[:40],
}


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> FaceModel:
    return load(tiny_bundle, detector="none")


@pytest.mark.parametrize("name", READABLE)
def test_odd_pictures_give_the_right_answer(name: str, model: FaceModel, tmp_path: Path) -> None:
    make, size = READABLE[name]
    (tmp_path / name).write_bytes(make())
    record = model.analyze(tmp_path / name).record()
    assert record["error"] is None
    assert (record["width"], record["height"]) == size
    assert Path(record["path"]).name == name
    assert len(record["faces"]) == 1


@pytest.mark.parametrize("name", ["cmyk.jpg", "sixteen-bit.png", "rgba.png", "turned.jpg"])
def test_their_colours_are_right(name: str, model: FaceModel, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(READABLE[name][0]())
    found = model.analyze(tmp_path / name).faces[0].crop.astype(int)
    plain = drawing() if name != "turned.jpg" else np.rot90(drawing(), -1).copy()
    expected = model.analyze(plain).faces[0].crop
    assert np.abs(found - expected).mean() < 12  # CMYK and JPEG lose a little


@pytest.mark.parametrize("name", UNREADABLE)
def test_broken_pictures_give_one_error(name: str, model: FaceModel, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(UNREADABLE[name]())
    record = model.analyze(tmp_path / name).record()
    assert record["error"]
    assert "\n" not in record["error"]
    assert (record["width"], record["height"], record["faces"]) == (None, None, [])


def test_a_truncated_jpeg_gives_an_error_or_its_size(model: FaceModel, tmp_path: Path) -> None:
    data = encoded(".jpg", np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    record = model.analyze(tmp_path / "cut.jpg").record()
    assert record["error"] or (record["width"], record["height"]) == (300, 200)


def test_an_animation_gives_its_first_frame(model: FaceModel, tmp_path: Path) -> None:
    if not hasattr(cv2, "imwriteanimation"):
        pytest.skip("this OpenCV writes no GIF")
    (tmp_path / "moving.gif").write_bytes(animated(tmp_path))
    analysis = model.analyze(tmp_path / "moving.gif")
    assert analysis.error is None
    assert (analysis.width, analysis.height) == (WIDTH, HEIGHT)
    assert analysis.faces[0].crop[:, :, 2].mean() > 100  # blue; the second frame is black


def test_a_very_wide_picture_is_searched_in_bounded_memory(
    model: FaceModel, tmp_path: Path
) -> None:
    wide = np.zeros((300, 20_000, 3), np.uint8)
    (tmp_path / "wide.jpg").write_bytes(encoded(".jpg", wide))
    record = model.analyze(tmp_path / "wide.jpg").record()
    assert (record["error"], record["width"], record["height"]) == (None, 20_000, 300)


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_file_names_that_are_no_utf8(model: FaceModel, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    try:
        path.write_bytes(encoded(".jpg"))
    except OSError:
        pytest.skip("this file system refuses such names")
    assert model.analyze(path).error is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_permission_is_an_error(model: FaceModel, tmp_path: Path) -> None:
    path = tmp_path / "closed.jpg"
    path.write_bytes(encoded(".jpg"))
    path.chmod(0)
    assert "cannot be read" in str(model.analyze(path).error)


def test_all_of_them_together_lose_nothing(model: FaceModel, tmp_path: Path) -> None:
    made = {name: make for name, (make, _) in READABLE.items() if name != "cmyk.jpg"}
    for name, make in {**made, **UNREADABLE}.items():
        (tmp_path / name).write_bytes(make())
    (tmp_path / "folder.jpg").mkdir()
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "missing.jpg", tmp_path / "plain.jpg"]
    records = [one.record() for one in model.analyze_many(paths)]
    assert [record["path"] for record in records] == [str(path) for path in paths]
    wrong = {Path(record["path"]).name for record in records if record["error"]}
    assert wrong == {*UNREADABLE, "folder.jpg", "missing.jpg"}
    for record in records:
        assert (record["error"] is None) == (len(record["faces"]) == 1)
    alone = model.analyze(tmp_path / "plain.jpg").record()
    assert records[-1]["faces"][0]["box"] == alone["faces"][0]["box"]
    together, single = (r["faces"][0]["attributes"] for r in (records[-1], alone))
    assert together == pytest.approx(single, abs=1e-5)
