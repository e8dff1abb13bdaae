"""Cross-validation of few pictures: honest answers, groups on one side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from facekit.errors import DataError
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer.fits import cross_fit
from facekit.workflows.transfer.inputs import HeadInputs

pytestmark = pytest.mark.slow

MakeInputs = Callable[..., HeadInputs]


def recipe(*overrides: str) -> TransferRecipe:
    return load_recipe("folder-frozen", list(overrides), TransferRecipe)


def nothing(row: dict[str, Any]) -> None:
    pass


def test_answers_are_given_by_heads_that_have_not_seen_the_group(make_inputs: MakeInputs) -> None:
    """Six pictures each of twenty people, labels of people at random: nothing to learn.

    Whoever has seen a person knows that person's label.
    """
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 6)
    x = rng.normal(size=(20, 60))[person] + 0.1 * rng.normal(size=(120, 60))
    y = (np.arange(20) % 2)[person]
    inputs = make_inputs(x, y, groups=person)
    head, out = cross_fit(inputs, recipe(), nothing)
    assert out.shape == (120, 2) and out.dtype == np.float32
    assert (head.forward(inputs.seen[0]).argmax(1) == y).mean() > 0.95  # it has seen them all
    assert (out.argmax(1) == y).mean() < 0.75
    alone = make_inputs(x, y)
    assert (cross_fit(alone, recipe(), nothing)[1].argmax(1) == y).mean() > 0.95  # leaks


def test_what_can_be_learned_is_learned_from_ten_of_each(make_inputs: MakeInputs) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(30) % 3
    x = rng.normal(size=(3, 80))[y] + 0.7 * rng.normal(size=(30, 80))
    rows: list[dict[str, Any]] = []
    head, out = cross_fit(make_inputs(x, y), recipe(), rows.append)
    assert (out.argmax(1) == y).mean() > 0.8
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["strength"] for row in rows] == sorted(recipe().head.strengths, reverse=True)
    fresh = rng.integers(0, 3, 200)
    again = np.random.default_rng(1).normal(size=(3, 80))[fresh] + 0.7 * rng.normal(size=(200, 80))
    assert (head.logits({"p": again}).argmax(1) == fresh).mean() > 0.8


def test_the_same_seed_gives_the_same_answers(make_inputs: MakeInputs) -> None:
    rng = np.random.default_rng(2)
    inputs = make_inputs(rng.normal(size=(40, 10)), np.arange(40) % 2)
    outs = [cross_fit(inputs, recipe(f"training.seed={seed}"), nothing)[1] for seed in (0, 0, 1)]
    assert np.array_equal(outs[0], outs[1]) and not np.allclose(outs[0], outs[2])


@pytest.mark.parametrize("each", [2, 3, 4])
def test_two_pictures_a_class_are_enough(make_inputs: MakeInputs, each: int) -> None:
    """Of two folds each leaves one to learn from: the strongest strength is taken."""
    y = np.repeat(np.arange(2), each)
    x = np.random.default_rng(3).normal(size=(2 * each, 5)) + 4 * y[:, None]
    head, out = cross_fit(make_inputs(x, y), recipe(), nothing)
    assert (out.argmax(1) == y).all() and np.isfinite(head.weight).all()


def test_uneven_groups_find_their_folds(make_inputs: MakeInputs) -> None:
    """One person with most of the pictures, several with one, a class of two people."""
    y = np.array([0] * 30 + [1] * 3 + [2] * 9)
    groups = np.array([*[0] * 25, 1, 2, 3, 4, 5, 6, 6, 7, *[8] * 4, *range(9, 14)])
    x = np.random.default_rng(4).normal(size=(42, 6)) + 3 * np.eye(6)[y]
    head, out = cross_fit(make_inputs(x, y, groups=groups), recipe(), nothing)
    assert np.isfinite(out).all() and np.abs(out).sum(1).min() > 0
    assert (head.forward(make_inputs(x, y).seen[0]).argmax(1) == y).mean() > 0.8


@pytest.mark.parametrize("alone", [[1], [3, 3, 3]])
def test_one_picture_or_one_person_is_not_enough(make_inputs: MakeInputs, alone: list[int]) -> None:
    """The groups of the second class."""
    y = np.array([0] * 6 + [1] * len(alone))
    groups = np.array([*range(10, 16), *alone])
    inputs = make_inputs(np.random.default_rng(5).normal(size=(len(y), 4)), y, groups=groups)
    with pytest.raises(DataError, match=r"class 'class 1' has a single picture, or") as caught:
        cross_fit(inputs, recipe(), nothing)
    assert "\n" not in str(caught.value)


def test_rare_classes_count_as_much_where_the_recipe_says_so(make_inputs: MakeInputs) -> None:
    rng = np.random.default_rng(6)
    y = (np.arange(220) >= 200).astype(np.int64)
    x = rng.normal(size=(220, 5)) + 0.8 * y[:, None]
    recall = []
    for balance in ("none", "weights"):
        out = cross_fit(make_inputs(x, y), recipe(f"head.balance={balance}"), nothing)[1]
        recall.append(float((out.argmax(1) == y)[y == 1].mean()))
    assert recall[1] > recall[0] + 0.2


def test_answers_are_those_of_the_views_that_prediction_shows(make_inputs: MakeInputs) -> None:
    """Prediction sees plain crops: what an augmented one would get is no answer."""
    rng = np.random.default_rng(7)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 5)) + 4 * y[:, None]
    shown = cross_fit(make_inputs(x, y, more_views=[x + 0.1]), recipe(), nothing)[1]
    assert (shown.argmax(1) == y).all()
    blind = make_inputs(x, y, more_views=[x + 0.1], seen=np.zeros_like(x))
    out = cross_fit(blind, recipe(), nothing)[1]
    assert (out.argmax(1) == y).mean() <= 0.6
