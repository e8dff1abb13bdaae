"""Extraction against Keras."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import features
from benchmarks.features import Lap
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.bundle.bundle import Bundle
from facekit.bundle.write import write_bundle
from facekit.errors import UsageError
from facekit.frame import FaceFrame
from facekit.recipe.schema import BackboneSpec

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents


@pytest.fixture(scope="module")
def small(
    tiny_contents: BundleContents, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, Bundle]:
    """Two bundles of one small Keras backbone with different weights."""
    from facekit.backbones.catalog import build_backbone
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras

    spec = BackboneSpec(widths=(8, 12), blocks=(1, 1), identity_size=16)
    found = []
    for seed in (1, 2):
        start_keras(seed=seed)
        contents = replace(
            tiny_contents,
            onnx=to_onnx(build_backbone(spec, 40)),
            frame=FaceFrame(side=40),
            family="compact",
            config=spec.model_dump(mode="json"),
            heads={},
        )
        found.append(write_bundle(tmp_path_factory.mktemp("small") / "small", contents))
    return found[0], found[1]


def test_every_other_round_is_reversed() -> None:
    said: list[str] = []
    sides = {name: (lambda name=name: said.append(name)) for name in "abc"}
    laps = features.paired(sides, 3)
    assert "".join(said) == "abccbaabc"
    assert {name: len(each) for name, each in laps.items()} == {"a": 3, "b": 3, "c": 3}


def test_waiting_costs_no_processor() -> None:
    laps = features.paired({"wait": lambda: time.sleep(0.2), "work": lambda: sum(range(10**6))}, 2)
    assert all(lap.seconds >= 0.2 and lap.processor < 0.1 for lap in laps["wait"])
    assert all(lap.processor > 1e-3 for lap in laps["work"])


@pytest.mark.tf
def test_the_ratio_is_that_of_the_rounds(small: tuple[Bundle, Bundle]) -> None:
    record = BENCHMARKS["features"].run(BenchOptions(model=str(small[0].folder), limit=48))
    assert record["crops"] == 48 and record["rounds"] == 6
    assert record["keras_batch"] in (32, 128, 512)
    assert record["largest_difference"] < 1e-3
    low, high = record["ratio_range"]
    assert 0 < low <= record["ratio"] <= high
    assert all(record[f"{side}_per_second"] > 0 for side in ("keras", "onnx", "store"))
    text = features.render(record)
    assert f"({record['ratio']:.2f} times, " in text


@pytest.mark.tf
def test_the_ratio_is_keras_time_over_ours(
    small: tuple[Bundle, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(sides: dict[str, object], rounds: int) -> dict[str, list[Lap]]:
        assert list(sides) == ["keras", "onnx", "store"]
        seconds = {"keras": [4.0, 9.0, 6.0], "onnx": [1.0, 1.0, 1.0], "store": [2.0, 3.0, 1.0]}
        return {name: [Lap(each, 0.6) for each in taken] for name, taken in seconds.items()}

    monkeypatch.setattr(features, "paired", timed)
    crops = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), np.uint8)
    record = features.measure_features(small[0], crops, rounds=3)
    assert (record["ratio"], record["ratio_range"]) == (3.0, [2.0, 6.0])
    assert record["onnx_ratio"] == 6.0
    assert record["store_processor_ms"] == 50.0
    assert record["keras_per_second"] == 2.0 and record["store_per_second"] == 6.0


@pytest.mark.tf
def test_other_weights_are_no_comparison(
    small: tuple[Bundle, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.training import keras as restore

    other = restore.restore_backbone(small[1])
    monkeypatch.setattr(restore, "restore_backbone", lambda bundle: other)
    with pytest.raises(UsageError, match="not run the same weights"):
        features.run(BenchOptions(model=str(small[0].folder), limit=8))


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    from facekit.errors import BundleError

    with pytest.raises(BundleError, match="no model"):
        features.run(BenchOptions(model=str(tmp_path)))
