"""Bundles of heads alone, which go on from another bundle's backbone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from facekit.bundle import load as zoo
from facekit.bundle.load import load_bundle, named_bundle
from facekit.bundle.manifest import read_manifest
from facekit.bundle.write import write_bundle
from facekit.errors import BundleError
from facekit.heads.kinds import LinearHead
from facekit.labels import EMOTIONS
from facekit.workflows.models import add_model

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

CROPS = np.random.default_rng(3).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)


def head(seed: int = 0) -> LinearHead:
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(3, 7)), rng.normal(size=7)
    return LinearHead(
        parts=("pooled",), labels=EMOTIONS, weight=weight, bias=bias, activation="softmax"
    )


@pytest.fixture
def models(tiny_bundle: Path, facekit_home: Path) -> Path:
    """The user's models folder with the bundle "tiny" in it."""
    shutil.copytree(tiny_bundle, facekit_home / "models" / "tiny")
    return facekit_home / "models"


@pytest.fixture
def heads_only(tiny_contents: BundleContents) -> BundleContents:
    """An emotion head on the backbone of "tiny"."""
    return replace(tiny_contents, name="moods", heads={"emotions": head()}, base="tiny")


def test_heads_go_on_from_the_base(
    models: Path, heads_only: BundleContents, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path / "moods", heads_only)
    names = sorted(path.name for path in bundle.folder.iterdir())
    assert names == ["card.md", "head-emotions.npz", "manifest.json"]
    assert list(bundle.heads) == ["attributes", "points", "emotions"]
    assert list(bundle.manifest.heads) == list(bundle.heads)
    base = load_bundle("tiny")
    assert (bundle.name, bundle.folder) == ("moods", tmp_path / "moods")
    assert (bundle.key, bundle.parts, bundle.frame) == (base.key, base.parts, base.frame)
    assert bundle.graph == base.graph == models / "tiny" / "backbone.onnx"
    embedding, scores = bundle.read(CROPS, list(bundle.heads))
    np.testing.assert_allclose(scores["emotions"], head().scores(embedding), rtol=1e-5)
    for name, wanted in base.scores(CROPS, ["attributes"]).items():
        np.testing.assert_array_equal(scores[name], wanted)


def test_the_manifest_on_disk_lists_what_is_there(
    models: Path, heads_only: BundleContents, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "moods", heads_only).folder
    record = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert record["base"] == {"name": "tiny"} and list(record["heads"]) == ["emotions"]
    assert record["backbone"]["sha256"] == read_manifest(models / "tiny").backbone.sha256
    assert "base" not in json.loads((models / "tiny" / "manifest.json").read_text("utf-8"))


def test_another_backbone_is_refused(
    models: Path, heads_only: BundleContents, tiny_onnx: bytes, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "moods", heads_only).folder
    import onnx

    changed = onnx.load_from_string(tiny_onnx)
    changed.producer_name = "trained again"
    whole = replace(heads_only, name="tiny", base="", onnx=changed.SerializeToString())
    write_bundle(models / "tiny", whole)
    with pytest.raises(BundleError, match="another version of the backbone tiny") as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value) and "facekit transfer" in str(caught.value)
    with pytest.raises(BundleError, match="another version of the backbone tiny"):
        write_bundle(tmp_path / "more", heads_only)
    assert not (tmp_path / "more").exists()


def test_a_base_that_is_not_here_is_named(
    models: Path, heads_only: BundleContents, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "moods", heads_only).folder
    (models / "tiny").rename(models / "small")
    with pytest.raises(BundleError, match=r"moods needs the model 'tiny', which is not here"):
        load_bundle(folder)
    shutil.copytree(folder, models / "tiny")  # a copy of it takes the name of its base
    for one in (folder, "tiny"):
        with pytest.raises(BundleError, match="needs the model 'tiny', which is not here"):
            load_bundle(one)


def test_heads_on_heads(models: Path, heads_only: BundleContents, tmp_path: Path) -> None:
    moods = write_bundle(models / "moods", heads_only)
    classes = replace(head(4), labels=tuple("abcdefg"))
    more = replace(heads_only, name="more", heads={"classes": classes}, base="moods")
    bundle = write_bundle(tmp_path / "more", more)
    assert list(bundle.heads) == ["attributes", "points", "emotions", "classes"]
    assert bundle.graph == moods.graph == models / "tiny" / "backbone.onnx"


@pytest.mark.parametrize("name", ["head-emotions.npz", "manifest.json", "card.md"])
def test_one_changed_byte_is_refused(
    models: Path, heads_only: BundleContents, tmp_path: Path, name: str
) -> None:
    folder = write_bundle(tmp_path / "moods", heads_only).folder
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        load_bundle(folder)


def test_it_can_be_added_to_the_users_models(
    models: Path, heads_only: BundleContents, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "run" / "bundle", heads_only).folder
    added = add_model(folder)
    assert added == models / "moods" and named_bundle("moods") == added
    assert sorted(p.name for p in added.iterdir()) == sorted(p.name for p in folder.iterdir())
    assert "emotions" in load_bundle("moods").heads


def test_names_are_no_paths(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models)
    assert named_bundle("tiny") == models / "tiny"
    assert [named_bundle(name) for name in ("./tiny", "Tiny", "", "../models/tiny")] == [None] * 4


@pytest.fixture
def shipped(
    tiny_bundle: Path,
    heads_only: BundleContents,
    facekit_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Another package: its default is "tiny", its companion an emotion head."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(zoo, "shipped_folder", lambda: folder)
    shutil.copytree(tiny_bundle, folder / zoo.DEFAULT)
    mirrored = replace(heads_only, name=zoo.COMPANIONS[0], base=zoo.DEFAULT)
    write_bundle(folder / zoo.COMPANIONS[0], mirrored)
    return folder


def test_the_default_brings_its_companions(shipped: Path) -> None:
    bundle = load_bundle()
    assert list(bundle.heads) == ["attributes", "points", "emotions"]
    assert list(bundle.manifest.heads) == list(bundle.heads)
    assert (bundle.name, bundle.folder) == ("tiny", shipped / zoo.DEFAULT)
    scores = bundle.scores(CROPS, ["emotions"])["emotions"]
    np.testing.assert_allclose(scores, head().scores(bundle.embed(CROPS)), rtol=1e-5)
    assert "emotions" not in load_bundle(zoo.DEFAULT).heads  # asked for by name: it alone
    shutil.rmtree(shipped / zoo.COMPANIONS[0])
    assert list(load_bundle().heads) == ["attributes", "points"]


def test_a_companion_of_another_backbone_is_refused(
    shipped: Path, tiny_contents: BundleContents, tiny_onnx: bytes
) -> None:
    import onnx

    changed = onnx.load_from_string(tiny_onnx)
    changed.producer_name = "trained again"
    again = replace(tiny_contents, onnx=changed.SerializeToString())
    write_bundle(shipped / zoo.DEFAULT, again)
    with pytest.raises(BundleError, match="another version of the backbone"):
        load_bundle()


def test_what_ships_loads() -> None:
    for listing in zoo.list_bundles():
        if listing.origin == "shipped":
            assert listing.error is None
            assert load_bundle(listing.name).name == listing.name
    assert load_bundle().heads.keys() >= {"attributes", "points"}
