"""What a transfer begins with: a bundle, or a backbone of its own, exported once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.errors import RecipeError
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer import backbone as module
from facekit.workflows.transfer.backbone import open_model

SMALL = (
    "model=",
    "backbone.family=cnn",
    "backbone.widths=[4,6]",
    "backbone.blocks=[1,1]",
    "frame.side=32",
)


def recipe(*changes: str, name: str = "fer-frozen-mlp") -> TransferRecipe:
    return load_recipe(name, changes, TransferRecipe)


def test_a_bundle_that_is_named_is_taken(tiny_bundle: Path, facekit_home: Path) -> None:
    found = open_model(recipe(f"model={tiny_bundle}"))
    assert found is not None and found.folder == tiny_bundle
    assert open_model(recipe(f"model={tiny_bundle}", "rung=scratch")) is None
    assert not list(facekit_home.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((), "backbone.weights names no file: give your copy of rcmalli_vggface_tf_notop_vgg16.h5"),
        (("backbone.weights=nowhere.h5",), "backbone.weights='nowhere.h5' is no file"),
        (("backbone.weights=imagenet",), "not for vggface, whose weights are of faces"),
        (("rung=last",), "fer-vggface-frozen leaves open which: --set model=RUN/bundle"),
    ],
)
def test_what_is_missing_is_one_line(
    changes: tuple[str, ...], words: str, facekit_home: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        open_model(recipe(*changes, name="fer-vggface-frozen"))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not list(facekit_home.iterdir())


def test_nothing_climbs_from_no_bundle() -> None:
    with pytest.raises(RecipeError, match=r"model is empty and rung='auto' climbs"):
        recipe("model=", "rung=auto")


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that were really exported to."""
    made: list[Path] = []
    export: Callable[..., Bundle] = module._export

    def counted(folder: Path, *rest: Any) -> Bundle:
        made.append(folder)
        return export(folder, *rest)

    monkeypatch.setattr(module, "_export", counted)
    return made


@pytest.mark.tf
def test_an_own_backbone_is_exported_once_and_found_again(
    exports: list[Path], facekit_home: Path
) -> None:
    first = open_model(recipe(*SMALL))
    again = open_model(recipe(*SMALL, "head.epochs=3"))
    assert first is not None and again is not None and len(exports) == 1
    assert first.folder == again.folder == exports[0]
    assert first.folder.parent == facekit_home / "cache" / "backbones" and first.key == again.key
    assert not first.heads and first.name == "cnn" and first.frame.side == 32
    assert first.parts == {"pooled": (6,), "grid": (8, 8, 6)}
    assert first.manifest.training == {"began": "random weights"}
    others = ["training.seed=1", "frame.side=40", "backbone.widths=[4,8]", "top={pool='flatten'}"]
    keys = {first.key}
    for change in others:
        other = open_model(recipe(*SMALL, change))
        assert other is not None
        keys.add(other.key)
    assert len(keys) == len(exports) == 1 + len(others)


@pytest.mark.tf
def test_a_damaged_export_is_made_again(exports: list[Path], facekit_home: Path) -> None:
    first = open_model(recipe(*SMALL))
    assert first is not None
    (first.folder / "backbone.onnx").write_bytes(b"damaged")
    again = open_model(recipe(*SMALL))
    assert again is not None and again.key == first.key and len(exports) == 2


@pytest.mark.tf
def test_other_weights_are_another_backbone(
    exports: list[Path], vggface_file: Path, tmp_path: Path, facekit_home: Path
) -> None:
    changes = ("frame.side=32", f"backbone.weights={vggface_file}")
    found = open_model(recipe(*changes, name="fer-vggface-frozen"))
    assert found is not None and found.manifest.backbone.parameters == 14_714_688
    assert "rcmalli" in found.manifest.training["began"]
    assert str(vggface_file.parent) not in json.dumps(found.manifest.model_dump(mode="json"))
    assert "non-commercial" in found.manifest.data_licences["VGGFace"]
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    moved = tmp_path / "copy.h5"  # the same weights under another name are the same
    moved.write_bytes(vggface_file.read_bytes())
    same = open_model(recipe(changes[0], f"backbone.weights={moved}", name="fer-vggface-frozen"))
    assert same is not None and same.folder == found.folder and len(exports) == 1
    random = open_model(recipe(changes[0], "backbone.weights=none", name="fer-vggface-frozen"))
    assert random is not None and len(exports) == 2 and not random.manifest.data_licences
    one, other = (bundle.embed(crops)["pooled"] for bundle in (found, random))
    assert not np.allclose(one, other, rtol=0.1)
    assert load_bundle(found.folder).key == found.key
