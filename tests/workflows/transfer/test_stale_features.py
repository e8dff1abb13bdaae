"""``facekit transfer`` again after something changed: new numbers, and no more work than that."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from facekit.bundle.session import OnnxBackbone
from facekit.bundle.write import write_bundle
from facekit.frame import FaceFrame
from facekit.workflows.transfer import results as class_report
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.run import transfer

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

pytestmark = pytest.mark.slow

#: Two views of a picture: as it is and mirrored.
VIEWS = 2


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many crops each call of the backbone was given."""
    seen: list[int] = []
    embed = OnnxBackbone.embed

    def counted(self: OnnxBackbone, crops: np.ndarray, *parts: object) -> dict[str, np.ndarray]:
        if crops.any():  # a black crop tries a bundle out
            seen.append(len(crops))
        return embed(self, crops, *parts)  # type: ignore[arg-type]

    monkeypatch.setattr(OnnxBackbone, "embed", counted)
    monkeypatch.setattr(class_report, "_latency", lambda *args: 1.0)
    return seen


@pytest.fixture
def fer(cartoon_fer: Path, tmp_path: Path) -> Path:
    """A FER-2013 that may be changed: three train and two test images of each emotion."""
    for path in sorted(cartoon_fer.rglob("*.png")):
        if int(path.stem) in (0, 1, 2, 8, 9):
            target = tmp_path / "fer2013" / path.relative_to(cartoon_fer)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return tmp_path / "fer2013"


@pytest.fixture
def again(fer: Path, tiny_bundle: Path, tmp_path: Path) -> Callable[..., TransferResult]:
    """Another run with the same caches."""
    number: Iterator[int] = iter(range(99))

    def run(model: Path = tiny_bundle) -> TransferResult:
        return transfer(
            "fer",
            fer,
            recipe="fer-frozen-linear",
            overrides=[f"model={model}", "head.strengths=[0.1]"],
            out=tmp_path / f"run{next(number)}",
        )

    return run


def head_of(result: TransferResult) -> bytes:
    return (result.run / "bundle" / "head-emotions.npz").read_bytes()


def per_class(result: TransferResult) -> dict[str, dict[str, float]]:
    return dict(json.loads((result.run / "report.json").read_text())["per_class"])


def repaint(path: Path) -> None:
    """Another picture of the same size in bytes or not, taken later."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None and cv2.imwrite(str(path), 255 - grey)
    os.utime(path, (2e9, 2e9))


def test_one_changed_image_is_embedded_and_changes_the_result(
    again: Callable[..., TransferResult], fer: Path, embedded: list[int]
) -> None:
    first = again()
    assert sum(embedded) == 35 * VIEWS
    embedded.clear()
    assert head_of(again()) == head_of(first) and sum(embedded) == 0
    kept = (fer / "train" / "sad" / "1.png").read_bytes()
    repaint(fer / "train" / "sad" / "1.png")
    changed = again()
    assert sum(embedded) == VIEWS and head_of(changed) != head_of(first)
    repaint(fer / "test" / "happy" / "8.png")
    embedded.clear()
    measured = again()
    assert sum(embedded) == VIEWS and head_of(measured) == head_of(changed)
    assert measured.metrics["test_nll"] != changed.metrics["test_nll"]
    (fer / "train" / "sad" / "1.png").write_bytes(kept)  # back: the old features are found
    embedded.clear()
    assert head_of(again()) == head_of(first) and sum(embedded) == 0


def test_added_images_are_all_that_is_embedded(
    again: Callable[..., TransferResult], fer: Path, cartoon_fer: Path, embedded: list[int]
) -> None:
    first = again()
    embedded.clear()
    for emotion in ("sad", "fear", "happy"):
        shutil.copy2(cartoon_fer / "train" / emotion / "3.png", fer / "train" / emotion)
    assert head_of(again()) != head_of(first) and sum(embedded) == 3 * VIEWS
    (fer / "train" / "angry" / "0.png").unlink()
    embedded.clear()
    again()
    assert sum(embedded) == 0


def test_one_changed_label_embeds_nothing_and_changes_the_result(
    again: Callable[..., TransferResult], fer: Path, embedded: list[int]
) -> None:
    first = again()
    embedded.clear()
    (fer / "train" / "sad" / "1.png").rename(fer / "train" / "happy" / "77.png")
    learned = again()
    assert head_of(learned) != head_of(first)
    (fer / "test" / "sad" / "8.png").rename(fer / "test" / "happy" / "77.png")
    measured = again()
    assert head_of(measured) == head_of(learned) and sum(embedded) == 0
    assert [per_class(measured)[name]["support"] for name in ("sad", "happy")] == [1, 3]
    assert measured.metrics["test_nll"] != learned.metrics["test_nll"]


def other_weights(onnx_bytes: bytes) -> bytes:
    """The same graph whose random projections are others."""
    import onnx

    model = onnx.load_from_string(onnx_bytes)
    for tensor in model.graph.initializer:
        if tensor.name in ("matrix", "kernel"):
            array = onnx.numpy_helper.to_array(tensor)[..., ::-1].copy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(-array, tensor.name))
    return bytes(model.SerializeToString())


def test_other_weights_and_another_frame_have_features_of_their_own(
    again: Callable[..., TransferResult],
    tiny_contents: BundleContents,
    tiny_bundle: Path,
    embedded: list[int],
    tmp_path: Path,
) -> None:
    frame = tiny_contents.frame
    assert isinstance(frame, FaceFrame)
    tighter = replace(frame, eye_distance=frame.eye_distance * 1.2)
    changes = {"weights": {"onnx": other_weights(tiny_contents.onnx)}, "frame": {"frame": tighter}}
    first = again()
    heads = {head_of(first)}
    for name, change in changes.items():
        bundle = write_bundle(tmp_path / name / "tiny", replace(tiny_contents, **change))  # type: ignore[arg-type]
        embedded.clear()
        heads.add(head_of(again(bundle.folder)))
        assert sum(embedded) == 35 * VIEWS, name
    assert len(heads) == 3
    embedded.clear()
    assert head_of(again(tiny_bundle)) == head_of(first) and sum(embedded) == 0
