"""What a transfer recipe may say."""

from __future__ import annotations

from typing import get_args

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import list_recipes, load_recipe
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import RUNGS, Rung, TransferRecipe

SHIPPED = [recipe.name for recipe in list_recipes() if recipe.kind == "transfer"]


def test_the_recipes_that_were_promised_are_shipped() -> None:
    assert {
        "fer-frozen-linear", "fer-frozen-mlp", "fer-last-stage", "fer-full", "folder-frozen",
        "ckplus-cross",
    } <= set(SHIPPED)  # fmt: skip
    assert get_args(Rung) == RUNGS


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_knows_its_kind(name: str) -> None:
    recipe = load_recipe(name, (), TransferRecipe)
    assert recipe.kind == "transfer" and recipe.rung in RUNGS
    with pytest.raises(RecipeError, match="is for `facekit transfer`: use it there"):
        load_recipe(name, (), PretrainRecipe)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rung=frosen", "rung='frosen' is not allowed; did you mean frozen?"),
        ("kind=transform", "kind='transform' is not one of pretrain, transfer"),
        ("kind=[1]", "is not one of pretrain, transfer"),
        ("kind=pretrain", "is for `facekit pretrain`: use it there"),
        ("head.strengths=[]", "head.strengths"),
        ("head.strengths=[-1]", "head.strengths"),
        ("head.widths=[0]", "head.widths"),
        ("head.dropout=1", "head.dropout"),
        ("head.member=2", "unknown key head.member; did you mean members?"),
        ("data.votes=1.5", "data.votes"),
        ("data.validation=cv", "data.validation='cv'"),
        ("data.holdout=0", "data.holdout"),
        ("features.parts=[]", "features.parts"),
        ("features.channels={gird=4}", "channels.gird is of no part; parts are pooled,"),
        ("features.channels={grid=-4}", "features.channels.grid"),
        ("head={balance='weights',logit_adjustment=0.5}", "take one of them"),
        ("head.logit_adjustment=1.1", "head.logit_adjustment"),
        ("mix.share=0.5", "mix.share is set but neither"),
        ("best=f1", "best='f1' is not allowed"),
    ],
)
def test_what_makes_no_sense_is_one_line(override: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("fer-frozen-mlp", [override], TransferRecipe)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_tables_may_be_set_whole_or_key_by_key() -> None:
    one = load_recipe("folder-frozen", ["features.channels={pooled=8}"], TransferRecipe)
    other = load_recipe("folder-frozen", ["features.channels.pooled=8"], TransferRecipe)
    assert one == other and one.features.channels == {"pooled": 8}


def test_a_part_may_be_left_out_while_its_channels_stay() -> None:
    fewer = load_recipe("fer-frozen-linear", ['features.parts=["voice"]'], TransferRecipe)
    assert fewer.features.parts == ("voice",) and "grid" in fewer.features.channels
