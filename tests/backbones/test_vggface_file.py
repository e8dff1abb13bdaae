"""The published weights of VGGFace: read by name and shape, damaged files told apart."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.backbones.vggface import LAYERS, read_file
from facekit.errors import RecipeError

h5py = pytest.importorskip("h5py")


def write(path: Path, change: Callable[[Any], None] = lambda root: None, root: str = "/") -> Path:
    """Zeros, which take no room, under the names that older Keras gave; then a change."""
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        group.attrs["layer_names"] = [name.encode() for name in LAYERS]
        for name, shapes in LAYERS.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            for kind, shape in zip("Wb", shapes, strict=True):
                layer.create_dataset(f"{name}_{kind}_1:0", shape, "f4", chunks=shape)
        change(group)
    return path


def replaced(layer: str, kind: str, **settings: Any) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        name = f"{layer}_{kind}_1:0"
        del root[layer][name]
        root[layer].create_dataset(name, **settings)

    return change


def without(layer: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        root.attrs["layer_names"] = [name.encode() for name in LAYERS if name != layer]

    return change


def with_dense(root: Any) -> None:
    root.attrs["layer_names"] = [name.encode() for name in (*LAYERS, "fc6")]
    group = root.create_group("fc6")
    group.attrs["weight_names"] = [b"W"]
    group.create_dataset("W", (4, 4), "f4")


def unlisted(root: Any) -> None:
    del root.attrs["layer_names"]


def emptied(root: Any) -> None:
    del root["conv3_2"]["conv3_2_b_1:0"]


def regrouped(root: Any) -> None:
    del root["conv3_2"]["conv3_2_b_1:0"]
    root["conv3_2"].create_group("conv3_2_b_1:0")


def test_every_layer_is_read(vggface_file: Path) -> None:
    found = read_file(vggface_file)
    assert list(found) == list(LAYERS) and len(found) == 13
    assert sum(array.size for arrays in found.values() for array in arrays) == 14_714_688
    with h5py.File(vggface_file) as file:
        for name, (kernel, bias) in found.items():
            assert kernel.dtype == bias.dtype == np.float32
            assert np.array_equal(kernel, file[name][name]["kernel:0"])
            assert np.array_equal(bias, file[name][name]["bias:0"])


@pytest.mark.parametrize("root", ["/", "model_weights"])
def test_older_names_and_a_whole_model_do_as_well(root: str, tmp_path: Path) -> None:
    kernel, bias = read_file(write(tmp_path / "old.h5", root=root))["conv5_3"]
    assert kernel.shape == (3, 3, 512, 512) and bias.shape == (512,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced("conv1_2", "W", shape=(64, 64, 3, 3)), "conv1_2 has (64, 64, 3, 3) and (64,)"),
        (replaced("conv5_3", "b", shape=(511,)), "(511,), not (3, 3, 512, 512) and (512,)"),
        (replaced("conv1_1", "b", shape=(64,), dtype="i4"), "conv1_1 holds int32"),
        (replaced("conv1_1", "b", data=np.full(64, np.nan)), "conv1_1 holds numbers that are not"),
        (without("conv4_2"), "(it lacks conv4_2)"),
        (with_dense, "(it has weights of fc6 too)"),
        (unlisted, "has no layer_names: Keras 2 did not write it"),
        (emptied, "conv3_2_b_1:0"),
        (regrouped, "'Group' object has no attribute 'shape'"),
    ],
)
def test_what_does_not_fit_is_one_line(
    change: Callable[[Any], None], words: str, tmp_path: Path
) -> None:
    text = refusal(write(tmp_path / "bad.h5", change))
    assert words in text and "--set backbone.weights=none" in text


def test_other_files_are_told_apart(vggface_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "given.h5"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert "it is a zip archive, as .keras files are" in refusal(path)
    path.write_bytes(pickle.dumps({"conv1_1": Trap()}))
    assert "it is a pickle" in refusal(path)
    path.write_bytes(b"<html>not found</html>")
    assert "it is no HDF5 file" in refusal(path)
    path.write_bytes(b"")
    assert "it is no HDF5 file" in refusal(path)
    path.write_bytes(vggface_file.read_bytes()[:30_000_000])
    assert "truncated" in refusal(path)


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("it was unpickled",)


def refusal(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        read_file(path)
    text = str(caught.value)
    assert "\n" not in text and "rcmalli_vggface_tf_notop_vgg16.h5 (" in text
    return text
