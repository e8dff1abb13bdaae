"""A recipe extends another: merged, with its own name, and faults told in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import base_recipes, find_recipe, load_recipe, recipes_folder, to_toml
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fault(recipe: str | Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_tables_are_merged_and_lists_replaced(tmp_path: Path) -> None:
    write(
        tmp_path,
        "base",
        "[backbone]\nwidths = [8, 16, 32]\nblocks = [1, 1, 1]\ndropout = 0.1\n"
        "[training]\nepochs = 7\n[targets.attributes]\nweight = 2\n"
        "[targets.identity]\nweight = 0\n",
    )
    mine = write(
        tmp_path,
        "mine",
        "extends = 'base.toml'\n[backbone]\nwidths = [4, 8]\nblocks = [1, 2]\n"
        "[targets.attributes]\nsmoothing = 0.1\n",
    )
    recipe = load_recipe(mine, ["training.batch_size=9"], PretrainRecipe)
    assert recipe.backbone.widths == (4, 8) and recipe.backbone.blocks == (1, 2)
    assert recipe.backbone.dropout == 0.1 and recipe.training.epochs == 7
    assert recipe.training.batch_size == 9
    assert recipe.targets["attributes"].weight == 2
    assert recipe.targets["attributes"].smoothing == 0.1
    assert set(recipe.targets) == {"attributes", "identity"}


def test_a_chain_is_read_from_its_end(tmp_path: Path) -> None:
    write(tmp_path, "a", "[training]\nepochs = 1\nseed = 1\nbatch_size = 11\n")
    write(tmp_path / "deep", "b", "extends = '../a.toml'\n[training]\nepochs = 2\nseed = 2\n")
    mine = write(tmp_path, "c", "extends = 'deep/b.toml'\n[training]\nepochs = 3\n")
    training = load_recipe(mine).training
    assert (training.epochs, training.seed, training.batch_size) == (3, 2, 11)
    assert [path.name for path in base_recipes(mine)] == ["b.toml", "a.toml"]


@pytest.mark.parametrize("base", ["demo", "fer-full"])
def test_every_kind_extends_what_ships(base: str, tmp_path: Path) -> None:
    mine = write(tmp_path, "mine", f"extends = '{base}'\n[training]\nepochs = 3\n")
    usual, recipe = load_recipe(base), load_recipe(mine)
    assert type(recipe) is type(usual) and recipe.training.epochs == 3
    assert recipe.augment == usual.augment and recipe.backbone == usual.backbone
    copy = write(tmp_path, "copy", to_toml(recipe))  # as in a run folder: it needs no base
    assert "extends" not in copy.read_text()
    assert load_recipe(copy) == recipe
    assert load_recipe(mine, (), type(usual)) == recipe


def test_a_file_of_a_shipped_name_may_extend_that(tmp_path: Path) -> None:
    mine = write(tmp_path, "demo", "extends = 'demo'\n[training]\nepochs = 3\n")
    assert load_recipe(mine).training.epochs == 3
    assert base_recipes(mine) == (find_recipe("demo"),) and base_recipes("demo") == ()


def test_name_summary_and_what_was_reached_are_a_files_own(tmp_path: Path) -> None:
    usual = load_recipe("fer-full")
    assert usual.expected and usual.summary
    recipe = load_recipe(write(tmp_path, "mine", "extends = 'fer-full'\n"))
    assert (recipe.name, recipe.summary, recipe.expected) == ("mine", "", ())
    own = "extends='fer-full'\nname='other'\n[[expected]]\nmetric='a'\nlow=0\nhigh=1\n"
    recipe = load_recipe(write(tmp_path, "mine", own))
    assert recipe.name == "other" and [one.metric for one in recipe.expected] == ["a"]


def test_a_shipped_recipe_may_extend_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(recipes_folder(), tmp_path / "recipes"))
    write(folder / "transfer", "short", "extends = 'fer-full'\nsummary = 'short'\n")
    monkeypatch.setattr("facekit.recipe.load.recipes_folder", lambda: folder)
    assert isinstance(load_recipe("short"), TransferRecipe)
    assert base_recipes("short") == (folder / "transfer" / "fer-full.toml",)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    mine = write(tmp_path, "mine", "extends = 'fer-ful'\n")
    assert fault(mine).startswith("recipe mine.toml extends 'fer-ful': no recipe is called")
    assert "did you mean fer-full?" in fault(mine)
    mine = write(tmp_path, "mine", "extends = 'gone/base.toml'\n")
    assert f"{tmp_path / 'gone' / 'base.toml'} does not exist" in fault(mine)


def test_a_ring_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path, "one", "extends = 'two.toml'\n")
    write(tmp_path, "two", "extends = 'three.toml'\n")
    write(tmp_path, "three", "extends = 'one.toml'\n")
    assert "one.toml extends two.toml extends three.toml extends one.toml" in fault(one)
    alone = write(tmp_path, "alone", "extends = './alone.toml'\n")
    assert "never ends: alone.toml extends alone.toml" in fault(alone)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    mine = write(tmp_path, "mine", "extends = 'demo'\nkind = 'transfer'\n")
    assert (
        "mine.toml is for `facekit transfer` and extends demo.toml, which is for "
        "`facekit pretrain`" in fault(mine)
    )
    middle = write(tmp_path, "middle", "extends = 'fer-full'\n")
    mine = write(tmp_path, "mine", "extends = 'middle.toml'\nkind = 'pretrain'\n")
    assert "extends middle.toml, which is for `facekit transfer`" in fault(mine)
    with pytest.raises(RecipeError, match="is for `facekit transfer`: use it there"):
        load_recipe(middle, (), PretrainRecipe)


@pytest.mark.parametrize("value", ["3", "['demo']", "''", "true"])
def test_what_is_no_name_is_refused(value: str, tmp_path: Path) -> None:
    mine = write(tmp_path, "mine", f"extends = {value}\n")
    assert "mine.toml: extends=" in fault(mine) and "must be the name of a recipe" in fault(mine)


def test_it_cannot_be_set(tmp_path: Path) -> None:
    assert fault("demo", "extends=fer-full").startswith("extends cannot be set")
    mine = write(tmp_path, "mine", "extend = 'demo'\n")
    assert "unknown key extend; did you mean extends?" in fault(mine)


def test_a_fault_names_the_files_it_may_be_in(tmp_path: Path) -> None:
    write(tmp_path, "base", "extends = 'demo'\n[training]\nepoch = 3\n")
    mine = write(tmp_path, "mine", "extends = 'base.toml'\n")
    text = fault(mine)
    assert text.startswith("recipe mine.toml (extends base.toml, demo.toml): unknown key")
    torn = write(tmp_path, "base", "epochs = ")
    assert str(torn) in fault(mine) and "not valid TOML" in fault(mine)
