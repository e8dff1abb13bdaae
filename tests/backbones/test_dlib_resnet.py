"""dlib's network: its file is read and checked, its layers are what dlib computes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from facekit.backbones.dlib_resnet import LEVELS, SIDE, SIZE, read_file
from facekit.errors import RecipeError


def integer(number: int) -> bytes:
    size = max(1, math.ceil(number.bit_length() / 8))
    return bytes([size]) + number.to_bytes(size, "little")


def tensor(values: np.ndarray) -> bytes:
    sizes = [*values.shape, 1, 1, 1][:4]
    return b"".join(map(integer, (2, *sizes))) + values.astype("<f4").tobytes()


def layers() -> list[tuple[int, int, int]]:
    """Inputs, outputs and size of every convolution."""
    found, inputs = [(3, 32, 7)], 32
    for width, count in LEVELS:
        for _ in range(2 * count):
            found.append((inputs, width, 3))
            inputs = width
    return found


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A file of dlib with weights that were drawn."""
    rng = np.random.default_rng(0)
    parts = [b"\x01\x01\x15input_rgb_image_sized"]
    for inputs, outputs, size in layers():
        n = inputs * size**2
        kernel = rng.normal(size=outputs * n, scale=1 / math.sqrt(n))
        values = np.concatenate([kernel, rng.normal(size=outputs, scale=0.1)])
        parts += [b"\x01\x05con_4", tensor(values), integer(outputs)]
        gains = np.concatenate([rng.uniform(0.5, 1, outputs), rng.normal(size=outputs, scale=0.1)])
        parts += [b"\x01\x07affine_", tensor(gains), b"\x01\x05relu_"]
    weight = rng.normal(size=(256, SIZE), scale=1 / 16)
    return b"".join([*parts, b"\x01\x04fc_2", integer(SIZE), integer(256), tensor(weight)])


@pytest.fixture(scope="module")
def file(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dlib") / "model.dat"
    path.write_bytes(whole)
    return path


def test_every_layer_is_read_and_folded(file: Path) -> None:
    found = read_file(file)
    assert list(found)[:3] == ["stem", "level0_block0_conv1", "level0_block0_conv2"]
    assert list(found)[-2:] == ["level4_block0_conv2", "identity"] and len(found) == 30
    for (inputs, outputs, size), (kernel, bias) in zip(layers(), found.values(), strict=False):
        assert (kernel.shape, bias.shape) == ((size, size, inputs, outputs), (outputs,))
    assert found["identity"][0].shape == (1024, SIZE)


@pytest.mark.parametrize("damage", ["short", "a layer", "sizes", "nan", "empty", "other"])
def test_what_is_no_such_file_is_refused(whole: bytes, tmp_path: Path, damage: str) -> None:
    sizes = whole.index(b"con_4") + 8
    data = {
        "short": whole[:-100],
        "a layer": whole.replace(b"affine_", b"affinE_", 1),
        "sizes": whole[:sizes] + b"\xff" + whole[sizes + 1 :],
        "nan": whole[: sizes + 60] + b"\xff" * 8 + whole[sizes + 68 :],
        "empty": b"",
        "other": b"\x89HDF" + bytes(1000),
    }[damage]
    path = tmp_path / "model.dat"
    path.write_bytes(data)
    with pytest.raises(RecipeError, match=r"model.dat.*face_recognition_models") as caught:
        read_file(path)
    assert "\n" not in str(caught.value)


def reference(crop: np.ndarray, found: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The network as dlib computes it, written down once more with OpenCV's plain loops."""
    x = (crop.astype(np.float64) - (122.782, 117.001, 104.298)) / 256
    x = np.maximum(convolved(x, *found["stem"], 2, 0), 0)
    x = pooled(x, 3, np.max)
    for level, (width, count) in enumerate(LEVELS):
        for block in range(count):
            down, name = level > 0 and block == 0, f"level{level}_block{block}"
            y = convolved(x, *found[f"{name}_conv1"], 2 if down else 1, 0 if down else 1)
            y = convolved(np.maximum(y, 0), *found[f"{name}_conv2"], 1, 1)
            skip = pooled(x, 2, np.mean) if down else x
            side = max(len(skip), len(y))
            out = np.zeros((side, side, width))
            out[: len(y), : len(y)] += y
            out[: len(skip), : len(skip), : skip.shape[2]] += skip
            x = np.maximum(out, 0)
    return x


def windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    seen = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))
    return seen[::stride, ::stride]


def convolved(x: np.ndarray, k: np.ndarray, b: np.ndarray, stride: int, pad: int) -> np.ndarray:
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    return np.einsum("ijcab,abco->ijo", windows(padded, len(k), stride), k, optimize=True) + b


def pooled(x: np.ndarray, size: int, how: type[np.ndarray] | object) -> np.ndarray:
    return how(windows(x, size, 2), axis=(3, 4))  # type: ignore[operator, no-any-return]


@pytest.mark.tf
@pytest.mark.slow
def test_the_network_is_dlibs(file: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: extra train")
    from facekit.backbones.catalog import build_backbone
    from facekit.backbones.weights import load_weights
    from facekit.bundle.onnx import to_onnx
    from facekit.bundle.session import OnnxBackbone
    from facekit.recipe.schema import BackboneSpec

    spec = BackboneSpec(family="dlib-resnet", weights=str(file), dropout=0.0, identity_size=SIZE)
    model = build_backbone(spec, SIDE)
    load_weights(model, spec)
    crop = np.random.default_rng(1).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    found = read_file(file)
    grid = reference(crop[0], found)
    assert grid.shape == (2, 2, 256)
    parts = OnnxBackbone(to_onnx(model, half=False)).embed(crop)
    np.testing.assert_allclose(parts["grid"][0], grid, atol=2e-4)
    wanted = grid.mean((0, 1)) @ (4 * found["identity"][0][:256])
    np.testing.assert_allclose(parts["identity"][0], wanted, atol=2e-4)
