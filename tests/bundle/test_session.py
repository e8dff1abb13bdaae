"""The backbone in ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from facekit.bundle.session import BATCH, OnnxBackbone
from facekit.errors import BundleError, UsageError
from facekit.system.pool import cores

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def backbone(tiny_onnx: bytes) -> OnnxBackbone:
    return OnnxBackbone(tiny_onnx)


def crops(n: int) -> np.ndarray:
    return RNG.integers(0, 256, size=(n, 40, 40, 3), dtype=np.uint8)


def test_parts_have_names_and_shapes(backbone: OnnxBackbone) -> None:
    assert backbone.side == 40
    assert backbone.parts == {
        "pooled": (3,),
        "grid": (4, 4, 3),
        "grid_mid": (4, 4, 4),
        "identity": (8,),
    }


@pytest.mark.parametrize("n", [0, 1, BATCH, 2 * BATCH + 3])
def test_batches_change_nothing(backbone: OnnxBackbone, n: int) -> None:
    images = crops(n)
    found = backbone.embed(images)
    cells = images.reshape(n, 4, 10, 4, 10, 3).mean(axis=(2, 4)) / 255
    assert {k: v.dtype for k, v in found.items()} == dict.fromkeys(backbone.parts, np.float32)
    np.testing.assert_allclose(found["grid"], cells, atol=1e-5)
    np.testing.assert_allclose(found["pooled"], cells.mean(axis=(1, 2)), atol=1e-5)
    assert found["identity"].shape == (n, 8)


def test_only_the_parts_asked_for(backbone: OnnxBackbone) -> None:
    images = crops(3)
    found = backbone.embed(images, ["identity", "pooled"])
    assert list(found) == ["identity", "pooled"]
    np.testing.assert_array_equal(found["pooled"], backbone.embed(images)["pooled"])
    assert backbone.embed(images, []) == {}
    with pytest.raises(BundleError, match="no part 'pool': the backbone has pooled, grid"):
        backbone.embed(images, ["pool"])


def test_views_that_are_not_contiguous_are_read_right(backbone: OnnxBackbone) -> None:
    images = crops(5)
    mirrored = backbone.embed(images[::2, :, ::-1], ["grid"])["grid"]
    np.testing.assert_allclose(mirrored[:, :, ::-1], backbone.embed(images[::2])["grid"], atol=1e-6)


@pytest.mark.parametrize(
    "bad", [np.zeros((1, 40, 40, 3)), np.zeros((1, 39, 40, 3), np.uint8), np.zeros(3, np.uint8)]
)
def test_other_crops_are_refused_in_one_line(backbone: OnnxBackbone, bad: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"needed is uint8 of shape \(n, 40, 40, 3\)") as caught:
        backbone.embed(bad)
    assert "\n" not in str(caught.value)


def test_other_graphs_are_refused(tiny_onnx: bytes) -> None:
    with pytest.raises(BundleError, match="no graph that ONNX Runtime can run") as caught:
        OnnxBackbone(b"text", name="backbone.onnx")
    assert "\n" not in str(caught.value)
    with pytest.raises(BundleError, match="needed is crops, uint8"):
        OnnxBackbone(tiny_onnx.replace(b"crops", b"faces"))


def test_nothing_is_printed(tiny_onnx: bytes) -> None:
    code = (
        "import sys, numpy as np\n"
        "from facekit.bundle.session import OnnxBackbone\n"
        "from facekit.errors import BundleError\n"
        "data = sys.stdin.buffer.read()\n"
        "OnnxBackbone(data).embed(np.zeros((1, 40, 40, 3), np.uint8))\n"
        "try: OnnxBackbone(data[:200])\n"
        "except BundleError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=tiny_onnx, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_at_least_one_core() -> None:
    assert cores() >= 1
