"""Bundles from elsewhere: whatever is in them is one line, and never the batch's end."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import MANIFEST, seal
from facekit.bundle.session import OnnxBackbone
from facekit.errors import BundleError, DataError, UsageError
from facekit.heads.arrays import pack, unpack
from facekit.heads.head import Head
from facekit.heads.kinds import LinearHead
from facekit.predict import load
from facekit.system.files import open_regular, read_regular

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it comes with the extra dev")


def graph(nodes: Sequence[Any], *, size: int = 3, constants: dict[str, Any] | None = None) -> bytes:
    """A backbone of crops of 40 x 40 with one part, "pooled"."""
    info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto
    made = onnx.helper.make_graph(
        nodes, "hostile", [info("crops", kind.UINT8, ["n", 40, 40, 3])],
        [info("pooled", kind.FLOAT, ["n", size])],
        [onnx.numpy_helper.from_array(np.asarray(a), k) for k, a in (constants or {}).items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(made, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


def mean(*after: Any, **kwargs: Any) -> bytes:
    """The mean colour, and what is done with it: "mean" to "pooled"."""
    node = onnx.helper.make_node
    cast = node("Cast", ["crops"], ["float"], to=onnx.TensorProto.FLOAT)
    return graph(
        [cast, node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0), *after], **kwargs
    )


def log() -> bytes:
    """NaN or infinity for dark pictures alone: the logarithm of the mean minus 50."""
    node = onnx.helper.make_node
    after = [node("Sub", ["mean", "fifty"], ["less"]), node("Log", ["less"], ["pooled"])]
    return mean(*after, constants={"fifty": np.float32(50)})


def fails(size: int = 3) -> bytes:
    """A shape that does not fit, computed from the input: an error at run time."""
    node = onnx.helper.make_node
    after = [
        node("Shape", ["mean"], ["shape"]),
        node("Add", ["shape", "more"], ["wrong"]),
        node("Reshape", ["mean", "wrong"], ["pooled"]),
    ]
    return mean(*after, size=size, constants={"more": np.array([0, 4], np.int64)})


def one_row() -> bytes:
    """One row for all faces, which NumPy would spread over them."""
    after = onnx.helper.make_node("ReduceMax", ["mean"], ["pooled"], axes=[0], keepdims=1)
    return mean(after)


def with_graph(tiny: Path, folder: Path, data: bytes) -> Path:
    """The tiny bundle around another graph, sealed."""
    shutil.copytree(tiny, folder)
    record = json.loads((folder / MANIFEST).read_text("utf-8"))
    del record["sha256"]
    record["parts"], record["heads"] = {"pooled": [3]}, {}
    record["backbone"]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / record["backbone"]["file"]).write_bytes(data)
    (folder / MANIFEST).write_text(seal(record), "utf-8")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A bright one, a dark one, a bright one."""
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, grey in zip(paths, (200, 10, 90), strict=True):
        assert cv2.imwrite(str(path), np.full((40, 40, 3), grey, np.uint8))
    return paths


@pytest.mark.parametrize(
    ("make", "wrong", "match"),
    [(log, [1], "not finite"), (fails, [0, 1, 2], "cannot be run"), (one_row, [], "")],
)
def test_a_graph_that_fails_is_the_error_of_its_photo(
    make: Callable[[], bytes], wrong: list[int], match: str, tiny_bundle: Path, tmp_path: Path,
    pictures: list[Path], capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = load(with_graph(tiny_bundle, tmp_path / "b", make()), "none", identities="none")
    records = [one.record() for one in model.analyze_many(pictures)]
    assert [record["path"] for record in records] == list(map(str, pictures))
    assert [i for i, record in enumerate(records) if record["error"]] == wrong
    for i in wrong:
        assert match in records[i]["error"] and "\n" not in records[i]["error"]
        assert (records[i]["faces"], records[i]["width"]) == ([], 40)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert model.analyze(pictures[1]).error == records[1]["error"]
    assert capfd.readouterr() == ("", "")


def test_rows_that_are_not_one_a_face_are_refused() -> None:
    with pytest.raises(BundleError, match="another shape"):
        OnnxBackbone(one_row()).embed(np.zeros((2, 40, 40, 3), np.uint8))


def test_an_output_without_a_bound_is_refused() -> None:
    with pytest.raises(BundleError, match="numbers a face"):
        OnnxBackbone(fails(1 << 40))


@pytest.mark.parametrize(("weight", "activation"), [(3e38, "softmax"), (3e38, "none")])
def test_a_head_that_overflows_is_an_error_and_no_warning(
    weight: float, activation: Any, tiny_bundle: Path, tmp_path: Path, pictures: list[Path],
    add_head: Callable[..., None],
) -> None:  # fmt: skip
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "b"))
    kernel = np.array([[weight, -weight]] * 3, np.float32)
    head = LinearHead(
        parts=("pooled",), labels=("a", "b"), weight=kernel, activation=activation,
        bias=np.full(2, weight, np.float32),
    )  # fmt: skip
    add_head(folder, "emotions", head)
    errors = [one.error for one in load(folder, "none", identities="none").analyze_many(pictures)]
    assert "'emotions' gives numbers that are not finite" in str(errors[0])


# A fork leaves the threads behind.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("detector", ["none", "haar"])
def test_a_model_that_was_used_works_in_a_child(
    detector: str, tiny_bundle: Path, pictures: list[Path]
) -> None:
    model = load(tiny_bundle, detector, threads=2, identities="none")
    expected = [one.record() for one in model.analyze_many(pictures)]
    child = os.fork()
    if not child:
        signal.alarm(30)
        good = [one.record() for one in model.analyze_many(pictures)] == expected
        grandchild = os.fork()
        if not grandchild:
            os._exit(0 if model.analyze(pictures[0]).record() == expected[0] else 1)
        good &= os.waitpid(grandchild, 0)[1] == 0
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [one.record() for one in model.analyze_many(pictures)] == expected


@pytest.mark.parametrize("one", ["face.jpg", Path("face.jpg"), b"face.jpg", np.zeros((9, 9, 3))])
def test_a_single_image_is_not_several(one: Any, tiny_bundle: Path) -> None:
    model = load(tiny_bundle, "none", identities="none")
    with pytest.raises(UsageError, match="several images, not one"):
        model.analyze_many(one)


def test_a_stack_of_arrays_is_several(tiny_bundle: Path) -> None:
    model = load(tiny_bundle, "none", identities="none")
    assert len(list(model.analyze_many(np.zeros((2, 40, 40, 3), np.uint8)))) == 2


# Files that are none.


def special(path: Path, kind: str) -> None:
    """A pipe, a device or a folder in place of a file."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes here")
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "/dev/tty", "folder"])
@pytest.mark.parametrize("name", ["head-points.npz", "backbone.onnx", MANIFEST])
def test_a_bundle_has_regular_files_alone(
    kind: str, name: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "b"))
    assert (folder / name).exists()
    special(folder / name, kind)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes here")
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_tables_detectors_and_recipes_are_regular_files(kind: str, tmp_path: Path) -> None:
    from facekit.cache.teacher import read_teacher_table
    from facekit.photos.detect import add_detector, find_detector

    for name in ("a.npz", "a.onnx", "a.xml"):
        special(tmp_path / name, kind)
    with pytest.raises(DataError, match="no regular file"):
        read_teacher_table(tmp_path / "a.npz", np.array(["a"]))
    with pytest.raises(UsageError, match="no regular file"):
        add_detector(tmp_path / "a.onnx")
    for name in ("a.onnx", "a.xml"):
        with pytest.raises(UsageError, match="no regular file"):
            find_detector(str(tmp_path / name))


def test_files_have_an_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="are allowed"):
        read_regular(path)
    with open_regular(path) as file:
        assert file.read(2) == b"\0\0"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="5 are allowed"):
        read_regular(tmp_path / "link", 5)


# Arrays.


def member(head: str, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    length = len(head).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + head.encode() + body


def described(kind: str, shape: str) -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"


def zipped(packing: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, body in members.items():
            archive.writestr(f"{name}.npy", body)
    return buffer.getvalue()


def encrypted() -> bytes:
    data = bytearray(pack({"a": np.ones(3)}))
    for mark, shift in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(mark) + shift] |= 1
    return bytes(data)


FLOAT = described("'<f4'", "(1,)")
DAMAGED: dict[str, Callable[[], bytes]] = {
    "more than memory": lambda: zipped(a=member(described("'<f4'", "(35184372088832,)"), b"abcd")),
    "more than the member": lambda: zipped(a=member(described("'<f4'", "(2,)"), b"abcd")),
    "less than the member": lambda: zipped(a=member(FLOAT, b"abcdefgh")),
    "true for a number": lambda: zipped(a=member(described("'<f4'", "(True,)"), b"abcd")),
    "below zero": lambda: zipped(a=member(described("'<f4'", "(-1,)"), b"abcd")),
    "digits": lambda: zipped(a=member(described("'<f4'", f"({'9' * 5000},)"))),
    "brackets": lambda: zipped(a=member(described("'<f4'", "(" * 4000 + ")" * 4000))),
    "an expression": lambda: zipped(a=member(described("'<f4'", "(1+0,)"), b"abcd")),
    "python objects": lambda: zipped(a=member(described("'|O'", "(1,)"), b"cos\n.")),
    "texts of no length": lambda: zipped(a=member(described("'<U0'", "(99999999999,)"))),
    "rows of no length": lambda: zipped(a=member(described("'<f8'", "(1099511627776, 0)"))),
    "columns with names": lambda: zipped(a=member(described("[('a', '<f4')]", "(1,)"), b"abcd")),
    "no end of its head": lambda: zipped(a=b"\x93NUMPY\2\0\xff\xff\xff\xff{"),
    "a later version": lambda: zipped(a=member(FLOAT, b"abcd", b"\4\0")),
    "another packing": lambda: zipped(zipfile.ZIP_LZMA, a=member(FLOAT, b"abcd")),
    "one more packing": lambda: zipped(zipfile.ZIP_BZIP2, a=member(FLOAT, b"abcd")),
    "a password": encrypted,
    "gigabytes": lambda: zipped(
        zipfile.ZIP_DEFLATED, **{f"a{i}": bytes(60_000_000) for i in range(5)}
    ),
    "no archive": lambda: b"PK\3\4" + bytes(100),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_arrays_are_one_line(what: str, recwarn: pytest.WarningsRecorder) -> None:
    data, begun = DAMAGED[what](), time.process_time()
    with pytest.raises(BundleError, match="the head is not a readable") as caught:
        unpack(data, "the head")
    assert time.process_time() - begun < 2
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert not recwarn.list


def test_a_flipped_bit_is_seen_wherever_it_is() -> None:
    whole = pack({"a": np.arange(200.0)})
    for at in range(200, 1500, 97):
        broken = whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        with pytest.raises(BundleError):
            unpack(broken)


def test_head_files_stay_what_they_were(tiny_contents: Any) -> None:
    head: Head = tiny_contents.heads["points"]
    assert head.to_bytes() == pack(unpack(head.to_bytes()))
