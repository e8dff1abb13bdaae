"""What a backbone may be: keys of its family, depths, what a manifest says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.backbones.catalog import (
    FAMILIES,
    check_backbone,
    config_of,
    resolve_depth,
    spec_from_config,
)
from facekit.errors import RecipeError
from facekit.recipe.schema import BackboneSpec


def fault(**keys: object) -> str:
    with pytest.raises(RecipeError) as caught:
        check_backbone(BackboneSpec.model_validate(keys))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_the_defaults(family: str) -> None:
    check_backbone(BackboneSpec(family=family))


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("compact", "alpha", 0.5),
        ("vggface", "colour", "grey"),
        ("mobilenetv2", "l2", 1e-4),
        ("resnet50v2", "alpha", 0.5),
        ("resnet-v1", "growth", 24),
        ("cnn", "depth", 20),
        ("densenet-bc", "widths", (8, 16, 32, 64)),
        ("densenet-bc", "weights", "imagenet"),
    ],
)
def test_a_key_of_another_family_is_refused(family: str, key: str, value: object) -> None:
    text = fault(family=family, **{key: value})
    assert f"backbone.{key} says nothing to the family {family}: leave it out" in text


def test_vgg_face_has_no_imagenet_weights() -> None:
    text = fault(family="vggface", weights="imagenet")
    assert "whose weights are of faces: give your copy of rcmalli_vggface_tf_notop_vgg16" in text
    check_backbone(BackboneSpec(family="vggface", weights=""))  # to be named by who runs it


def test_depths_are_those_of_the_papers() -> None:
    own = {f: resolve_depth(BackboneSpec(family=f)).depth for f in FAMILIES}
    assert (own["densenet-bc"], own["resnet-v1"], own["resnet-v2"]) == (100, 104, 155)
    assert "6n + 2: take 98 or 104" in fault(family="resnet-v1", depth=100)
    assert "9n + 2: take 11 or 20" in fault(family="resnet-v2", depth=3)
    assert "8n + 4: take 92 or 100" in fault(family="densenet-bc", depth=99)


def test_a_manifest_holds_what_the_family_reads() -> None:
    spec = BackboneSpec(family="densenet-bc", growth=8, l2=1e-4, identity_size=0)
    config = config_of(spec, "flatten")
    assert set(config) == {
        "family", "dropout", "identity_size", "depth", "growth", "compression", "colour", "l2",
        "pool",
    }  # fmt: skip
    assert config["depth"] == 100  # and not 0, which another version may read otherwise
    assert spec_from_config("densenet-bc", config) == (resolve_depth(spec), "flatten")
    started = config_of(BackboneSpec(family="mobilenetv2", weights="/home/me/mine.h5"))
    assert "weights" not in started and "pool" not in started


@pytest.mark.tf
def test_what_is_pooled_is_the_average_or_all_of_the_grid() -> None:
    import numpy as np

    from facekit.backbones.catalog import build_backbone
    from facekit.training.backend import start_keras

    start_keras(seed=1)
    spec = BackboneSpec(family="cnn", widths=(4, 6), blocks=(1, 1), identity_size=0, colour="grey")
    crops = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    for pool in ("average", "flatten"):
        found = build_backbone(spec, 20, pool)(crops, training=False)
        grid, pooled = np.asarray(found["grid"]), np.asarray(found["pooled"])
        assert grid.shape == (2, 5, 5, 6)
        wanted = grid.mean((1, 2)) if pool == "average" else grid.reshape(2, -1)
        assert pooled == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(RecipeError, match=r"crops of 2 px .* larger frame\.side"):
        build_backbone(spec, 2)


@pytest.mark.tf
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras' own, when it saves
def test_weights_come_from_a_file_or_one_line_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras
    import numpy as np

    from facekit.backbones.catalog import build_backbone
    from facekit.backbones.weights import check_weights, load_weights, name_weights
    from facekit.training.backend import start_keras
    from facekit.training.keras import to_numpy

    start_keras(seed=2)
    path = tmp_path / "small.weights.h5"
    body = keras.applications.MobileNetV2(
        include_top=False, weights=None, alpha=0.35, input_shape=(224, 224, 3)
    )
    body.save_weights(path)
    spec = BackboneSpec(family="mobilenetv2", alpha=0.35, weights=str(path), identity_size=0)
    backbone = build_backbone(spec, 48)
    load_weights(backbone, spec)
    kernels = (to_numpy(model.get_layer("Conv_1").kernel) for model in (backbone, body))
    assert np.array_equal(*kernels)
    assert name_weights(spec).startswith("small.weights.h5, sha256 ")
    assert str(tmp_path) not in name_weights(spec)

    def refused(**keys: object) -> str:
        with pytest.raises(RecipeError) as caught:
            check_weights(spec.model_copy(update=keys))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "is no file" in refused(weights=str(tmp_path / "none.h5"))
    assert "cannot be read as weights of mobilenetv2" in refused(alpha=0.5)

    def fetch(*args: object, **keys: object) -> str:
        raise OSError("URL fetch failure: no such host.\nand more")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fetch)
    text = refused(weights="imagenet")
    assert "cannot be had (URL fetch failure: no such host): name a file with" in text
    assert "--set backbone.weights=none" in text


@pytest.mark.tf
@pytest.mark.parametrize("family", ["mobilenetv2", "resnet50v2", "densenet121"])
def test_a_published_network_reads_what_it_was_trained_on(family: str) -> None:
    """Its own preprocessing in keras.applications says what that is."""
    import importlib

    import keras
    import numpy as np

    from facekit.backbones import applications

    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    spec = BackboneSpec(family=family, identity_size=0)
    whole = keras.Model(inputs, applications.build_parts(inputs, spec)["grid"])
    found = keras.Model(inputs, whole.layers[1].output).predict_on_batch(crops)
    places = {"resnet50v2": "resnet_v2", "densenet121": "densenet"}
    module = importlib.import_module(f"keras.applications.{places.get(family, 'mobilenet_v2')}")
    wanted = module.preprocess_input(crops.astype(np.float32))
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.tf
def test_averages_of_a_network_begun_at_random_keep_up() -> None:
    """With Keras's 0.999, an epoch of 1,400 steps leaves a quarter of the first variance."""
    from keras import layers

    from facekit.backbones.catalog import build_backbone

    def momenta(weights: str) -> set[float]:
        spec = BackboneSpec(family="mobilenetv2", alpha=0.35, weights=weights, identity_size=0)
        found = build_backbone(spec, 48).layers
        return {each.momentum for each in found if isinstance(each, layers.BatchNormalization)}

    assert momenta("none") == {0.99}
    assert momenta("imagenet") == {0.999}  # these have averages to keep
