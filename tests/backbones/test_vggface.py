"""VGGFace against a plain VGG-16 that is given the same arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.backbones.vggface import LAYERS, read_file
from facekit.errors import RecipeError
from facekit.recipe.schema import BackboneSpec

pytestmark = pytest.mark.tf


def test_it_answers_as_a_plain_vgg16_does(vggface_file: Path) -> None:
    """Whose pictures are blue-green-red less the mean of keras-vggface's version 1."""
    from facekit.backbones.catalog import build_backbone
    from facekit.backbones.weights import load_weights, name_weights
    from facekit.training.backend import start_keras

    start_keras(seed=1)
    import keras

    spec = BackboneSpec(family="vggface", weights=str(vggface_file), identity_size=0)
    backbone = build_backbone(spec, 40)
    load_weights(backbone, spec)
    plain = keras.applications.VGG16(include_top=False, weights=None, input_shape=(40, 40, 3))
    arrays = read_file(vggface_file)
    plain.set_weights([array for name in LAYERS for array in arrays[name]])

    crops = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    x = crops[..., ::-1].astype(np.float32) - np.float32((93.5940, 104.7624, 129.1863))
    wanted = plain.predict_on_batch(x)
    found = backbone.predict_on_batch(crops)
    assert found["grid"] == pytest.approx(wanted, rel=1e-3, abs=1e-4 * float(wanted.max()))
    assert found["pooled"] == pytest.approx(wanted.mean((1, 2)), rel=1e-3, abs=1e-3)
    assert np.ptp(found["pooled"], axis=0).max() > 1
    assert name_weights(spec).startswith("rcmalli_vggface_tf_notop_vgg16.h5, sha256 ")


def test_weights_that_cannot_be_had_are_one_line(tmp_path: Path) -> None:
    from facekit.backbones.weights import check_weights

    def refused(weights: str) -> str:
        with pytest.raises(RecipeError) as caught:
            check_weights(BackboneSpec(family="vggface", weights=weights, identity_size=0))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "backbone.weights names no file: give your copy of rcmalli" in refused("")
    assert "is no file: give the path of one, or none" in refused(str(tmp_path))
    (tmp_path / "empty.h5").touch()
    assert "it is no HDF5 file" in refused(str(tmp_path / "empty.h5"))
    check_weights(BackboneSpec(family="vggface", weights="none"))


def test_weights_are_told_apart_by_what_is_in_the_file(tmp_path: Path) -> None:
    from facekit.backbones.weights import hash_weights

    for name, content in (("a.h5", b"one"), ("b.h5", b"one"), ("c.h5", b"two")):
        (tmp_path / name).write_bytes(content)
    specs = [BackboneSpec(family="vggface", weights=str(tmp_path / f"{n}.h5")) for n in "abc"]
    a, b, c = map(hash_weights, specs)
    assert a == b != c and len(a) == 64
    assert hash_weights(BackboneSpec(family="vggface")) == "none"
