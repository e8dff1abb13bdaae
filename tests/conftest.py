"""Fixtures that every room uses."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents
    from facekit.heads.head import Head

ROOT = Path(__file__).resolve().parents[1]
#: What tests with a mark need, and where it comes from.
NEEDED = {
    "tf": (("tensorflow", "keras"), "it comes with the extra train"),
    "jax": (("jax", "keras", "onnx"), "pip install 'facekit-transfer[jax]'"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a mark are skipped, with the reason, where what they need is missing."""
    for mark, (names, source) in NEEDED.items():
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        for item in items if missing else ():
            if item.get_closest_marker(mark):
                reason = f"{missing[0]} is not installed: {source}"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test ever sees or changes the home of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(tmp_path_factory.mktemp("facekit-home")))
        patch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
        yield


@pytest.fixture(autouse=True)
def _messages() -> Iterator[None]:
    """What is told is on standard error, as on the command line, and in ``caplog``."""
    from facekit.system.terminal import show_messages

    show_messages()
    logging.getLogger("facekit").propagate = True
    yield


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """A test that reaches for the network fails."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test tried to connect to {address}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture
def facekit_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh, empty FACEKIT_HOME."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("FACEKIT_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def cartoon_celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cartoon CelebA in the official layout; read only."""
    from facekit.cartoon import draw_celeba

    return draw_celeba(tmp_path_factory.mktemp("cartoon") / "celeba", people=12, photos=5, seed=7)


@pytest.fixture(scope="session")
def cartoon_fer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of a small cartoon FER-2013, 8 train and 3 test each; read only."""
    import cv2

    from facekit.cartoon import draw_face, make_person
    from facekit.labels import EMOTIONS

    folder = tmp_path_factory.mktemp("cartoon") / "fer2013"
    for number in range(11):
        for label, emotion in enumerate(EMOTIONS):
            rng = np.random.default_rng([label, number])
            face = draw_face(make_person(4, number), emotion, rng, (48, 48), aligned="fer")[0]
            path = folder / ("train" if number < 8 else "test") / emotion / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; the test is skipped where there is none."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("FACEKIT_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: set FACEKIT_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_onnx() -> bytes:
    """A small real backbone for 40 px crops, made without TensorFlow.

    "grid" is the mean colour of every 10 px cell in [0, 1], "grid_mid" a random
    1x1 convolution of it with ReLU, "pooled" the mean colour of the crop, and
    "identity" a random projection of the grid.
    """
    onnx = pytest.importorskip(
        "onnx", reason="onnx is not installed: it comes with the extras dev and train"
    )
    rng = np.random.default_rng(0)
    constants = {
        "scale": np.float32(1 / 255),
        "kernel": rng.normal(size=(4, 3, 1, 1)).astype(np.float32),
        "matrix": rng.normal(size=(48, 8)).astype(np.float32),
    }
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["crops"], ["float"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["float", "scale"], ["unit"]),
        node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        node("AveragePool", ["planes"], ["cells"], kernel_shape=[10, 10], strides=[10, 10]),
        node("Transpose", ["cells"], ["grid"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["grid"], ["pooled"], axes=[1, 2], keepdims=0),
        node("Conv", ["cells", "kernel"], ["mixed"]),
        node("Relu", ["mixed"], ["positive"]),
        node("Transpose", ["positive"], ["grid_mid"], perm=[0, 2, 3, 1]),
        node("Flatten", ["grid"], ["flat"]),
        node("MatMul", ["flat", "matrix"], ["identity"]),
    ]
    shapes = {"pooled": [3], "grid": [4, 4, 3], "grid_mid": [4, 4, 4], "identity": [8]}
    info, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "tiny",
        [info("crops", onnx.TensorProto.UINT8, ["n", 40, 40, 3])],
        [info(name, real, ["n", *shape]) for name, shape in shapes.items()],
        [onnx.numpy_helper.from_array(np.asarray(a), k) for k, a in constants.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def tiny_contents(tiny_onnx: bytes) -> BundleContents:
    """A bundle's contents with "attributes" and "points" heads on the tiny backbone.

    The first attribute is likely in red crops and unlikely in blue ones; the
    points are those of a typical face, wherever the face is.
    """
    from facekit.bundle.write import BundleContents
    from facekit.frame import FaceFrame
    from facekit.heads.kinds import LinearHead
    from facekit.labels import ATTRIBUTES

    frame = FaceFrame(side=40)
    weight = np.random.default_rng(1).normal(size=(3, 40))
    weight[:, 0] = (8, 0, -8)
    names = tuple(f"{axis}{i}" for i in range(5) for axis in "xy")
    attributes = LinearHead(parts=("pooled",), labels=ATTRIBUTES, weight=weight, bias=np.zeros(40))
    points = LinearHead(
        parts=("pooled",),
        labels=names,
        weight=np.zeros((3, 10)),
        bias=frame.points().ravel() / frame.side,
        activation="none",
    )
    return BundleContents(
        name="tiny",
        version="1",
        frame=frame,
        onnx=tiny_onnx,
        family="tiny",
        config={"cells": 4},
        parameters=396,
        macs=576,
        heads={"attributes": attributes, "points": points},
        data_licences={"cartoon": "drawn by facekit, no licence needed"},
        card="# tiny\n",
    )


@pytest.fixture(scope="session")
def tiny_bundle(tiny_contents: BundleContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small bundle; read only."""
    from facekit.bundle.write import write_bundle

    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny", tiny_contents).folder


@pytest.fixture(scope="session")
def vggface_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random VGGFace weights in the layout that keras-vggface publishes; read only."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed: it comes with Keras")
    from facekit.backbones.vggface import LAYERS, NAME

    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("vggface") / NAME
    with h5py.File(path, "w") as file:
        empty = ["input_1", *(f"pool{block}" for block in range(1, 6))]
        file.attrs["layer_names"] = [name.encode() for name in (*empty, *LAYERS)]
        for name in empty:
            file.create_group(name).attrs["weight_names"] = np.empty(0, "S1")
        for name, (kernel, bias) in LAYERS.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{one}:0".encode() for one in ("kernel", "bias")]
            spread = np.float32((2 / np.prod(kernel[:3])) ** 0.5)
            group[f"{name}/kernel:0"] = spread * rng.standard_normal(kernel, np.float32)
            group[f"{name}/bias:0"] = np.float32(0.1) * rng.standard_normal(bias, np.float32)
    return path


@pytest.fixture(scope="session")
def add_head() -> Callable[..., None]:
    """``add_head(folder, "emotions", head, metrics={})``: one head more in a bundle."""

    def add(folder: Path, name: str, head: Head, metrics: dict[str, Any] | None = None) -> None:
        from facekit.bundle.manifest import MANIFEST, HeadEntry, read_manifest, render

        data, manifest = head.to_bytes(), read_manifest(folder)
        entry = HeadEntry(
            file=f"head-{name}.npz", sha256=hashlib.sha256(data).hexdigest(), kind=head.kind,
            parts=head.parts, metrics=metrics or {},
        )  # fmt: skip
        changed = manifest.model_copy(update={"heads": {**manifest.heads, name: entry}})
        (folder / entry.file).write_bytes(data)
        (folder / MANIFEST).write_bytes(render(changed).encode())

    return add
