"""A bundle's backbone, back in Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.write import BundleContents, write_bundle
from facekit.errors import RecipeError
from facekit.frame import FaceFrame
from facekit.recipe.schema import BackboneSpec

pytestmark = pytest.mark.tf


def test_a_restored_backbone_answers_like_its_bundle(
    tiny_contents: BundleContents, tmp_path: Path
) -> None:
    from facekit.backbones.catalog import build_backbone
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras
    from facekit.training.keras import restore_backbone

    start_keras(seed=5)
    spec = BackboneSpec(widths=(8, 12), blocks=(1, 1), identity_size=16)
    model = build_backbone(spec, 40)
    contents = replace(
        tiny_contents,
        onnx=to_onnx(model),
        frame=FaceFrame(side=40),
        family="compact",
        config=spec.model_dump(mode="json"),
        heads={},
    )
    bundle = write_bundle(tmp_path / "small", contents)
    start_keras(seed=6)  # other random weights, unless they are really read
    restored = restore_backbone(bundle)
    crops = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), dtype=np.uint8)
    wanted, found = bundle.embed(crops), restored(crops, training=False)
    assert set(wanted) == set(found)
    for name, value in wanted.items():
        assert np.allclose(np.asarray(found[name]), value, atol=1e-4 * (1 + np.abs(value).max()))
    assert len(restored.trainable_weights) == len(model.trainable_weights)


def test_a_family_outside_the_catalog_is_refused(tiny_bundle: Path) -> None:
    from facekit.bundle.load import load_bundle
    from facekit.training.keras import restore_backbone

    bundle = load_bundle(tiny_bundle)
    manifest = bundle.manifest
    entry = manifest.backbone.model_copy(update={"config": {}})
    foreign = replace(bundle, manifest=manifest.model_copy(update={"backbone": entry}))
    with pytest.raises(RecipeError, match="'tiny'"):
        restore_backbone(foreign)
