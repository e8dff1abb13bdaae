"""One contract that every backbone family keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.backbones.catalog import FAMILIES, build_backbone, check_family
from facekit.errors import BundleError, RecipeError
from facekit.recipe.schema import BackboneSpec

SIDE = 64
SIDES = {"dlib-resnet": 150}  # smaller crops leave no grid


#: Small numbers for the families that have any.
SMALL: dict[str, dict[str, object]] = {
    "compact": {"widths": (8, 12, 16), "blocks": (1, 2, 1)},
    "cnn": {"widths": (6, 8, 10), "blocks": (1, 2, 1), "colour": "grey"},
    "densenet-bc": {"depth": 20, "growth": 4, "compression": 0.3},
    "resnet-v1": {"depth": 14, "colour": "grey"},
    "resnet-v2": {"depth": 20},
}


def spec_of(family: str) -> BackboneSpec:
    return BackboneSpec.model_validate(
        {"family": family, "identity_size": 16, **SMALL.get(family, {})}
    )


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match="did you mean mobilenetv2"):
        check_family("mobilnetv2")


@pytest.mark.tf
@pytest.mark.parametrize(
    "family", [f if f in SMALL else pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES]
)
def test_parts_export_and_weights(family: str, tmp_path: Path) -> None:
    from facekit.bundle.onnx import read_weights, to_onnx
    from facekit.bundle.session import OnnxBackbone
    from facekit.training.backend import start_keras

    start_keras(seed=3)
    side = SIDES.get(family, SIDE)
    model = build_backbone(spec_of(family), side)
    _settle(model)
    crops = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    wanted = {name: np.asarray(value) for name, value in model(crops, training=False).items()}
    assert {"pooled", "grid", "identity"} <= set(wanted)
    assert wanted["identity"].shape == (3, 16)
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in wanted.values())

    exact = OnnxBackbone(to_onnx(model, half=False)).embed(crops)
    for name, value in wanted.items():
        assert exact[name].shape == value.shape
        assert np.allclose(exact[name], value, atol=2e-3 * max(1, np.abs(value).max())), name

    path = tmp_path / "backbone.onnx"
    path.write_bytes(to_onnx(model))
    half = OnnxBackbone(path.read_bytes()).embed(crops)["identity"]
    assert np.abs(half - wanted["identity"]).max() < 0.05 * np.abs(wanted["identity"]).max() + 1e-3

    start_keras(seed=4)
    again = build_backbone(spec_of(family), side)
    read_weights(str(path), again)
    restored = np.asarray(again(crops, training=False)["identity"])
    assert np.abs(restored - half).max() < 5e-3 * max(1, np.abs(half).max())


def _settle(model: object) -> None:
    """Random statistics, so that a swapped mean and variance shows."""
    rng = np.random.default_rng(1)
    for layer in model.layers:  # type: ignore[attr-defined]
        if type(layer).__name__ == "PixelMean":
            layer.mean.assign(rng.uniform(0.2, 0.8, layer.mean.shape))
        if type(layer).__name__ == "BatchNormalization":
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, layer.moving_variance.shape))
            layer.beta.assign(rng.normal(0, 0.1, layer.beta.shape))


@pytest.mark.tf
def test_a_layer_that_cannot_be_exported_is_named() -> None:
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras

    start_keras()
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.UpSampling2D(name="grow")(x)
    with pytest.raises(BundleError, match="grow"):
        to_onnx(keras.Model(inputs, {"grid": x}))


@pytest.mark.tf
def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    from facekit.bundle.onnx import read_weights, to_onnx
    from facekit.training.backend import start_keras

    start_keras()
    small = build_backbone(spec_of("compact"), SIDE)
    path = tmp_path / "small.onnx"
    path.write_bytes(to_onnx(small))
    wide = BackboneSpec(widths=(16, 24, 32), blocks=(1, 2, 1), identity_size=16)
    with pytest.raises(BundleError, match="made from another backbone"):
        read_weights(str(path), build_backbone(wide, SIDE))


@pytest.mark.tf
def test_multiply_adds_are_counted() -> None:
    from facekit.training.backend import start_keras
    from facekit.training.keras import count_macs

    start_keras()
    import keras

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    assert count_macs(keras.Model(inputs, x)) == 8 * 8 * 9 * 3 * 4 + 8 * 8 * 4 * 5
