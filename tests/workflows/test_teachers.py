"""Models that a recipe names as teachers: found, refused, learned from and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facekit.bundle.load import load_bundle, shipped_folder
from facekit.bundle.manifest import read_manifest
from facekit.errors import BundleError, InterruptedRunError, RecipeError
from facekit.labels import ATTRIBUTES, EMOTIONS
from facekit.recipe.load import load_recipe
from facekit.recipe.schema import DistillSpec
from facekit.workflows.pretrain.run import pretrain
from facekit.workflows.teachers import choose_heads, open_teachers, who_taught
from facekit.workflows.transfer.run import transfer

BOTH = DistillSpec(teachers=("celeba-compact",), identity=0.5)


def test_teachers_are_found_by_name_path_or_run(tiny_bundle: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "bundle").symlink_to(shipped_folder() / "fer-full")
    names = ("fer-full", str(shipped_folder() / "fer-full"), str(run))
    found = open_teachers(DistillSpec(teachers=names))
    assert len({who_taught([one])[0] for one in found}) == 1
    assert open_teachers(DistillSpec(teachers=names, weight=0.0)) == ()
    with pytest.raises(BundleError, match="fer-ful"):
        open_teachers(DistillSpec(teachers=("fer-ful",)))
    with pytest.raises(RecipeError, match="'tiny'"):  # its backbone cannot be built again
        open_teachers(DistillSpec(teachers=(str(tiny_bundle),)))


def test_a_teacher_that_lacks_a_label_is_refused_in_one_line() -> None:
    bundles = open_teachers(BOTH)
    names = ("happy", "bored", "angry")
    fer = open_teachers(DistillSpec(teachers=("fer-full",)))
    with pytest.raises(RecipeError) as told:
        choose_heads(DistillSpec(teachers=("fer-full",)), fer, names, "softmax")
    text = str(told.value)
    assert "lacks bored, and" in text and ", ".join(EMOTIONS) in text and "\n" not in text
    with pytest.raises(RecipeError, match="has the classes none and lacks happy"):
        choose_heads(BOTH.model_copy(update={"identity": 0.0}), bundles, names, "softmax")
    with pytest.raises(RecipeError, match="vectors of 128 numbers, the student's have 64"):
        choose_heads(BOTH, bundles, ATTRIBUTES, "sigmoid", 64)
    ((_, head),) = choose_heads(BOTH, bundles, ATTRIBUTES, "sigmoid", 128)
    assert head is bundles[0].heads["attributes"]
    ((_, head),) = choose_heads(
        BOTH.model_copy(update={"weight": 0.0}), bundles, names, "softmax", 128
    )
    assert head is None


def test_a_bundles_own_head_comes_before_its_bases() -> None:
    spec = DistillSpec(teachers=("fer-full",))
    (fer,) = open_teachers(spec)
    base = fer.heads["emotions"]
    own = replace(base, calibration=None)
    both = replace(fer, heads={"emotions": base, "classes": own})
    ((_, head),) = choose_heads(spec, [both], EMOTIONS, "softmax")
    assert head is own


@pytest.mark.parametrize(
    ("recipe", "changes", "said"),
    [
        ("fer-frozen", ["distill.teachers=['fer-full']"], "rung='frozen' reads"),
        ("fer-full", ["distill.teachers=['fer-full']", "distill.identity=1"], "is for `facekit pr"),
        ("celeba-compact", ["distill.identity=1"], "teachers names none"),
        ("fer-full", ["distill.temperature=0"], "greater than 0"),
    ],
)
def test_what_a_recipe_cannot_say_of_teachers(recipe: str, changes: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(recipe, changes)


TINY = ("backbone.widths=[8,16]", "backbone.blocks=[1,1]", "training.batch_size=8")


def rows_of(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


@pytest.mark.tf
@pytest.mark.slow
def test_emotions_of_a_taught_student(cartoon_fer: Path, tmp_path: Path) -> None:
    changes = (
        *TINY,
        "frame.side=40",
        "data.validation=test",
        "mix.share=0.6",
        "training.epochs=2",
        "distill.teachers=['fer-frozen', 'fer-full']",
    )

    def train(out: Path, **options: Any) -> Any:
        options = options if options.get("resume") else {**options, "rung": "scratch"}
        said = () if options.get("resume") else changes
        name = "fer-full"
        return transfer("fer", cartoon_fer, recipe=name, overrides=said, out=out, **options)

    whole = train(tmp_path / "whole")
    rows = rows_of(tmp_path / "whole")
    assert all(row["distill_loss"] > 0 for row in rows)
    assert [row["loss"] for row in rows] == pytest.approx(
        [0.7 * row["distill_loss"] + 0.3 * row["classes_loss"] for row in rows], rel=1e-5
    )
    # In two sittings it is the same, with the same teachers alone.
    train(tmp_path / "half", epochs=1)
    facts = json.loads((tmp_path / "half" / "data.json").read_text())
    other = {**facts, "teachers": facts["teachers"][:1]}
    (tmp_path / "half" / "data.json").write_text(json.dumps(other))
    with pytest.raises(InterruptedRunError, match="other teachers"):
        train(tmp_path / "half", resume=True)
    (tmp_path / "half" / "data.json").write_text(json.dumps(facts))
    train(tmp_path / "half", resume=True)
    assert rows_of(tmp_path / "half") == rows

    manifest = read_manifest(whole.bundle)
    told = who_taught(open_teachers(DistillSpec(teachers=("fer-frozen", "fer-full"))))
    assert manifest.training["teachers"] == told == facts["teachers"]
    card = (whole.bundle / "card.md").read_text()
    assert all(one in card for one in told)
    assert set(read_manifest(shipped_folder() / "fer-full").data_licences) <= set(
        manifest.data_licences
    )
    assert "distill" not in json.dumps(list(load_bundle(whole.bundle).parts))


@pytest.mark.tf
@pytest.mark.slow
def test_attributes_and_identity_of_a_taught_student(cartoon_celeba: Path, tmp_path: Path) -> None:
    changes = (
        *TINY,
        "training.epochs=1",
        "mix={share=0.6,mixup=1.0,cutmix=1.0}",  # teachers see the mixed images, too
        "distill.teachers=['celeba-compact']",
        "distill.identity=0.5",
        "backbone.identity_size=128",
    )
    made = pretrain(cartoon_celeba, recipe="demo", overrides=changes, out=tmp_path / "run")
    ((row,), bundle) = rows_of(tmp_path / "run"), made.bundle
    parts = {"distill_loss": 0.7, "attributes_loss": 0.3, "distill_identity_loss": 0.5}
    assert row["loss"] == pytest.approx(sum(row[key] * x for key, x in parts.items()), rel=1e-5)
    assert "val_distill_loss" not in row and bundle is not None
    manifest = read_manifest(bundle)
    assert manifest.training["teachers"] == {"distill": who_taught(open_teachers(BOTH))[0]}
    assert manifest.parts["identity"] == (128,)
    assert any("celeba" in name.lower() for name in manifest.data_licences)
    assert who_taught(open_teachers(BOTH))[0] in (bundle / "card.md").read_text()
