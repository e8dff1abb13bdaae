"""Recipes: every shipped one is sound, overrides land, faults are named in one line."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import find_recipe, list_recipes, load_recipe, to_toml
from facekit.recipe.schema import PretrainRecipe

NAMES = [recipe.name for recipe in list_recipes()]


def fault(*overrides: str, recipe: str | Path = "demo") -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_default_and_the_demo_are_shipped() -> None:
    assert {"celeba-compact", "celeba-attributes-only", "demo"} <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_opens_with_its_commands_and_carries_its_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    text = find_recipe(name).read_text(encoding="utf-8")
    head = re.split(r"\n\n(?:name|extends) = ", text)[0].splitlines()
    assert all(line.startswith("#") for line in head)
    commands = [line for line in head if line.startswith("#   facekit ")]
    assert len(commands) >= 2
    assert any("--set" in line for line in commands)


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_at_its_top_are_ones_that_a_recipe_takes(name: str) -> None:
    text = re.sub(r"\\\n# *", "", find_recipe(name).read_text(encoding="utf-8"))
    for line in re.findall(r"^#   facekit (?:pretrain|transfer|enroll) .*--set .*", text, re.M):
        words = shlex.split(line)
        changes = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
        other = {"pretrain": "celeba-compact"}.get(words[2], name)
        taken = words[words.index("--recipe") + 1] if "--recipe" in words else other
        load_recipe(taken, changes)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_writing_and_reading(name: str, tmp_path: Path) -> None:
    enrolls = load_recipe(name).kind == "enroll"
    changes = ["seed=11"] if enrolls else ["training.seed=11", "optimizer.learning_rate=1.25e-3"]
    recipe = load_recipe(name, changes)
    copy = tmp_path / "copy.toml"
    copy.write_text(to_toml(recipe), encoding="utf-8")
    assert load_recipe(copy) == recipe


def test_the_written_copy_holds_the_defaults_too() -> None:
    written = tomllib.loads(to_toml(load_recipe("demo")))
    assert set(written) == set(PretrainRecipe.model_fields)
    assert written["augment"]["rotation"] == load_recipe("demo").augment.rotation


def test_overrides_take_toml_values_and_bare_words() -> None:
    recipe = load_recipe(
        "demo",
        [
            "backbone.widths=[8, 16]",
            "backbone.blocks = [1, 2]",
            "schedule.kind=plateau",
            "targets.identity.weight=0",
            "optimizer.learning_rate=1e-3",
            'summary="a = b"',
        ],
    )
    assert recipe.backbone.widths == (8, 16)
    assert recipe.backbone.blocks == (1, 2)
    assert recipe.schedule.kind == "plateau"
    assert recipe.targets["identity"].weight == 0
    assert recipe.optimizer.learning_rate == 1e-3
    assert recipe.summary == "a = b"


def test_the_last_of_two_overrides_wins() -> None:
    assert load_recipe("demo", ["training.epochs=3", "training.epochs=5"]).training.epochs == 5


@pytest.mark.parametrize(
    ("override", "key", "nearest"),
    [
        ("optimizer.learning_rat=1", "optimizer.learning_rat", "learning_rate"),
        ("trainning.epochs=1", "trainning", "training"),
        ("targets.attributes.wight=1", "targets.attributes.wight", "weight"),
        ("targets.identiti.weight=1", "targets.identiti", "identity"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(override: str, key: str, nearest: str) -> None:
    text = fault(override)
    assert f"unknown key {key}; did you mean {nearest}?" in text
    assert "Allowed: " in text


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    assert "schedule.kind='cosin' is not allowed; did you mean cosine?" in fault(
        "schedule.kind=cosin"
    )


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=0",
        "training.epochs=many",
        "augment.grey=1.5",
        "optimizer.learning_rate=nan",
        "backbone.widths=[1",
        "backbone.widths=[16, 32]",
        "training=3",
        "targets={}",
    ],
)
def test_a_value_out_of_range_is_refused_by_name(override: str) -> None:
    assert override.split("=")[0].split(".")[0] in fault(override)


@pytest.mark.parametrize("override", ["training.epochs", "=3", "a..b=3", "training.epochs.x=3"])
def test_an_override_that_cannot_be_read_is_refused(override: str) -> None:
    fault(override)


def test_several_faults_are_counted() -> None:
    assert "(and 1 more)" in fault("training.epochs=-1", "training.seed=-1")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert "did you mean celeba-compact?" in fault(recipe="celeba-compat")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in fault(recipe=tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe\x00", b"kind = 'enrol'"])
def test_a_file_that_is_no_recipe_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    assert "bad.toml" in fault(recipe=path)


def test_a_file_may_leave_out_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nepochs = 2\n")
    assert load_recipe(path).name == "mine"


@pytest.mark.parametrize(
    ("stem", "name"), [("My Recipe (2)", "my-recipe-2"), ("_x" * 60, "x" + "_x" * 31 + "_")]
)
def test_a_name_out_of_a_file_name_names_a_bundle(stem: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text("[training]\nepochs = 2\n")
    assert load_recipe(path).name == name


def test_a_file_name_without_a_letter_asks_for_a_name(tmp_path: Path) -> None:
    path = tmp_path / "脸.toml"
    path.write_text("[training]\nepochs = 2\n")
    assert 'name = "..."' in fault(recipe=path)
    assert load_recipe(path, ["name=face"]).name == "face"


@pytest.mark.parametrize("name", ["My run", "../up", "-x", "a" * 65, "a\n"])
def test_a_name_that_no_bundle_could_have_is_refused(name: str) -> None:
    assert fault(f"name={json.dumps(name)}").startswith("recipe demo.toml: name=")


def test_no_epochs_need_weights_that_are_published() -> None:
    assert "trains nothing" in fault("training.epochs=0")
    with pytest.raises(RecipeError, match="trains nothing"):
        load_recipe("fer-full", ["training.epochs=0"])


@pytest.mark.parametrize("key", ["training.epochs", "training.batch_size", "augment.mirror"])
def test_true_is_no_number(key: str) -> None:
    assert "no yes or no" in fault(f"{key}=true")
