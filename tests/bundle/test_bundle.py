"""Bundles on disk: written in one step, checked when loaded, found by name."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle import load as zoo
from facekit.bundle.load import find_bundle, list_bundles, load_bundle
from facekit.bundle.manifest import read_manifest, render
from facekit.bundle.write import BundleContents, write_bundle
from facekit.errors import BundleError, UsageError
from facekit.heads.kinds import LinearHead

BLANK = np.zeros((2, 40, 40, 3), np.uint8)


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that the test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_what_was_written_is_read_back(tiny_bundle: Path, tiny_contents: BundleContents) -> None:
    bundle = load_bundle(tiny_bundle)
    assert (bundle.name, bundle.frame) == ("tiny", tiny_contents.frame)
    assert bundle.manifest.parts == bundle.backbone.parts
    assert bundle.manifest.backbone.family == "tiny"
    embedding = bundle.embed(BLANK)
    for name, head in tiny_contents.heads.items():
        np.testing.assert_array_equal(bundle.heads[name].scores(embedding), head.scores(embedding))
    assert sorted(p.name for p in tiny_bundle.iterdir()) == [
        "backbone.onnx",
        "card.md",
        "head-attributes.npz",
        "head-points.npz",
        "manifest.json",
    ]


def test_the_manifest_says_where_everything_came_from(tiny_bundle: Path) -> None:
    record = json.loads((tiny_bundle / "manifest.json").read_text("utf-8"))
    digest = hashlib.sha256((tiny_bundle / "backbone.onnx").read_bytes()).hexdigest()
    assert record["format"] == 1
    assert record["backbone"]["sha256"] == digest
    assert record["heads"]["attributes"]["parts"] == ["pooled"]
    assert record["preprocessing"] == {
        "input": "crops",
        "dtype": "uint8",
        "layout": "NHWC",
        "colour": "RGB",
    }
    assert record["data_licences"] == {"cartoon": "drawn by facekit, no licence needed"}


@pytest.mark.parametrize(
    "name", ["backbone.onnx", "card.md", "head-attributes.npz", "head-points.npz", "manifest.json"]
)
def test_one_changed_byte_in_any_file_is_refused(copy: Path, name: str) -> None:
    whole = (copy / name).read_bytes()
    for at in (0, len(whole) // 2, len(whole) - 1):
        (copy / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BundleError, match=name.replace(".", r"\.")) as caught:
            load_bundle(copy)
        assert "\n" not in str(caught.value)
    (copy / name).write_bytes(whole)
    load_bundle(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        load_bundle(copy)


def rewrite(folder: Path, old: str, new: str) -> None:
    """Change the manifest and give it a hash that fits."""
    text = (folder / "manifest.json").read_text("utf-8")
    assert old in text
    digest = json.loads(text)["sha256"]
    text = text.replace(old, new).replace(digest, "0" * 64)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(text.replace("0" * 64, digest), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"format": 1', '"format": 2', "format 2, this version reads format 1"),
        ('"side": 40', '"side": 41', "does not give the parts"),
        ('"card.md"', '"../card.md"', "others.0.file"),
        ('"family"', '"familie"', "backbone.fami"),
        ('"layout": "NHWC"', '"layout": "NCHW"', "layout"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(copy: Path, old: str, new: str, words: str) -> None:
    rewrite(copy, old, new)
    with pytest.raises(BundleError, match=words):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["[]", '["sha256"]', "3", '"format"', "null", "{", "\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"manifest\.json has been altered"):
        load_bundle(copy)


def test_rendering_is_stable(tiny_bundle: Path) -> None:
    text = (tiny_bundle / "manifest.json").read_text("utf-8")
    assert render(read_manifest(tiny_bundle)) == text


def test_a_bundle_is_replaced_whole_and_nothing_is_left_over(
    tiny_contents: BundleContents, tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "mine"
    write_bundle(folder, tiny_contents)
    fewer = {"points": tiny_contents.heads["points"]}
    second = write_bundle(folder, replace(tiny_contents, version="2", heads=fewer))
    assert second.manifest.version == "2"
    assert not (folder / "head-attributes.npz").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["mine"]


def test_a_head_that_does_not_fit_leaves_the_old_bundle(
    tiny_contents: BundleContents, copy: Path
) -> None:
    before = (copy / "manifest.json").read_bytes()
    wrong = LinearHead(parts=("pool",), labels=("x",), weight=np.zeros((3, 1)), bias=np.zeros(1))
    with pytest.raises(BundleError, match=r"head .extra. of .* reads parts"):
        write_bundle(copy, replace(tiny_contents, heads={"extra": wrong}))
    assert (copy / "manifest.json").read_bytes() == before
    assert [p.name for p in copy.parent.iterdir()] == ["copy"]


def test_other_folders_are_never_replaced(tiny_contents: BundleContents, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="no model: name a new folder"):
        write_bundle(tmp_path, tiny_contents)
    assert (tmp_path / "holiday.jpg").exists()


def test_mirrored_views_are_averaged_where_the_manifest_says_so(
    tiny_contents: BundleContents, tmp_path: Path
) -> None:
    grid = LinearHead(
        parts=("grid",),
        labels=("left",),
        weight=np.random.default_rng(0).normal(size=(48, 1)),
        bias=np.zeros(1),
    )
    contents = replace(tiny_contents, heads={"side": grid}, mirror=True)
    bundle = write_bundle(tmp_path / "two-sided", contents)
    crops = np.random.default_rng(1).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    embedding, scores = bundle.read(crops, ["side"])
    other = bundle.embed(crops[:, :, ::-1])
    mean = (grid.logits(embedding) + grid.logits(other)) / 2
    np.testing.assert_allclose(scores["side"], 1 / (1 + np.exp(-mean)), rtol=1e-5)
    assert not np.allclose(grid.logits(embedding), grid.logits(other))
    one = write_bundle(tmp_path / "one-sided", replace(contents, mirror=False))
    np.testing.assert_allclose(one.scores(crops, ["side"])["side"], grid.scores(embedding))


def test_the_key_follows_weights_and_frame(
    tiny_bundle: Path, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    key = load_bundle(tiny_bundle).key
    same = write_bundle(tmp_path / "same", replace(tiny_contents, version="9"))
    frame = replace(tiny_contents.frame, eye_y=0.5)
    other = write_bundle(tmp_path / "other", replace(tiny_contents, frame=frame))
    assert same.key == key != other.key


def test_bundles_are_found_by_name_and_by_path(
    tiny_bundle: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(tiny_bundle, facekit_home / "models" / "mine")
    assert find_bundle("mine") == own
    assert find_bundle(tiny_bundle) == find_bundle(str(tiny_bundle)) == tiny_bundle
    monkeypatch.chdir(own.parent)
    assert find_bundle("./mine") == Path("mine")


def test_shipped_names_come_first(
    tiny_bundle: Path, facekit_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(zoo, "shipped_folder", lambda: shipped)
    shutil.copytree(tiny_bundle, shipped / zoo.DEFAULT)
    shutil.copytree(tiny_bundle, facekit_home / "models" / zoo.DEFAULT)
    shutil.copytree(tiny_bundle, facekit_home / "models" / "mine")
    (facekit_home / "models" / "broken").mkdir()
    (facekit_home / "models" / "broken" / "manifest.json").write_text("{}")
    assert find_bundle() == shipped / zoo.DEFAULT
    listed = {(one.name, one.origin): one for one in list_bundles()}
    assert list(listed) == [(zoo.DEFAULT, "shipped"), ("broken", "home"), ("mine", "home")]
    assert listed["mine", "home"].manifest is not None
    assert listed["broken", "home"].manifest is None
    assert "manifest.json" in str(listed["broken", "home"].error)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mime", r"did you mean mine\?"),
        ("nothing-like-it", "no model is named"),
        ("../mine", "there is no such folder"),
        ("Mine Own", "no model is named"),
        (".", "it has no manifest"),
        (Path("mine"), "there is no such folder"),
        ("", "no model is named"),
        ("nul\0l", "no model is named"),
    ],
)
def test_unknown_models_are_one_clear_line(
    name: str | Path,
    words: str,
    tiny_bundle: Path,
    facekit_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(tiny_bundle, facekit_home / "models" / "mine")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(BundleError, match=words) as caught:
        find_bundle(name)
    assert "\n" not in str(caught.value)
