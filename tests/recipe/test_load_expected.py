"""What a recipe says of its results: published, measured, and never one for the other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import list_recipes, load_recipe
from facekit.recipe.schema import ExpectedSpec

#: What was published of the systems this grew from.
REPORTED = {
    ("fer-cnn-simple", "test_accuracy"): 0.5391,
    ("fer-cnn-simple", "test_macro_f1"): 0.4878,
    ("fer-densenet-bc-03", "test_accuracy"): 0.6828,
    ("fer-densenet-bc-05", "test_accuracy"): 0.6909,
    ("fer-densenet-bc-07", "test_accuracy"): 0.6934,
    ("fer-resnet104-v1", "test_accuracy"): 0.6652,
    ("fer-resnet155-v2", "test_accuracy"): 0.6627,
    ("fer-vggface-frozen", "test_accuracy"): 0.6226,
    ("fer-vggface-frozen", "test_macro_f1"): 0.5495,
    ("fer-vggface-block5", "test_accuracy"): 0.6226,
    ("fer-vggface-block5", "test_macro_f1"): 0.5554,
}


def expected_of(name: str) -> tuple[ExpectedSpec, ...]:
    return load_recipe(name).expected


@pytest.mark.parametrize(("name", "metric"), REPORTED)
def test_the_published_number_is_carried(name: str, metric: str) -> None:
    found = [one.reported for one in expected_of(name) if one.metric == metric]
    assert found == [REPORTED[name, metric]]


@pytest.mark.parametrize("name", [recipe.name for recipe in list_recipes()])
def test_a_measured_number_says_how_it_came_about(name: str) -> None:
    for one in expected_of(name):
        if one.measured is not None:
            assert one.command.startswith("facekit ") and len(one.budget) > 10
            assert one.measured != one.reported


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("measured = 0.5", "measured needs the budget of its run"),
        ("measured = 0.5\nbudget = '3 epochs'", "and its command"),
        ("low = 0.5", "low and high go together"),
        ("low = 0.5\nhigh = 0.4", "low=0.5 is above high=0.4"),
        ("command = 'facekit demo'", "no number: give reported, measured, or low and high"),
    ],
)
def test_what_says_nothing_is_refused(entry: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"extends = 'demo'\n[[expected]]\nmetric = 'x'\n{entry}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_known_stays_away(tmp_path: Path) -> None:
    from facekit.recipe.load import to_toml

    path = tmp_path / "own.toml"
    path.write_text('name = "own"\n[[expected]]\nmetric = "accuracy"\nreported = 0.5\n')
    text = to_toml(load_recipe(path))
    assert [set(one) for one in tomllib.loads(text)["expected"]] == [
        {"metric", "reported", "budget", "command"}
    ]
    path.write_text(text)
    assert load_recipe(path).expected[0].reported == 0.5


@pytest.mark.parametrize(
    ("name", "change", "stays"),
    [
        ("fer-densenet-bc-05", "training.epochs=2", True),
        ("fer-densenet-bc-05", "data.source=fer", True),  # what it is already
        ("fer-densenet-bc-05", "backbone.compression=0.3", False),
        ("fer-cnn-simple", "training.batch_size=32", False),
        ("fer-cnn-simple", "data.validation=test", True),
        ("fer-cnn-simple", "head.balance=weights", False),
        ("fer-vggface-frozen", "backbone.weights=mine.h5", True),
        ("fer-vggface-frozen", "backbone.weights=none", False),
    ],
)
def test_another_system_has_no_published_number(name: str, change: str, stays: bool) -> None:
    assert bool(load_recipe(name, [change]).expected) is stays
