"""Enrolment on a network that cannot tell people apart: ``me-binary``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import facekit
from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import Strangers
from facekit.bundle.write import write_bundle
from facekit.cartoon import draw_face, make_person
from facekit.enrollment.person import Enrollment
from facekit.enrollment.read import open_gallery, read_enrollment, read_photos
from facekit.errors import BundleError
from facekit.frame import FaceFrame
from facekit.heads.kinds import LinearHead
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe
from facekit.workflows.pretrain.strangers import add_strangers

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

MOODS = ("neutral", "happy", "sad", "surprise")
#: The network of the recipe looks at whole pictures; this one too.
FRAME = FaceFrame(side=40, eye_y=0.5161, eye_distance=0.1826)


def photos(folder: Path, person: int, count: int, first: int = 0) -> Path:
    """Draw photos of one person, no two of the same look."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        rng = np.random.default_rng([person, i])
        face = draw_face(make_person(5, person), MOODS[i % 4], rng, (178, 218))[0]
        assert cv2.imwrite(str(folder / f"{i:02}.png"), face[:, :, ::-1])
    return folder


def without_identity(onnx_bytes: bytes) -> bytes:
    """The tiny backbone, its identity a vector of eight numbers called "pooled"."""
    import onnx

    model = onnx.load_model_from_string(onnx_bytes)
    kept = [one for one in model.graph.output if one.name not in ("pooled", "identity")]
    del model.graph.output[:]
    named = onnx.helper.make_tensor_value_info("pooled", onnx.TensorProto.FLOAT, ["n", 8])
    model.graph.output.extend([named, *kept])
    for node in model.graph.node:
        node.output[:] = [{"pooled": "mean", "identity": "pooled"}.get(n, n) for n in node.output]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def network(tiny_contents: BundleContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without identity, with strangers of its part "pooled"."""
    rng = np.random.default_rng(3)
    attributes = LinearHead(
        parts=("pooled",),
        labels=facekit.ATTRIBUTES,
        weight=rng.normal(size=(8, 40)),
        bias=np.zeros(40),
    )
    contents = replace(
        tiny_contents,
        name="plain-cnn",
        frame=FRAME,
        onnx=without_identity(tiny_contents.onnx),
        heads={"attributes": attributes},
    )
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "plain-cnn", contents)
    crops = rng.integers(0, 256, (400, 40, 40, 3), np.uint8)
    crops[:] = (crops * rng.uniform(0.3, 1, (400, 1, 1, 3))).astype(np.uint8)
    found = bundle.embed(crops, ["pooled"])["pooled"]
    vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    looks = np.rint(bundle.scores(crops, ["attributes"])["attributes"] * 255).astype(np.uint8)
    people = Strangers(vectors, looks, np.arange(400) % 2 == 0, bundle.key, "pooled")
    return add_strangers(bundle.folder, people).folder


def enroll(data: Path, **options: Any) -> Enrollment:
    given = {"recipe": "me-binary", "augment": 12, "detector": "none", "progress": False}
    return facekit.enroll(data, **{**given, **options})


@pytest.fixture(scope="module")
def home(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the network, in which one person is enrolled; read only."""
    root = tmp_path_factory.mktemp("binary")
    shutil.copytree(network, root / "home" / "models" / "plain-cnn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(root / "home"))
        sister = photos(root / "sister", 2, 4)
        enroll(photos(root / "mine", 1, 6), model="plain-cnn", out=root / "out", negatives=sister)
        yield root


def test_the_recipe_says_what_the_system_was() -> None:
    recipe = load_recipe("me-binary", (), EnrollRecipe)
    assert (recipe.model, recipe.head.part) == ("celeba-attributes-cnn", "pooled")
    assert 21 * recipe.augment.copies == pytest.approx(4000, rel=0.1)
    assert recipe.head.strangers == 5000 and recipe.claim.leaky
    plain = load_recipe("me", (), EnrollRecipe)
    assert (plain.head.part, plain.head.strangers, plain.claim.leaky) == ("identity", 0, False)


def test_one_neuron_reads_the_pooled_part(home: Path) -> None:
    one = read_enrollment("me")
    assert one.part == "pooled" and one.head.sizes == (8, 1) and one.bundle == "plain-cnn"
    kept = read_photos("me")
    assert kept["view_plain"].shape == (6, 8) and kept["view_copies"].shape == (72, 8)
    np.testing.assert_allclose(np.linalg.norm(kept["view_plain"], axis=1), 1, rtol=1e-5)
    assert kept["negative_vectors"].shape[1] == 8
    chosen = facekit.load(detector="none", identities="none").bundle
    assert one.facts["chosen_by"] == {"model": chosen.name, "key": chosen.key}
    assert kept["photo_vectors"].shape[1] == chosen.parts["identity"][0]


def test_photos_are_seen_as_the_network_will_see_them(home: Path) -> None:
    from facekit.bundle.bundle import identity_vectors

    model = facekit.load("plain-cnn", detector="none", identities="none")
    face = model.analyze(home / "mine" / "00.png").faces[0]
    vector = identity_vectors(model.bundle, face.crop[None], "pooled")[0]
    np.testing.assert_allclose(read_photos("me")["view_plain"][0], vector, atol=1e-5)


def test_both_splits_are_told(home: Path) -> None:
    facts = json.loads((home / "home" / "enrolled" / "me" / "manifest.json").read_text())["facts"]
    leaky, honest = facts["splits"]["leaky"], facts["splits"]["honest"]
    assert leaky["taught"] == leaky["photos"] > 0 == honest["taught"]
    assert honest["rows"] in (0, 6) and leaky["rows"] >= 2
    assert sum("shuffled split would claim" in line for line in facts["words"]) == 1
    assert (
        sum("a crowd of strangers that you meet: nothing" in line for line in facts["words"]) == 1
    )
    assert facts["claim"]["interval"][1] == 1.0
    page = (home / "out" / "me.html").read_text()
    assert "Two ways to test" in page and "sessions held out" in page
    assert read_enrollment("me").record()["splits"] == facts["splits"]


def test_the_person_is_looked_for_with_that_network(home: Path) -> None:
    mine = home / "mine" / "01.png"
    one = read_enrollment("me")
    verdict = one.verify(mine, detector="none")[0][1]
    face = facekit.load("plain-cnn", detector="none").analyze(mine).faces[0]
    assert face.identities["me"]["score"] == pytest.approx(verdict.score, abs=1e-4)


def test_with_another_network_the_persons_own_reads_the_face_too(home: Path) -> None:
    mine = home / "mine" / "01.png"
    model = facekit.load(detector="none")
    verdict = read_enrollment("me").verify(mine, detector="none")[0][1]
    for identities in ("all", "me"):
        model = facekit.load(detector="none", identities=identities)
        (face,) = model.analyze(mine).faces
        assert face.identities["me"]["score"] == pytest.approx(verdict.score, abs=1e-4)
        assert face.crop.shape[0] == model.bundle.frame.side
        assert [len(one.faces) for one in model.analyze_many([mine, mine])] == [1, 1]
    assert facekit.load(detector="none", identities="none").gallery.elsewhere == ()


@pytest.fixture
def copied(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(home / "home", tmp_path / "home")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path


def test_where_that_network_is_gone_the_person_is_not_looked_for(
    home: Path, copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(copied / "home" / "models" / "plain-cnn")
    with caplog.at_level("WARNING"):
        model = facekit.load(detector="none")
    assert "not looked for: me was enrolled with another backbone" in caplog.text
    assert model.analyze(home / "mine" / "01.png").faces[0].identities == {}
    with pytest.raises(BundleError, match="--model plain-cnn") as caught:
        open_gallery(model.bundle, "me")
    assert "\n" not in str(caught.value)
    with pytest.raises(BundleError, match="another backbone"):
        read_enrollment("me").verify(home / "mine" / "01.png", model=model.bundle.folder)


def test_photos_are_added(copied: Path) -> None:
    before = read_photos("me")
    more = photos(copied / "more", 1, 2, first=8)
    done = facekit.enroll(more, add=True, detector="none", progress=False)
    after = read_photos("me")
    assert done.facts["photos_used"] == 8 and done.part == "pooled"
    assert after["view_plain"].shape == (8, 8) and after["view_copies"].shape == (96, 8)
    np.testing.assert_array_equal(after["view_plain"][:6], before["view_plain"])


def test_photos_told_apart_by_another_model_are_not_mixed(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.workflows import enroll as enroll_models

    default = load_bundle(enroll_models.DEFAULT)
    other = default.manifest.model_copy(update={"name": "newer", "frame": default.manifest.frame})
    backbone = other.backbone.model_copy(update={"sha256": "0" * 64})
    newer = replace(default, manifest=other.model_copy(update={"backbone": backbone}))
    assert newer.key != default.key
    monkeypatch.setattr(enroll_models, "load_bundle", lambda name: newer)
    with pytest.raises(BundleError, match="enrol again without --add") as caught:
        facekit.enroll(photos(copied / "more", 1, 1, first=9), add=True, detector="none")
    assert "\n" not in str(caught.value)
    assert read_enrollment("me").facts["photos_used"] == 6


def test_what_is_missing_is_said_in_one_line(
    network: Path, facekit_home: Path, tmp_path: Path
) -> None:
    mine = photos(tmp_path / "mine", 1, 2)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"model": network, "overrides": ["head.part=identity"]}, "cannot tell people apart"),
        ({"model": None, "overrides": ["model=nowhere"]}, "no model is named 'nowhere'"),
        ({"model": "celeba-compact"}, r"in the part 'pooled': make them .* --part pooled"),
    )
    for options, words in cases:
        with pytest.raises(BundleError, match=words) as caught:
            enroll(mine, **options)
        assert "\n" not in str(caught.value)
    assert not (facekit_home / "enrolled").exists()


def test_the_strangers_of_a_part_do_not_displace_others(
    network: Path, tmp_path: Path, add_head: Callable[..., None]
) -> None:
    copy = Path(shutil.copytree(network, tmp_path / "copy"))
    head = LinearHead(parts=("pooled",), labels=("a",), weight=np.ones((8, 1)), bias=np.zeros(1))
    add_head(copy, "extra", head)
    files = {entry.file for entry in load_bundle(copy).manifest.others}
    assert "strangers-pooled.npz" in files and "strangers.npz" not in files
