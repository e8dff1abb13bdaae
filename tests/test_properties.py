"""What holds for every file: readers give back what was written, or one line."""

from __future__ import annotations

import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("hypothesis", reason="hypothesis is not installed: it comes with the extra dev")
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from facekit.bundle.load import shipped_folder
from facekit.bundle.manifest import MANIFEST, read_manifest, seal, unseal
from facekit.errors import BundleError, FacekitError, ImageError, RecipeError
from facekit.heads.arrays import pack, unpack
from facekit.heads.kinds import LinearHead, load_head
from facekit.photos.image import picture_size, read_picture, taken_at
from facekit.recipe.load import load_recipe
from facekit.recipe.toml import parse_toml, read_toml

quick = settings(
    max_examples=80, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")
KINDS = ("b1", "u1", "i4", "i8", "f2", "f4", "f8", "U5", "S3", ">f4")
ARRAYS = st.dictionaries(
    st.text("abcdefgh/._é", min_size=1, max_size=8).filter(lambda name: not name.endswith(".npy")),
    st.sampled_from(KINDS).flatmap(
        lambda kind: npst.arrays(kind, npst.array_shapes(min_dims=0, max_dims=3, max_side=4))
    ),
    max_size=5,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    kind = draw(st.sampled_from(FORMATS))
    channels = draw(
        st.sampled_from([1, 3, 4] if kind in ("PNG", "WEBP", "TIFF", "AVIF") else [1, 3])
    )
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pixels = rng.integers(0, 256, (*size, channels), np.uint8)
    return kind, pixels[..., 0] if channels == 1 else pixels


def encoded(kind: str, pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@quick
@given(pictures())
def test_every_picture_has_its_size_and_lossless_ones_their_pixels(made: tuple[str, Any]) -> None:
    kind, pixels = made
    data = encoded(kind, pixels)
    picture = read_picture(data)
    height, width = pixels.shape[:2]
    assert (picture.width, picture.height) == picture_size(data) == (width, height)
    assert picture.rgb.shape == (height, width, 3) and picture.rgb.dtype == np.uint8
    assert picture.rgb.flags.c_contiguous and picture.rgb.flags.writeable
    if kind in ("PNG", "TIFF", "BMP", "PPM") and pixels.shape[2:] != (4,):
        same = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
        assert np.array_equal(picture.rgb, same)


@quick
@given(pictures(), st.integers(0), st.integers(0), st.binary(max_size=20))
def test_a_damaged_picture_is_a_picture_or_one_line(
    made: tuple[str, Any], at: int, removed: int, new: bytes
) -> None:
    data = encoded(*made)
    start = at % len(data)
    broken = data[:start] + new + data[start + removed % 30 :]
    assert taken_at(broken) is None
    try:
        assert read_picture(broken, max_pixels=1_000_000).rgb.size <= 3_000_000
    except ImageError as error:
        assert "\n" not in str(error) and len(str(error)) < 300


@quick
@given(pictures(), st.integers(1, 400))
def test_no_picture_is_larger_than_what_was_allowed(made: tuple[str, Any], most: int) -> None:
    try:
        rgb = read_picture(encoded(*made), max_pixels=most).rgb
    except ImageError as error:
        assert "pixels" in str(error)
    else:  # a reduced side is rounded up
        assert rgb.shape[0] * rgb.shape[1] <= max(most, made[1].shape[0] * made[1].shape[1]) + 80


@quick
@given(st.binary(max_size=300))
def test_bytes_that_are_anything_are_refused_by_every_reader(data: bytes) -> None:
    for read, error in (
        (read_picture, ImageError),
        (unpack, BundleError),
        (load_head, BundleError),
    ):
        with pytest.raises(error) as caught:
            read(data)  # type: ignore[operator]
        assert "\n" not in str(caught.value)


@quick
@given(ARRAYS)
def test_arrays_come_back_as_they_were(arrays: dict[str, Any]) -> None:
    for whole in (pack(arrays), saved(arrays)):
        back = unpack(whole)
        assert list(back) == list(arrays)
        for name, array in arrays.items():
            assert back[name].dtype == array.dtype and back[name].shape == array.shape
            assert back[name].tobytes() == array.tobytes() and back[name].flags.writeable


def saved(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: array for name, array in arrays.items() if name != "file"})
    return buffer.getvalue() if "file" not in arrays else pack(arrays)


@quick
@given(ARRAYS, st.integers(0), st.binary(min_size=1, max_size=8))
def test_damaged_arrays_are_the_same_or_one_line(
    arrays: dict[str, Any], at: int, new: bytes
) -> None:
    whole = pack(arrays)
    start = at % len(whole)
    try:
        back = unpack(whole[:start] + new + whole[start + len(new) :], "the head")
    except BundleError as error:
        assert "\n" not in str(error) and "the head" in str(error)
    else:  # names and dates have no checksum
        assert {a.tobytes() for a in back.values()} <= {a.tobytes() for a in arrays.values()}


@quick
@given(
    st.sampled_from(("weight", "bias", "labels", "parts", "kind", "activation", "mean", "scale")),
    st.sampled_from(KINDS).flatmap(
        lambda kind: npst.arrays(kind, npst.array_shapes(min_dims=0, max_side=3))
    ),
)
def test_a_head_with_another_array_is_a_head_or_one_line(name: str, other: Any) -> None:
    whole = LinearHead(
        parts=("a",),
        labels=("x",),
        weight=np.ones((2, 1), np.float32),
        bias=np.zeros(1, np.float32),
    )
    arrays = {**unpack(whole.to_bytes()), name: other}
    try:
        head = load_head(pack(arrays))
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        width, count = head.sizes
        assert len(head.labels) == count
        if len(head.parts) == 1:
            scores = head.scores({head.parts[0]: np.ones((2, width), np.float32)})
            assert scores.shape == (2, count) and np.isfinite(scores).all()


@quick
@given(st.dictionaries(st.text(max_size=8).filter(lambda key: key != "sha256"), VALUES, max_size=6))
def test_what_is_sealed_comes_back_and_a_change_is_seen(record: dict[str, Any]) -> None:
    text = seal(record).encode("utf-8", "surrogatepass")
    assert unseal(text) == (record, True)
    assert unseal(text.replace(b"{", b"{ ", 1))[1] is False


SHIPPED = json.loads((shipped_folder() / "celeba-compact" / MANIFEST).read_text("utf-8"))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@quick
@given(st.sampled_from(places({k: v for k, v in SHIPPED.items() if k != "sha256"})[1:]), VALUES)
def test_a_manifest_with_another_value_is_one_or_one_line(
    place: tuple[Any, ...], value: Any
) -> None:
    record = json.loads(json.dumps({key: one for key, one in SHIPPED.items() if key != "sha256"}))
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(seal(record).encode("utf-8", "surrogatepass"))
        try:
            manifest = read_manifest(Path(folder))
        except BundleError as error:
            assert "\n" not in str(error)
        else:
            assert all(map(math.isfinite, (manifest.frame.eye_y, manifest.frame.eye_distance)))


KEYS = st.text("abcdefgh.-_ 'é\"", max_size=30) | st.sampled_from(
    ("name", "kind", "training.epochs", "optimizer.learning_rate", "data.validation", "augment")
)


@quick
@given(KEYS, st.text(max_size=40) | st.integers().map(str) | st.floats().map(str))
def test_an_override_is_taken_or_refused_in_one_line(key: str, value: str) -> None:
    try:
        load_recipe("fer-frozen", [f"{key}={value}"])
    except RecipeError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000


@quick
@given(st.text(max_size=200))
def test_a_text_is_a_recipe_or_one_line(text: str) -> None:
    assume(not any("\ud800" <= letter <= "\udfff" for letter in text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.toml"
        path.write_text(text, encoding="utf-8")
        try:
            read_toml(path)
            load_recipe(path)
        except FacekitError as error:
            assert "\n" not in str(error)


@quick
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(-(2**63), 2**63 - 1)))
def test_numbers_of_toml_come_back(table: dict[str, int]) -> None:
    assert parse_toml("".join(f"{key} = {value}\n" for key, value in table.items())) == table
