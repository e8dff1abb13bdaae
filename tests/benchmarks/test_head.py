"""Heads against Keras."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from benchmarks import head
from benchmarks.features import Lap
from benchmarks.head import HeadRun
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.bundle.load import load_bundle
from facekit.bundle.write import write_bundle
from facekit.errors import FacekitError, UsageError
from facekit.labels import EMOTIONS
from facekit.recipe.transfer import TransferRecipe

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

#: What test/ of the drawn FER-2013 has, and train/.
TEST, TRAIN = 21, 42


@pytest.fixture(scope="module")
def fer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER-2013 of drawn faces, in a folder beside other data."""
    from facekit.cartoon import draw_face, make_person

    data = tmp_path_factory.mktemp("data")
    for label, emotion in enumerate(EMOTIONS):
        for number in range((TRAIN + TEST) // 7):
            rng = np.random.default_rng([label, number])
            person = make_person(2, number)
            face = draw_face(person, emotion, rng, (48, 48), aligned="fer")[0]
            part = "train" if number < TRAIN // 7 else "test"
            path = data / "fer2013" / part / emotion / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), face[:, :, ::-1])
    return data


def test_the_ratio_is_an_epoch_over_an_epoch(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras takes 4 s for 100 crops, so 80 s for 2,000; the head 6 s for 12 epochs."""
    runs = {
        "linear": iter([HeadRun(2000, 1, s, 0.5) for s in (99.0, 3.0, 5.0)]),
        "default": iter([HeadRun(2000, 12, s, 0.6) for s in (99.0, 5.0, 7.0)]),
    }
    monkeypatch.setattr(head, "_transfer", lambda data, bundle, name: next(runs[name]))

    def timed(sides: dict[str, Any], rounds: int) -> dict[str, list[Lap]]:
        for name in ("linear", "default"):
            for _ in range(rounds):
                sides[name]()
        seconds = {"keras": [3.0, 5.0], "linear": [10.0, 12.0], "default": [20.0, 21.0]}
        return {name: [Lap(each, 0.0) for each in taken] for name, taken in seconds.items()}

    monkeypatch.setattr(head, "paired", timed)
    record = head.measure_head(Path("data"), load_bundle(tiny_bundle), lambda: None, 100)
    assert record["keras_epoch_seconds"] == 80.0
    assert record["heads"]["linear"]["seconds"] == 4.0  # the first run was warming up
    assert record["heads"]["linear"]["process_seconds"] == 11.0
    assert record["heads"]["default"]["seconds"] == 6.0
    assert (record["epoch_seconds"], record["ratio"]) == (0.5, 160.0)
    assert record["linear_ratio"] == 20.0
    text = head.render(record)
    assert "2,000 training images" in text and "160 times as fast" in text


def test_a_folder_is_needed() -> None:
    with pytest.raises(UsageError, match="needs --data"):
        BENCHMARKS["head"].run(BenchOptions())


def test_a_run_that_fails_is_no_measurement(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(FacekitError, match="facekit transfer failed: "):
        head._transfer(tmp_path / "nothing", load_bundle(tiny_bundle), "linear")


def test_the_process_finds_no_keras() -> None:
    start, _, _ = head._COMMAND.partition("from facekit")
    for name in ("tensorflow", "keras.layers", "jax.numpy"):
        command = [sys.executable, "-c", f"{start}import {name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "not for the light path" in done.stderr


@pytest.mark.tf
def test_a_keras_epoch_moves_the_head_alone(tiny_contents: BundleContents, tmp_path: Path) -> None:
    from benchmarks.frozen import build_frozen
    from facekit.backbones.catalog import build_backbone
    from facekit.bundle.onnx import to_onnx
    from facekit.recipe.schema import BackboneSpec
    from facekit.training.backend import start_keras
    from facekit.training.keras import to_numpy

    start_keras(seed=1)
    spec = BackboneSpec(widths=(8, 12), blocks=(1, 1), identity_size=16)
    contents = replace(
        tiny_contents,
        onnx=to_onnx(build_backbone(spec, 40)),
        family="compact",
        config=spec.model_dump(mode="json"),
        heads={},
    )
    bundle = write_bundle(tmp_path / "small", contents)
    model = build_frozen(bundle, ["pooled", "grid"], 7)
    assert [weight.path for weight in model.trainable_weights] == ["classes/kernel", "classes/bias"]
    crops = np.random.default_rng(0).integers(0, 256, (20, 40, 40, 3), np.uint8)
    before = [to_numpy(weight) for weight in model.weights]
    model.fit(crops, np.arange(20) % 7, batch_size=10, verbose=0)
    moved = {
        weight.path
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(to_numpy(weight), old)
    }
    assert moved == {"classes/kernel", "classes/bias"}  # no statistics of a normalisation
    embedding = bundle.embed(crops)
    x = np.concatenate([embedding[part].reshape(20, -1) for part in ("pooled", "grid")], axis=1)
    kernel, bias = (to_numpy(weight) for weight in model.trainable_weights)
    logits = x @ kernel + bias
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(model.predict(crops, verbose=0), wanted, atol=1e-3)

    epoch = head.build_epoch(bundle, TransferRecipe(name="x"), 12)
    assert len(epoch().history["loss"]) == 1  # type: ignore[attr-defined]


@pytest.mark.slow
def test_both_heads_are_timed_as_they_run(
    fer: Path, tiny_bundle: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(head, "build_epoch", lambda *_: lambda: called.append("epoch"))
    options = BenchOptions(data=fer, model=str(tiny_bundle), limit=10)
    record = BENCHMARKS["head"].run(options)
    assert len(called) == record["rounds"] == 2
    assert record["images"] == TRAIN
    for one in record["heads"].values():
        assert 0 < one["seconds"] < one["process_seconds"]
        assert 0 <= one["accuracy"] <= 1
    assert record["heads"]["linear"]["epochs"] == 1 < record["heads"]["default"]["epochs"]
    assert (facekit_home / "cache" / "features").is_dir()
