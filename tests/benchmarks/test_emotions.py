"""``python -m benchmarks emotions`` on painted squares."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import emotions
from benchmarks.emotions import compare_emotions, render
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.errors import BundleError, UsageError
from facekit.heads.kinds import LinearHead
from facekit.labels import EMOTIONS

PER_CLASS = 4


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emotions, "_SECONDS", 0.02)
    # What ships is not under test here, and has its names already.
    monkeypatch.setattr("facekit.bundle.load.shipped_folder", lambda: Path("none-ships"))


@pytest.fixture(scope="module")
def fer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every class has its own grey."""
    folder = tmp_path_factory.mktemp("bench-emotions")
    rng = np.random.default_rng(0)
    for label, emotion in enumerate(EMOTIONS):
        place = folder / "fer2013" / "test" / emotion
        place.mkdir(parents=True)
        for i in range(PER_CLASS):
            grey = np.clip(30 + 32 * label + rng.integers(-6, 7, (48, 48)), 0, 255)
            assert cv2.imwrite(str(place / f"{i}.png"), grey.astype(np.uint8))
    return folder


Emotional = Callable[..., Path]


@pytest.fixture
def with_emotions(add_head: Callable[..., None]) -> Emotional:
    """``with_emotions(base, folder, right=True)`` tells the greys apart, or says angry."""

    def make(base: Path, folder: Path, *, right: bool) -> Path:
        levels = (30 + 32 * np.arange(7)) / 255
        weight = np.zeros((3, 7), np.float32)
        bias = np.array([0, *[-50.0] * 6])
        if right:  # -(x - level)^2 without its x^2
            weight[0], bias = 400 * levels, -200 * levels**2
        head = LinearHead(
            parts=("pooled",), labels=EMOTIONS, weight=weight, bias=bias, activation="softmax"
        )
        shutil.copytree(base, folder)
        add_head(folder, "emotions", head)
        return folder

    return make


def test_models_are_measured_on_the_same_images(
    fer: Path, tiny_bundle: Path, tmp_path: Path, facekit_home: Path, with_emotions: Emotional
) -> None:
    good = with_emotions(tiny_bundle, tmp_path / "good", right=True)
    with_emotions(tiny_bundle, facekit_home / "models" / "fer-frozen", right=False)
    record = BENCHMARKS["emotions"].run(BenchOptions(data=fer, model=str(good)))
    assert (record["dataset"], record["split"], record["n"]) == ("fer", "test", 28)
    first, second = record["models"]
    assert (first["name"], second["name"]) == ("good", "fer-frozen")
    assert first["accuracy"] == first["macro_f1"] == 1.0
    assert second["accuracy"] == pytest.approx(1 / 7)
    low, high = second["intervals"]["accuracy"]
    assert low < 1 / 7 < high
    assert first["parameters"] == 396 + 3 * 7 + 7
    files = [good / "backbone.onnx", good / "head-emotions.npz"]
    assert first["megabytes"] == round(sum(f.stat().st_size for f in files) / 1e6, 3)
    assert first["images_per_second"] > 0
    (difference,) = record["differences"]
    assert (difference["model"], difference["against"]) == ("fer-frozen", "good")
    assert difference["accuracy"] == pytest.approx(-6 / 7)
    assert (difference["first_only"], difference["second_only"]) == (0, 24)
    assert difference["p_value"] < 1e-5
    text = render(record)
    assert "fer/test, 28 images" in text and "fer-frozen - good" in text and "-85.7 points" in text


def test_a_random_part_will_do(
    fer: Path, tiny_bundle: Path, tmp_path: Path, with_emotions: Emotional
) -> None:
    good = with_emotions(tiny_bundle, tmp_path / "good", right=True)
    record = compare_emotions(BenchOptions(data=fer / "fer2013", model=str(good), limit=9))
    assert record["n"] == 9 and record["differences"] == []


def test_what_cannot_be_measured_is_refused(
    fer: Path, tiny_bundle: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emotions, "_OURS", ("nobody",))
    with pytest.raises(UsageError, match="--data"):
        compare_emotions(BenchOptions())
    with pytest.raises(UsageError, match=r"nobody.*--model"):
        compare_emotions(BenchOptions(data=fer))
    with pytest.raises(BundleError, match="seven emotions"):
        compare_emotions(BenchOptions(data=fer, model=str(tiny_bundle)))


def test_a_peer_comes_first_and_gets_grey_squares(
    fer: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_emotions: Emotional,
) -> None:
    """Without Keras: what the peer's loader gives is all that is used."""
    from benchmarks import peer_keras as peer

    class Fake:
        classes, parameters, side = 7, 123, 64

        def scores(self, grey: list[np.ndarray]) -> np.ndarray:
            assert grey[0].shape == (48, 48) and grey[0].dtype == np.uint8
            label = np.rint((np.array([g.mean() for g in grey]) - 30) / 32).astype(int)
            return np.eye(7, dtype=np.float32)[label]

    monkeypatch.setattr(peer, "load_peer", lambda path: Fake())
    file = tmp_path / "other.hdf5"
    file.write_bytes(bytes(1000))
    model = with_emotions(tiny_bundle, tmp_path / "angry", right=False)
    record = compare_emotions(BenchOptions(data=fer, model=str(model), peer=file))
    first, second = record["models"]
    assert (first["name"], first["accuracy"], first["parameters"]) == ("other", 1.0, 123)
    assert first["megabytes"] == 0.001
    assert second["name"] == "angry"
    assert record["differences"][0]["against"] == "other"
