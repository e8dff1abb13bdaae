"""The layers on top of a backbone: what they are, and that the light path answers alike."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from facekit.heads.head import Head
from facekit.heads.kinds import LinearHead, MlpHead
from facekit.recipe.transfer import TransferRecipe

pytestmark = pytest.mark.tf
NAMES = tuple("abcd")


def build(top: dict[str, Any], start: Head | None = None, **keys: Any) -> tuple[Any, Any]:
    """A tiny plain network with a classifier around it."""
    from facekit.backbones.catalog import build_backbone
    from facekit.training.backend import start_keras
    from facekit.training.classifier import build_classifier

    start_keras(seed=3)
    recipe = TransferRecipe.model_validate(
        {
            "name": "tiny",
            "rung": "scratch",
            "backbone": {
                "family": "cnn", "widths": (4, 6), "blocks": (1, 1), "identity_size": 0, **keys
            },
            "top": top,
        }
    )  # fmt: skip
    pool = recipe.top.pool if recipe.top else "average"
    backbone = build_backbone(recipe.backbone, 16, pool)
    return backbone, build_classifier(backbone, recipe, len(NAMES), start)


def crops_of(n: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("pool", ["average", "flatten"])
@pytest.mark.parametrize(("widths", "kind"), [((), LinearHead), ((5,), MlpHead), ((7, 5), MlpHead)])
def test_the_head_gives_the_logits_of_the_model(
    pool: str, widths: tuple[int, ...], kind: type[Head]
) -> None:
    from facekit.training.classifier import read_head

    backbone, model = build({"pool": pool, "widths": widths, "dropout": 0.3, "l2": 0.1})
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "Dense":
            layer.bias.assign(rng.normal(0, 0.5, layer.bias.shape))
    head = read_head(model, NAMES)
    assert type(head) is kind and head.labels == NAMES and head.activation == "softmax"
    assert head.mean is None and head.scale is None
    assert not any("norm" in layer.name for layer in model.layers)
    read = {"pooled": np.asarray(backbone.predict_on_batch(crops_of(6))["pooled"])}
    assert read["pooled"].shape == (6, 6 if pool == "average" else 96)
    wanted = model.predict_on_batch(crops_of(6))["classes"]
    assert head.logits(read) == pytest.approx(wanted, abs=1e-4)
    assert head.parameters == model.count_params() - backbone.count_params()


@pytest.mark.parametrize("widths", [(), (5,)])
def test_training_may_begin_with_a_head(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    shared: dict[str, Any] = {
        "parts": ("pooled",), "labels": NAMES, "activation": "softmax",
        "mean": rng.normal(size=6), "scale": rng.uniform(0.1, 2, 6),
    }  # fmt: skip
    sizes = (6, *widths, 4)
    layers = [(rng.normal(size=two), rng.normal(size=two[1])) for two in pairwise(sizes)]
    weight, bias = layers[0]
    start: Head = (
        MlpHead(layers=tuple(layers), **shared)
        if widths
        else LinearHead(weight=weight, bias=bias, **shared)
    )
    backbone, model = build({"widths": widths}, start)
    read = {"pooled": np.asarray(backbone.predict_on_batch(crops_of(5))["pooled"])}
    found = model.predict_on_batch(crops_of(5))["classes"]
    assert found == pytest.approx(start.logits(read), rel=1e-3, abs=1e-3)
    with pytest.raises(ValueError, match="has other layers"):
        build({"widths": (*widths, 8)}, start)


def test_squared_weights_cost_what_the_recipe_says() -> None:
    from facekit.training.keras import to_numpy

    wanted = {"classes": np.eye(4, dtype=np.float32)}
    plain = build({"widths": (5,)})[1].test_on_batch(crops_of(4), wanted)
    _, model = build({"widths": (5,), "l2": 0.5}, l2=0.25)
    dear = model.test_on_batch(crops_of(4), wanted)
    squares = {
        layer.name: float((to_numpy(layer.kernel) ** 2).sum())
        for layer in model.layers
        if hasattr(layer, "kernel")
    }
    convolutions = squares["block1_conv1"] + squares["block2_conv1"]
    expected = 0.5 * squares["classes_hidden1"] + 0.25 * convolutions
    assert dear - plain == pytest.approx(expected, rel=1e-3)
