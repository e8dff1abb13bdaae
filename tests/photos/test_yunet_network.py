"""The network that YuNet is: rows as OpenCV's detector gives them, at every size."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.cartoon import draw_scene, make_person
from facekit.photos.detect import YUNET_FILE
from facekit.photos.yunet_network import YuNetNetwork

onnx = pytest.importorskip(
    "onnx", reason="onnx is not installed: it comes with the extras dev and train"
)


def graph(values: dict[str, NDArray[np.float32]], sides: tuple[int, int] = (640, 640)) -> bytes:
    """A file with YuNet's input and outputs that says the same of every picture."""
    float_, tensor = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    constants = [onnx.numpy_helper.from_array(value, f"{name}_") for name, value in values.items()]
    nodes = [onnx.helper.make_node("Identity", [f"{name}_"], [name]) for name in values]
    outputs = [tensor(name, float_, list(value.shape)) for name, value in values.items()]
    made = onnx.helper.make_graph(
        nodes, "yunet", [tensor("input", float_, [1, 3, *sides])], outputs, constants
    )
    opset = [onnx.helper.make_opsetid("", 11)]
    return bytes(
        onnx.helper.make_model(made, opset_imports=opset, ir_version=6).SerializeToString()
    )


def silence(width: int, height: int) -> dict[str, NDArray[np.float32]]:
    """What the network says of a picture without faces."""
    kinds = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {
        f"{kind}_{stride}": np.zeros((1, width // stride * (height // stride), many), np.float32)
        for kind, many in kinds.items()
        for stride in (8, 16, 32)
    }


def network(values: dict[str, NDArray[np.float32]], **settings: float) -> YuNetNetwork:
    return YuNetNetwork(graph(values), **{"score": 0.7, "overlap": 0.3, **settings})


PICTURE = np.zeros((90, 120, 3), np.uint8)  # seen as 128 x 96


def test_a_place_of_a_grid_says_where_the_face_lies() -> None:
    values = silence(128, 96)
    at = 2 * 8 + 5  # third row, sixth column of 8 x 6 places
    values["cls_16"][0, at], values["obj_16"][0, at] = 1.7, 0.64  # a score ends at 1
    values["bbox_16"][0, at] = (0.5, -0.25, np.log(2), np.log(3))
    values["kps_16"][0, at] = np.arange(10) / 10
    (row,) = network(values).rows(PICTURE)
    assert row[:4] == pytest.approx((88 - 16, 28 - 24, 32, 48))
    spots = np.arange(10).reshape(5, 2) / 10 * 16 + (80, 32)
    assert row[4:14] == pytest.approx(spots.ravel())
    assert row[14] == pytest.approx(0.8)
    assert not len(network(values, score=0.81).rows(PICTURE))


def test_the_surest_of_boxes_that_overlap_is_kept() -> None:
    values = silence(128, 96)
    for at, score in ((0, 0.8), (1, 0.9), (4, 0.85)):  # 32 px wide, 8 and 24 px apart
        values["cls_8"][0, at] = values["obj_8"][0, at] = score
        values["bbox_8"][0, at, 2:] = np.log(4)
    rows = network(values).rows(PICTURE)
    assert rows[:, 14] == pytest.approx([0.9, 0.85])
    assert len(network(values, overlap=0.99).rows(PICTURE)) == 3
    assert len(network(values, overlap=0.1).rows(PICTURE)) == 1


def test_numbers_that_are_none_are_left_out() -> None:
    values = silence(128, 96)
    for at, size in enumerate((np.nan, np.inf, 1e4, 1.0)):
        values["cls_32"][0, at] = values["obj_32"][0, at] = 1
        values["bbox_32"][0, at, 2] = size
    assert len(network(values).rows(PICTURE)) == 1
    values["cls_32"][:] = np.nan
    assert len(network(values).rows(PICTURE)) == 0


@pytest.fixture(scope="module")
def published(real_data: Path) -> bytes:
    path = real_data.parent / "models" / YUNET_FILE
    if not path.exists():
        pytest.skip(f"no {YUNET_FILE} beside the real data")
    return path.read_bytes()


@pytest.mark.real
def test_rows_are_those_of_opencv_at_every_size(published: bytes) -> None:
    found = 0
    mine = YuNetNetwork(published, score=0.5, overlap=0.3)
    theirs = cv2.FaceDetectorYN.create(
        "onnx", np.frombuffer(published, np.uint8), np.zeros(0, np.uint8), (64, 64), 0.5, 0.3
    )
    people = [make_person(5, i) for i in range(3)]
    for i, size in enumerate(itertools.product((64, 200, 641), (64, 223, 800))):
        scene = draw_scene(people, np.random.default_rng(i), (640, 480)).image
        picture = cv2.resize(scene, size, interpolation=cv2.INTER_AREA)
        theirs.setInputSize(size)
        expected = theirs.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
        rows = mine.rows(picture)
        assert len(rows) == (0 if expected is None else len(expected)), size
        if expected is not None:
            np.testing.assert_allclose(rows, expected, atol=1e-3)
            found += len(rows)
    assert found >= 9


@pytest.mark.real
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_finds_the_same(published: bytes) -> None:
    mine = YuNetNetwork(published, score=0.5, overlap=0.3)
    scene = draw_scene([make_person(5, 0)], np.random.default_rng(0), (320, 240)).image
    before = mine.rows(scene)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(mine.rows(scene), before) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
