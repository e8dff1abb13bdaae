"""Classifiers as ``.keras`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.mark.tf
def test_a_grey_network_comes_back_from_its_file(tmp_path: Path) -> None:
    from facekit.recipe.schema import BackboneSpec, TopSpec
    from facekit.recipe.transfer import TransferRecipe
    from facekit.training.backend import start_keras

    start_keras(seed=1)
    import keras

    from facekit.backbones.catalog import build_backbone
    from facekit.training.classifier import build_classifier
    from facekit.training.keras import save_keras

    spec = BackboneSpec(family="resnet-v1", depth=8, colour="grey", identity_size=0, l2=1e-4)
    recipe = TransferRecipe(name="x", rung="scratch", backbone=spec, top=TopSpec())
    model = build_classifier(build_backbone(spec, 32), recipe, 3, None)
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    save_keras(model, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    shares = keras.saving.load_model(tmp_path / "model.keras").predict_on_batch(crops)
    assert shares.shape == (5, 3) and np.allclose(shares.sum(1), 1, atol=1e-5)
    logits = model.predict_on_batch(crops)["classes"]
    assert np.allclose(np.log(shares) - np.log(shares[:, :1]), logits - logits[:, :1], atol=1e-4)
