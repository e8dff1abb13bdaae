"""The frozen rung: what it hands over is calibrated on rows it has not learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.datasets.sources import open_classes
from facekit.errors import RecipeError
from facekit.heads.kinds import LinearHead, calibrate_head
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferDataSpec, TransferRecipe
from facekit.workflows.transfer.data import ClassData, crop_classes
from facekit.workflows.transfer.fits import HEAD_FITS
from facekit.workflows.transfer.rung import fit_frozen

COLOURS = {"blue": (200, 60, 60), "red": (60, 60, 200)}


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture
def data(bundle: Bundle, tmp_path: Path) -> ClassData:
    """Blots that lean to blue or to red: 40 to learn from, 20 to choose by, 20 as a test."""
    rng = np.random.default_rng(0)
    for part, each in (("train", 20), ("val", 10), ("test", 10)):
        for name, colour in COLOURS.items():
            for i in range(each):
                path = tmp_path / "faces" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                blots = np.clip(rng.normal(colour, 90, (6, 6, 3)), 0, 255).astype(np.uint8)
                assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48)))
    table = open_classes("folder", tmp_path / "faces", aligned="fer")
    return crop_classes(table, bundle.frame, TransferDataSpec())


def recipe(*overrides: str, name: str = "fer-frozen-linear") -> TransferRecipe:
    return load_recipe(name, ["features.channels={}", *overrides], TransferRecipe)


@pytest.mark.parametrize("name", ["fer-frozen-linear", "fer-frozen-mlp"])
def test_answers_are_those_that_the_head_gives(
    bundle: Bundle, data: ClassData, tmp_path: Path, name: str
) -> None:
    rows: list[dict[str, Any]] = []
    given = recipe("features.components=0", "head.epochs=5", name=name)
    found = fit_frozen(bundle, data, given, report=rows.append)
    assert (found.bundle, found.base) == (bundle, "celeba-compact") and found.seconds > 0
    assert found.trainable == found.head.parameters and len(rows) > 1
    assert found.head.labels == ("blue", "red") and found.head.activation == "softmax"
    assert set(found.logits) == {"val", "test"}
    for split, part in (("val", data.val), ("test", data.test)):
        views = (data.crops[part], np.ascontiguousarray(data.crops[part, :, ::-1]))
        wanted = [found.head.logits(bundle.embed(view), calibrated=False) for view in views]
        np.testing.assert_allclose(found.logits[split], np.mean(wanted, axis=0), atol=0.1)
        assert (found.logits[split].argmax(1) == data.labels[part]).mean() > 0.85


def test_small_data_are_cross_validated(
    bundle: Bundle, data: ClassData, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(data, val=data.val[:0])
    found = fit_frozen(bundle, small, recipe())
    assert set(found.logits) == {"cv", "test"} and found.logits["cv"].shape == (40, 2)
    nothing = fit_frozen(bundle, replace(small, test=data.test[:0]), recipe())
    assert set(nothing.logits) == {"cv"}
    monkeypatch.setitem(HEAD_FITS, "linear", replace(HEAD_FITS["linear"], cross_fit=None))
    with pytest.raises(RecipeError, match=r"40 training images are cross-validated.*holdout"):
        fit_frozen(bundle, small, recipe())


@pytest.mark.parametrize("components", [0, 8])
def test_small_data_are_cross_validated_by_an_mlp_too(
    bundle: Bundle, data: ClassData, components: int
) -> None:
    """A tenth of twenty images is two, which say nothing."""
    small, rows = replace(data, val=data.val[:0]), list[dict[str, Any]]()
    given = recipe(f"features.components={components}", "head.epochs=5", name="fer-frozen-mlp")
    found = fit_frozen(bundle, small, given, report=rows.append)
    assert set(found.logits) == {"cv", "test"} and found.logits["cv"].shape == (40, 2)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert (found.logits["cv"].argmax(1) == data.labels[data.train]).mean() > 0.8
    wrong = replace(small, labels=data.labels.copy(), shares=data.shares.copy())
    rng = np.random.default_rng(5)
    wrong.labels[data.train] = rng.permutation(np.arange(40) % 2)
    wrong.shares[data.train] = np.eye(2, dtype=np.float32)[wrong.labels[data.train]]
    blind = fit_frozen(bundle, wrong, given).logits["cv"]
    assert (blind.argmax(1) == wrong.labels[data.train]).mean() < 0.75  # nothing to learn


def test_calibration_makes_a_cocky_head_modest() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (2000, 3))
    labels = (rng.random((2000, 1)) > _chance(logits).cumsum(1)).sum(1).clip(0, 2)
    head = LinearHead(
        parts=("p",), labels=tuple("abc"), weight=np.eye(3), bias=np.zeros(3), activation="softmax"
    )
    found = calibrate_head(head, (5 * logits).astype(np.float32), labels)
    assert found.calibration is not None
    np.testing.assert_allclose(found.calibration, [[0.2, 0]] * 3, atol=0.03)
    np.testing.assert_allclose(found.scores({"p": 5 * logits}), _chance(logits), atol=0.05)
    assert head.calibration is None


def test_what_is_added_is_added_before_the_temperature() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (2000, 3))
    shift = np.array([0.5, -1.5, 1], np.float32)
    labels = (rng.random((2000, 1)) > _chance(logits + shift).cumsum(1)).sum(1).clip(0, 2)
    head = LinearHead(
        parts=("p",), labels=tuple("abc"), weight=np.eye(3), bias=np.zeros(3), activation="softmax"
    )
    found = calibrate_head(head, logits.astype(np.float32), labels, shift)
    np.testing.assert_allclose(found.scores({"p": logits}), _chance(logits + shift), atol=0.05)
    strong = calibrate_head(head, (4 * logits).astype(np.float32), labels, 4 * shift)
    np.testing.assert_allclose(strong.scores({"p": 4 * logits}), _chance(logits + shift), atol=0.05)


def test_a_rare_class_is_answered_more_often_where_the_recipe_says_so(
    bundle: Bundle, data: ClassData
) -> None:
    few = replace(data, train=data.train[3 * len(data.train) // 8 :])  # 5 of the first class
    assert np.bincount(data.labels[few.train]).tolist() == [5, 20]
    plain, half, whole = (
        fit_frozen(bundle, few, recipe(f"head.logit_adjustment={value}")) for value in (0, 0.5, 1)
    )
    assert plain.head.calibration is not None and not plain.head.calibration[:, 1].any()
    crops = data.crops[data.val]
    rare = [fit.head.scores(bundle.embed(crops))[:, 0] for fit in (plain, half, whole)]
    ratio = [np.log(one / (1 - one)) for one in rare]
    slope = [fit.head.calibration[0, 0] for fit in (plain, half, whole)]
    logits = [one / s for one, s in zip(ratio, slope, strict=True)]
    np.testing.assert_allclose(logits[1] - logits[0], 0.5 * np.log(21 / 6), atol=0.05)
    np.testing.assert_allclose(logits[2] - logits[0], np.log(21 / 6), atol=0.05)


def _chance(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(1, keepdims=True))
