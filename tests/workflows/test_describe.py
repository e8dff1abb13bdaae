"""The networks of the recipes have exactly the sizes that were published."""

from __future__ import annotations

from typing import Any

import pytest

from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.describe import describe_network

pytestmark = pytest.mark.tf

#: Recipe -> parameters, input, convolutions (shortcuts included).
PUBLISHED = {
    "fer-mobilenetv2-tfrecord": (953_334, [224, 224, 3], 52),
    "fer-cnn-simple": (83_335, [48, 48, 1], 2),
    "fer-densenet-bc-03": (582_025, [48, 48, 1], 100),
    "fer-densenet-bc-05": (723_891, [48, 48, 1], 100),
    "fer-densenet-bc-07": (918_121, [48, 48, 1], 100),
    "fer-resnet104-v1": (1_647_975, [48, 48, 1], 103 + 2),
    "fer-resnet155-v2": (4_711_047, [48, 48, 1], 154 + 3),
}


def described(name: str, *changes: str) -> dict[str, Any]:
    return describe_network(load_recipe(name, changes))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_makes_the_published_network(name: str) -> None:
    told = described(name)
    assert (told["parameters"], told["input"], told["convolutions"]) == PUBLISHED[name]
    assert told["name"] == name and told["layers"] == len(told["summary"])
    # What does not move are the moving statistics of normalisation, and they alone.
    still = sum(
        row["parameters"] // 2 for row in told["summary"] if row["kind"] == "BatchNormalization"
    )
    assert told["trainable"] == told["parameters"] - still
    assert told["outputs"] == told["summary"][-1]["shape"][0] == (6 if "tfrecord" in name else 7)


def test_vgg_face_has_its_layers_and_its_numbers() -> None:
    """14,847,815 with a dense layer of 256 and seven classes; 133,127 of them on top."""
    from facekit.backbones.catalog import build_backbone
    from facekit.recipe.schema import BackboneSpec
    from facekit.training.backend import start_keras
    from facekit.training.classifier import build_classifier, set_rung
    from facekit.training.keras import count_parameters, count_trainable

    start_keras()
    made = {
        "name": "vgg", "rung": "full", "top": {"widths": [256], "dropout": 0.5},
        "backbone": {"family": "vggface", "identity_size": 0},
    }  # fmt: skip
    recipe = TransferRecipe.model_validate(made)
    backbone = build_backbone(BackboneSpec(family="vggface", identity_size=0), 224)
    model = build_classifier(backbone, recipe, 7, None)
    assert count_parameters(model) == 14_847_815
    convolutions = [layer.name for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert convolutions == [
        f"conv{block}_{i}" for block in range(1, 6) for i in range(1, 3 if block < 3 else 4)
    ]
    set_rung(backbone, "last", ("conv5_",))
    assert count_trainable(model) == 133_127 + 3 * (9 * 512 * 512 + 512)
    backbone.trainable = False
    assert count_trainable(model) == 133_127


def test_vgg_face_recipes_need_no_weights_to_be_described() -> None:
    """The head is counted as Keras would: what standardises its input is not learned."""
    frozen = described("fer-vggface-frozen")
    assert (frozen["parameters"], frozen["trainable"]) == (14_847_815, 133_127)
    assert (frozen["input"], frozen["convolutions"], frozen["outputs"]) == ([224, 224, 3], 13, 7)
    assert [row["parameters"] for row in frozen["summary"][-2:]] == [131_328, 1_799]
    block5 = described("fer-vggface-block5")
    assert block5["parameters"] == 14_847_815
    assert block5["trainable"] == 133_127 + 3 * (9 * 512 * 512 + 512)


def test_a_pretraining_recipe_and_a_smaller_one() -> None:
    told = described("celeba-attributes-cnn", "backbone.widths=[4,8]", "backbone.blocks=[1,2]")
    convolutions = [9 * 3 * 4 + 4, 9 * 4 * 8 + 8, 9 * 8 * 8 + 8]
    assert told["parameters"] == told["trainable"] == sum(convolutions) + 8 * 40 + 40
    assert (told["outputs"], told["convolutions"], told["input"]) == (40, 3, [109, 109, 3])


def test_a_frozen_backbone_has_the_head_that_will_be_fitted() -> None:
    linear = described("fer-frozen-linear", 'features.parts=["identity"]')
    assert linear["trainable"] == 128 * 7 + 7
    told = described("fer-frozen", 'features.parts=["grid","pooled"]', "head.members=2")
    d = 5 * 5 * 64 + 480
    assert told["trainable"] == 256 * 64 + (d * 1024 + 1024) + (1024 * 7 + 7)
    assert told["parameters"] - told["trainable"] == linear["parameters"] - linear["trainable"]
    last = described("fer-last-stage")
    assert 0.3 < last["trainable"] / last["parameters"] < 0.95


def test_an_enrolment_is_one_neuron_on_the_backbone() -> None:
    told = described("me")
    frozen = described("fer-frozen-linear", 'features.parts=["identity"]')
    assert (told["trainable"], told["outputs"]) == (128 + 1, 1)
    assert told["parameters"] - 129 == frozen["parameters"] - frozen["trainable"]
    assert told["summary"][-1]["name"] == "neuron"
    told = described("me-binary")
    assert (told["convolutions"], told["outputs"], told["input"]) == (5, 1, [109, 109, 3])
    attributes = described("celeba-attributes-cnn")["parameters"]
    assert told["trainable"] == 257
    assert told["parameters"] == attributes - (256 * 40 + 40) + 257
