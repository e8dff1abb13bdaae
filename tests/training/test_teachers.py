"""Bundles that teach: as they answer themselves, by name, in any frame; and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.write import BundleContents, write_bundle
from facekit.cartoon import draw_face, make_person
from facekit.frame import FaceFrame
from facekit.heads.head import Head, activate
from facekit.heads.kinds import LinearHead, MlpHead, fit_linear
from facekit.labels import ATTRIBUTES
from facekit.recipe.schema import BackboneSpec, DistillSpec
from facekit.recipe.transfer import TransferRecipe

pytestmark = pytest.mark.tf

SIDE, PEOPLE = 40, 4
GRID = 10  # places of the last grid, an axis
SPEC = BackboneSpec(widths=(8, 16), blocks=(1, 1), identity_size=6)
NAMES = tuple(f"person {i}" for i in range(PEOPLE))
FRAME = FaceFrame(side=SIDE)

Make = Callable[..., Bundle]


@pytest.fixture(scope="module")
def make_bundle(tiny_contents: BundleContents, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """``make_bundle(head, ..., seed=0, frame=FRAME)``: a random Keras backbone with heads."""
    from facekit.backbones.catalog import build_backbone
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras

    def make(*heads: Head, seed: int = 0, frame: FaceFrame = FRAME) -> Bundle:
        start_keras(seed=seed)
        contents = replace(
            tiny_contents,
            onnx=to_onnx(build_backbone(SPEC, frame.side)),
            frame=frame,
            family="compact",
            config=SPEC.model_dump(mode="json"),
            heads={f"head{i}": head for i, head in enumerate(heads)},
        )
        folder = write_bundle(tmp_path_factory.mktemp("teachers") / "one", contents).folder
        return load_bundle(folder)

    return make


def photos(first: int, last: int, frame: FaceFrame = FRAME) -> tuple[Any, Any]:
    """Aligned photos of drawn people, and whose they are."""
    people = [make_person(4, person) for person in range(PEOPLE)]
    crops, labels = [], []
    for photo in range(first, last):
        for label, person in enumerate(people):
            rng = np.random.default_rng([label, photo])
            image = draw_face(person, "happy", rng, (178, 218), aligned="celeba")[0]
            matrix = frame.matrix_from_aligned("celeba", 178, 218)
            crops.append(frame.warp(image, matrix))
            labels.append(label)
    return np.stack(crops), np.array(labels)


def random_head(kind: str, names: tuple[str, ...], seed: int = 3) -> Head:
    """A head with everything that heads may have: channels, mean, scale, calibration."""
    rng = np.random.default_rng(seed)
    k, grid = len(names), GRID
    channels = rng.normal(size=(SPEC.widths[-1], 3))
    d = sum(SPEC.widths) + grid * grid * 3
    named: dict[str, Any] = {
        "parts": ("pooled", "grid"),
        "labels": names,
        "activation": "softmax" if kind == "mlp" else "sigmoid",
        "channels": {"grid": channels},
        "mean": rng.normal(size=d),
        "scale": rng.uniform(0.5, 2, d),
        "calibration": np.column_stack([rng.uniform(0.5, 2, k), rng.normal(size=k)]),
    }
    if kind == "linear":
        return LinearHead(weight=rng.normal(size=(d, k)) / 9, bias=rng.normal(size=k), **named)
    layers = (
        (rng.normal(size=(d, 7)) / 9, rng.normal(size=7)),
        (rng.normal(size=(7, k)), rng.normal(size=k)),
    )
    return MlpHead(layers=layers, **named)


@pytest.mark.parametrize(("kind", "names"), [("mlp", NAMES), ("linear", ATTRIBUTES)])
def test_teachers_say_what_their_bundles_say_by_name(
    make_bundle: Make, kind: str, names: tuple[str, ...]
) -> None:
    from facekit.training.teachers import Teaching, build_teachers

    other = (*names[::-1], "one more")
    one, two = make_bundle(random_head(kind, names)), make_bundle(random_head(kind, other, 4))
    crops = photos(0, 3)[0]
    said = []
    for bundle, labels in ((one, names), (two, other)):
        logits = bundle.heads["head0"].logits(bundle.embed(crops))
        z = logits[:, [labels.index(name) for name in names]] / 2
        said.append(activate(z, bundle.heads["head0"].activation))
    teachers = [(one, one.heads["head0"]), (two, two.heads["head0"])]
    spec = DistillSpec(teachers=("a", "b"), temperature=2, identity=0.5)
    told = Teaching(build_teachers(teachers, FRAME, names, spec))(crops)
    assert np.allclose(told["distill"], np.mean(said, 0), atol=1e-5)
    assert not np.allclose(said[0], said[1], atol=0.05)
    met = [bundle.embed(crops, ["identity"])["identity"] for bundle in (one, two)]
    mean = sum(x / np.linalg.norm(x, axis=1, keepdims=True) for x in met)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert np.allclose(told["distill_identity"], mean, atol=1e-5)


def test_a_teacher_in_another_frame_sees_the_same_face() -> None:
    from facekit.training.teachers import resample

    wide, tight = FaceFrame(side=80), FaceFrame(side=60, eye_y=0.4, eye_distance=0.45)
    seen = {one: photos(0, 1, one)[0][1] for one in (wide, tight)}
    found = np.asarray(resample(seen[wide][None], wide, tight))[0]
    assert found.dtype == np.uint8
    off = np.abs(found.astype(int) - seen[tight])
    assert off.mean() < 4
    assert np.abs(np.roll(found, 2, 1).astype(int) - seen[tight]).mean() > 2 * off.mean()
    assert resample(seen[wide], wide, wide) is seen[wide]
    # Beyond what was seen, the edge goes on.
    flat = np.full((1, 60, 60, 3), 77, np.uint8)
    assert (np.asarray(resample(flat, tight, wide)) == 77).all()


def test_the_divergence_is_zero_at_the_teacher_and_right_elsewhere() -> None:
    from facekit.training.distill import soften, taught_loss

    rng = np.random.default_rng(0)
    z, other = (rng.normal(size=(5, 4)).astype(np.float32) for _ in range(2))
    for exclusive in (True, False):
        p, q = (np.asarray(soften(x, 3.0, exclusive=exclusive), float) for x in (z, other))
        loss = taught_loss(3.0, exclusive=exclusive)
        assert np.allclose(np.asarray(loss(p.astype(np.float32), z)), 0, atol=1e-5)
        wanted = (p * np.log(p / q)).sum(1)
        if not exclusive:
            wanted = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(1)
        assert np.allclose(np.asarray(loss(p.astype(np.float32), other)), 9 * wanted, atol=1e-4)


def learn(teach: Any, distill: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """A student whose labels are half wrong; its accuracy on new photos, the last losses."""
    from facekit.backbones.catalog import build_backbone
    from facekit.training.backend import start_keras
    from facekit.training.classifier import build_classifier

    start_keras(seed=1)
    recipe = TransferRecipe.model_validate(
        {
            "name": "student",
            "rung": "scratch",
            "head": {"dropout": 0.0},
            "optimizer": {"learning_rate": 1e-2},
            "distill": distill,
        }
    )
    spec = SPEC.model_copy(update={"identity_size": 0, "dropout": 0.0})
    model = build_classifier(build_backbone(spec, SIDE), recipe, PEOPLE, None)
    crops, labels = photos(0, 8)
    rng = np.random.default_rng(2)
    wrong = rng.random(len(labels)) < 0.5
    shares = np.eye(PEOPLE, dtype=np.float32)[np.where(wrong, rng.integers(0, PEOPLE, 32), labels)]
    for _ in range(25):
        order = rng.permutation(len(labels))
        wanted = {"classes": shares[order]}
        if teach is not None:
            wanted |= teach(crops[order])
        losses = model.train_on_batch(crops[order], wanted, return_dict=True)
    new, truth = photos(8, 16)
    found = model.predict_on_batch(new)["classes"].argmax(1)
    return float((found == truth).mean()), {k: float(v) for k, v in losses.items()}


@pytest.mark.slow
def test_a_student_of_a_good_teacher_learns_what_bad_labels_hide(make_bundle: Make) -> None:
    from facekit.training.teachers import Teaching, build_teachers

    crops, labels = photos(20, 40)
    x = make_bundle(seed=2).embed(crops)["pooled"]
    named: dict[str, Any] = {"parts": ("pooled",), "labels": NAMES, "activation": "softmax"}
    head = fit_linear(x.copy(), labels, l2=0.01 * len(x), classes=PEOPLE, **named)
    teacher = make_bundle(head, seed=2)
    new, truth = photos(8, 16)
    assert (teacher.scores(new, ["head0"])["head0"].argmax(1) == truth).mean() > 0.9

    spec = {"teachers": ["teacher"], "weight": 0.9}
    model = build_teachers([(teacher, head)], FRAME, NAMES, DistillSpec.model_validate(spec))
    alone, before = learn(None, {})
    taught, after = learn(Teaching(model), spec)
    assert taught > alone + 0.2
    assert "distill_loss" in after and "distill_loss" not in before
    assert after["loss"] == pytest.approx(
        0.9 * after["distill_loss"] + 0.1 * after["classes_loss"], rel=1e-4
    )
    # Without a weight, a teacher changes nothing at all.
    assert learn(None, {"teachers": ["teacher"], "weight": 0.0}) == (alone, before)


def test_a_bundle_of_heads_alone_teaches() -> None:
    """fer-frozen: its backbone is another bundle's."""
    from facekit.labels import EMOTIONS
    from facekit.training.teachers import Teaching, build_teachers
    from facekit.workflows.teachers import choose_heads, open_teachers, who_taught

    spec = DistillSpec(teachers=("fer-frozen",), temperature=1)
    bundles = open_teachers(spec)
    chosen = choose_heads(spec, bundles, EMOTIONS[::-1], "softmax")
    frame = bundles[0].frame
    crops = np.random.default_rng(0).integers(0, 256, (2, frame.side, frame.side, 3), np.uint8)
    told = Teaching(build_teachers(chosen, frame, EMOTIONS[::-1], spec))(crops)["distill"]
    embedding = bundles[0].embed(crops)
    assert np.allclose(told[:, ::-1], chosen[0][1].scores(embedding), atol=1e-4)  # type: ignore[union-attr]
    assert who_taught(bundles)[0].startswith("fer-frozen 1, sha256 ")


def test_teachers_are_frozen(make_bundle: Make) -> None:
    from facekit.training.teachers import build_teachers

    bundle = make_bundle(random_head("mlp", NAMES))
    spec = DistillSpec(teachers=("a",))
    model = build_teachers([(bundle, bundle.heads["head0"])], FRAME, NAMES, spec)
    assert model.trainable_weights == [] and len(model.weights) > 4
