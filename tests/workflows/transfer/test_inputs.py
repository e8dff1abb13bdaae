"""What a head is fitted on is what it reads of an embedding later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.session import OnnxBackbone
from facekit.datasets.sources import open_classes
from facekit.errors import RecipeError
from facekit.heads.kinds import LinearHead
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferDataSpec, TransferRecipe
from facekit.workflows.transfer import inputs as inputs_module
from facekit.workflows.transfer.data import ClassData, crop_classes
from facekit.workflows.transfer.inputs import read_inputs


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture
def data(bundle: Bundle, tmp_path: Path) -> ClassData:
    """Two classes of train, val and test: 24, 4 and 6 pictures."""
    rng = np.random.default_rng(0)
    for part, each in (("train", 12), ("val", 2), ("test", 3)):
        for name in ("a", "b"):
            for i in range(each):
                path = tmp_path / "faces" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                blots = rng.integers(0, 256, (6, 6, 3), np.uint8)
                assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48)))
    table = open_classes("folder", tmp_path / "faces", aligned="fer")
    return crop_classes(table, bundle.frame, TransferDataSpec())


def recipe(*overrides: str) -> TransferRecipe:
    return load_recipe("fer-frozen-linear", list(overrides), TransferRecipe)


def test_a_head_on_the_inputs_reads_the_same_of_an_embedding(
    bundle: Bundle, data: ClassData, tmp_path: Path
) -> None:
    given = recipe("features.channels={grid=2, grid_mid=3, pooled=9}")
    inputs = read_inputs(bundle, data, given)
    d = 3 + 8 + 16 * 2 + 16 * 3  # pooled has three channels: none is left out
    assert [view.shape for view in inputs.views] == [(24, d)] * 2
    assert set(inputs.frame["channels"]) == {"grid", "grid_mid"}
    rng = np.random.default_rng(1)
    head = LinearHead(weight=rng.normal(size=(d, 2)), bias=np.zeros(2), **inputs.frame)
    for views, rows in ((inputs.views, data.train), (inputs.seen, data.val)):
        for view, crops in zip(views, (data.crops[rows], data.crops[rows, :, ::-1]), strict=True):
            found = head.forward(view.astype(np.float32))
            wanted = head.logits(bundle.embed(np.ascontiguousarray(crops)))
            np.testing.assert_allclose(found, wanted, atol=0.05)
    assert len(inputs.tested) == 2 and inputs.tested[0].shape == (6, d)
    plain = inputs.views[0].astype(np.float32)
    assert np.abs(plain.mean(0)).max() < 0.01
    assert plain.std(0) == pytest.approx(np.ones(d), abs=0.01)


def test_rows_come_with_their_labels(bundle: Bundle, data: ClassData, tmp_path: Path) -> None:
    inputs = read_inputs(bundle, data, recipe())
    assert inputs.labels.tolist() == [0] * 12 + [1] * 12
    assert np.array_equal(inputs.shares.argmax(1), inputs.labels)
    assert inputs.answers.tolist() == [0, 0, 1, 1]
    assert inputs.frame["labels"] == ("a", "b")


def test_views_are_those_of_the_recipe(bundle: Bundle, data: ClassData, tmp_path: Path) -> None:
    for overrides, learned, shown in (
        (["features.mirror=false", "mirror=false"], 1, 1),
        (["features.augmented=3"], 5, 2),
        (["features.mirror=false", "features.augmented=1"], 2, 2),
    ):
        inputs = read_inputs(bundle, data, recipe(*overrides))
        assert (len(inputs.views), len(inputs.seen), len(inputs.tested)) == (learned, shown, shown)
        assert not np.array_equal(inputs.views[0], inputs.views[-1]) or learned == 1


def test_the_second_time_nothing_is_embedded(
    bundle: Bundle, data: ClassData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_inputs(bundle, data, recipe("features.augmented=1"))
    monkeypatch.setattr(OnnxBackbone, "embed", None)
    again = read_inputs(bundle, data, recipe("features.augmented=1"))
    for one, other in zip(first.views + first.seen, again.views + again.seen, strict=True):
        np.testing.assert_array_equal(one, other)


def test_kept_inputs_are_those_that_were_made(
    bundle: Bundle, data: ClassData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other head settings read them; other channels, views or rows make their own."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))  # nothing was kept before
    made: list[int] = []
    make = inputs_module._made
    monkeypatch.setattr(inputs_module, "_made", lambda *given: made.append(1) or make(*given))
    one = read_inputs(bundle, data, recipe("features.channels={grid=2}"))
    other = read_inputs(bundle, data, recipe("features.channels={grid=2}", "head.strengths=[1]"))
    assert len(made) == 1
    for name in ("views", "seen", "tested"):
        for first, again in zip(getattr(one, name), getattr(other, name), strict=True):
            assert first.dtype == again.dtype
            np.testing.assert_array_equal(first, again)
    for name in ("mean", "scale"):
        np.testing.assert_array_equal(one.frame[name], other.frame[name])
    np.testing.assert_array_equal(one.frame["channels"]["grid"], other.frame["channels"]["grid"])
    fewer = replace(data, train=data.train[1:])
    for given, how in (
        (data, "features.channels={grid=3}"),
        (data, "features.augmented=1"),
        (data, "mirror=false"),
        (data, 'features.parts=["pooled"]'),
        (fewer, "features.channels={grid=2}"),
    ):
        before = len(made)
        read_inputs(bundle, given, recipe(how))
        assert len(made) == before + 1, how


def test_without_validation_rows_the_training_rows_are_shown(
    bundle: Bundle, data: ClassData, tmp_path: Path
) -> None:
    small = ClassData(
        data.source, data.labels, data.shares, data.train, data.val[:0], data.test[:0], data.groups
    )
    given = recipe("features.augmented=1", "features.mirror=false", "mirror=false")
    inputs = read_inputs(bundle, small, given)
    assert len(inputs.views) == 2 and len(inputs.seen) == 1 and inputs.tested == []
    assert np.array_equal(inputs.answers, inputs.labels)
    assert inputs.kept.root is None  # folds make components of their own
    np.testing.assert_allclose(inputs.seen[0], inputs.views[0], atol=0.01)


def test_parts_that_the_backbone_lacks_are_left_out(
    bundle: Bundle, data: ClassData, tmp_path: Path
) -> None:
    inputs = read_inputs(bundle, data, recipe('features.parts=["pooled", "voice"]'))
    assert inputs.frame["parts"] == ("pooled",)
    with pytest.raises(RecipeError, match=r"names voice, tiny has .*pooled") as caught:
        read_inputs(bundle, data, recipe('features.parts=["voice"]'))
    assert "\n" not in str(caught.value)
