"""A classifier on a backbone: what moves, where it starts, what its head is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facekit.backbones.catalog import FAMILIES, last_stage
from facekit.errors import RecipeError
from facekit.heads.kinds import LinearHead
from facekit.recipe.schema import BackboneSpec
from facekit.recipe.transfer import TransferRecipe

SIDE, CLASSES = 32, 4
SPEC = BackboneSpec(widths=(6, 8, 10), blocks=(1, 1, 1), identity_size=0)


def recipe_of(rung: str, *, rate: float = 1e-2) -> TransferRecipe:
    return TransferRecipe.model_validate(
        {
            "name": "tiny",
            "rung": rung,
            "backbone": SPEC.model_dump(),
            "head": {"dropout": 0.0},
            "optimizer": {"learning_rate": rate},
        }
    )


def make_backbone(*, settled: bool = False) -> Any:
    """A backbone of random weights; its normalisation may know ``crops_of(64)``."""
    from facekit.backbones.catalog import build_backbone
    from facekit.training.backend import start_keras

    start_keras(seed=1)
    backbone = build_backbone(SPEC, SIDE)
    if settled:
        norms = [layer for layer in backbone.layers if hasattr(layer, "moving_mean")]
        for norm in norms:
            norm.momentum = 0.0
        backbone(crops_of(64), training=True)
        for norm in norms:
            norm.momentum = 0.98
    return backbone


def build(rung: str, start: LinearHead | None = None, *, settled: bool = False) -> tuple[Any, Any]:
    from facekit.training.classifier import build_classifier

    backbone = make_backbone(settled=settled)
    return backbone, build_classifier(backbone, recipe_of(rung), CLASSES, start)


def crops_of(n: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)


def values(model: Any) -> dict[str, Any]:
    from facekit.training.keras import to_numpy

    return {w.path: to_numpy(w) for w in model.weights}


def moved_by_training(rung: str) -> tuple[set[str], set[str], int]:
    """Weights that three steps change, all of them, and how many numbers should."""
    from facekit.training.keras import count_trainable

    _, model = build(rung)
    before = values(model)
    wanted = {"classes": np.eye(CLASSES, dtype=np.float32)[np.arange(8) % CLASSES]}
    for _ in range(3):
        model.train_on_batch(crops_of(8), wanted)
    after = values(model)
    changed = {name for name, value in before.items() if not np.array_equal(value, after[name])}
    return changed, set(before), count_trainable(model)


@pytest.mark.tf
def test_the_last_rung_moves_the_last_stage_and_the_head_alone() -> None:
    changed, everything, count = moved_by_training("last")
    wanted = {name for name in everything if name.startswith(("stage3_", "classes"))}
    assert changed == wanted  # statistics of normalisation included, moved and frozen
    assert any("moving_mean" in name for name in everything - changed)
    assert any("stage3_" in name and "moving_variance" in name for name in changed)
    assert not any("stage2" in name or "stem" in name for name in changed)
    still = ("moving_mean", "moving_variance")
    _, model = build("last")
    sizes = [v.size for n, v in values(model).items() if n in wanted and not n.endswith(still)]
    assert count == sum(sizes)


@pytest.mark.tf
@pytest.mark.parametrize("rung", ["full", "scratch"])
def test_the_full_rung_moves_everything(rung: str) -> None:
    changed, everything, _ = moved_by_training(rung)
    assert changed == everything


@pytest.mark.tf
def test_other_rungs_train_no_backbone() -> None:
    from facekit.training.classifier import set_rung

    backbone, _ = build("full")
    with pytest.raises(RecipeError, match="rung='frozen' trains no backbone"):
        set_rung(backbone, "frozen", ("stage3_",))
    with pytest.raises(RecipeError, match="named stage9_: take rung=full"):
        set_rung(backbone, "last", ("stage9_",))


def head_of(weight: Any, bias: Any, mean: Any, scale: Any) -> LinearHead:
    return LinearHead(
        parts=("pooled",), labels=tuple("abcd"), activation="softmax",
        weight=weight, bias=bias, mean=mean, scale=scale,
    )  # fmt: skip


@pytest.mark.tf
def test_it_starts_as_the_head_it_is_given() -> None:
    """Small scales included: the layer's epsilon must not shrink them."""
    rng = np.random.default_rng(2)
    width = sum(SPEC.widths)
    scale = np.geomspace(1e-3, 2, width)
    start = head_of(rng.normal(size=(width, 4)), rng.normal(size=4), rng.normal(size=width), scale)
    backbone, model = build("last", start)
    pooled = np.asarray(backbone.predict_on_batch(crops_of(5))["pooled"])
    wanted = start.logits({"pooled": pooled})
    found = model.predict_on_batch(crops_of(5))["classes"]
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-3 * float(np.abs(wanted).max()))
    assert np.abs(wanted).max() > 100  # the small scales did count


@pytest.mark.tf
def test_a_rate_of_nearly_zero_leaves_the_start() -> None:
    """Statistics follow the batches: here they are those of the batch already."""
    from facekit.heads.logistic import standardise

    crops = crops_of(64)
    pooled = np.asarray(make_backbone(settled=True).predict_on_batch(crops)["pooled"])
    mean, scale = standardise(pooled)
    rng = np.random.default_rng(3)
    start = head_of(rng.normal(size=(len(mean), 4)), rng.normal(size=4), mean, scale)
    _, model = build("last", start, settled=True)
    model.optimizer.learning_rate = 1e-12
    for _ in range(5):
        model.train_on_batch(crops, {"classes": np.eye(4, dtype=np.float32)[np.arange(64) % 4]})
    wanted = start.logits({"pooled": pooled})
    found = model.predict_on_batch(crops)["classes"]
    assert np.abs(found - wanted).max() < 0.01 * np.abs(wanted).max()


@pytest.mark.tf
def test_the_head_read_back_gives_the_logits_of_the_model() -> None:
    from facekit.training.classifier import read_head

    backbone, model = build("full")
    rng = np.random.default_rng(4)
    norm = model.get_layer("classes_norm")
    for variable in (norm.gamma, norm.beta, norm.moving_mean):
        variable.assign(rng.normal(1, 0.5, variable.shape))
    norm.moving_variance.assign(rng.uniform(1e-4, 2, norm.moving_variance.shape))
    head = read_head(model, tuple("abcd"))
    pooled = np.asarray(backbone.predict_on_batch(crops_of(6))["pooled"])
    wanted = model.predict_on_batch(crops_of(6))["classes"]
    assert head.logits({"pooled": pooled}) == pytest.approx(wanted, rel=1e-3, abs=1e-3)
    assert head.labels == tuple("abcd") and head.activation == "softmax"


@pytest.mark.tf
def test_the_trunk_is_what_the_head_reads() -> None:
    from facekit.training.classifier import build_trunk

    backbone, _ = build("full")
    trunk = build_trunk(backbone)
    assert set(trunk.output) == {"pooled"}
    both = (np.asarray(model(crops_of(2), training=False)["pooled"]) for model in (trunk, backbone))
    assert np.array_equal(*both)


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_last_stage(family: str) -> None:
    from facekit.backbones.catalog import build_backbone
    from facekit.training.backend import start_keras
    from facekit.training.classifier import set_rung

    start_keras(seed=0)
    counted = family in ("compact", "cnn")
    spec = SPEC.model_copy(update={"family": family}) if counted else BackboneSpec(family=family)
    spec = spec.model_copy(update={"identity_size": 0})
    backbone = build_backbone(spec, 150 if family == "dlib-resnet" else 64)  # six times halved
    set_rung(backbone, "last", last_stage(family, len(spec.widths)))
    moving = [bool(layer.trainable_weights) for layer in backbone.layers if layer.weights]
    first = moving.index(True)
    assert first > 0
    if family != "compact":  # whose parts of every stage come last
        assert all(moving[first:])
    numbers = sum(int(np.prod(w.shape)) for w in backbone.trainable_weights)
    assert 0.2 < numbers / backbone.count_params() < 0.8


def test_a_family_that_does_not_exist_has_no_last_stage() -> None:
    assert last_stage("compact", 3) == ("stage3_",)
    with pytest.raises(RecipeError, match="did you mean compact"):
        last_stage("compct")
