"""Rates of decoding and reading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import io
from benchmarks.registry import BenchOptions
from facekit.datasets.celeba import read_celeba
from facekit.errors import DataError, MissingExtraError
from facekit.recipe.load import load_recipe

RATES = ("decode_per_second", "crop_per_second", "read_per_second")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "_SECONDS", 0.05)


def test_the_ratio_is_that_of_the_rates(cartoon_celeba: Path, tmp_path: Path) -> None:
    table = read_celeba(cartoon_celeba, splits=("train",))
    recipe = load_recipe("celeba-compact")
    record = io.measure_io(table, recipe, root=tmp_path, training_rate=10.0)
    assert all(record[name] > 0 for name in RATES)
    assert record["images"] == len(table)
    assert record["bytes_per_crop"] == 3 * recipe.frame.side**2
    assert record["training_per_second"] == 10.0
    assert record["read_to_training"] == pytest.approx(record["read_per_second"] / 10, abs=0.01)
    assert f"{record['read_to_training']:.1f} times" in io.render(record)


def test_without_keras_the_ratio_is_left_out(
    cartoon_celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> float:
        raise MissingExtraError("keras", "train")

    monkeypatch.setattr(io, "measure_training", missing)
    table = read_celeba(cartoon_celeba, splits=("train",))
    record = io.measure_io(table, load_recipe("celeba-compact"), root=tmp_path)
    assert record["training_per_second"] is None
    assert record["read_to_training"] is None
    assert "pip install 'facekit-transfer[train]'" in io.render(record)


def test_the_folder_may_be_the_one_above(
    cartoon_celeba: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cartoon_celeba.name == "celeba"
    monkeypatch.setattr(io, "measure_training", lambda *_: 1.0)
    for folder in (cartoon_celeba, cartoon_celeba.parent):
        assert io.run(BenchOptions(data=folder, limit=3))["images"] == 3


def test_a_table_without_files_is_refused(cartoon_celeba: Path, tmp_path: Path) -> None:
    table = read_celeba(cartoon_celeba, splits=("train",))
    empty = replace(table, images=[])
    with pytest.raises(DataError, match="no image files"):
        io.measure_io(empty, load_recipe("celeba-compact"), root=tmp_path, training_rate=1.0)


@pytest.mark.slow
@pytest.mark.tf
def test_training_is_timed_as_it_runs() -> None:
    recipe = load_recipe("demo", ["training.batch_size=4"])
    side = recipe.frame.side
    crops = np.random.default_rng(0).integers(0, 256, (9, side, side, 3), dtype=np.uint8)
    assert io.measure_training(crops, recipe, seconds=0.2) > 0
