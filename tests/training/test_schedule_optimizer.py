"""The optimisers that a recipe may name."""

from __future__ import annotations

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import load_recipe
from facekit.recipe.schema import OptimizerSpec


@pytest.mark.tf
@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", "AdamW"), ("adam", "Adam"), ("rmsprop", "RMSprop"), ("sgd", "SGD")]
)
def test_every_name_is_its_optimizer(name: str, kind: str) -> None:
    from facekit.training.backend import start_keras
    from facekit.training.schedule import build_optimizer

    start_keras()
    spec = OptimizerSpec.model_validate({"name": name, "learning_rate": 0.02, "clip_norm": 0})
    made = build_optimizer(spec)
    assert type(made).__name__ == kind
    assert float(made.learning_rate) == pytest.approx(0.02)
    assert made.global_clipnorm is None
    assert (made.weight_decay or 0) == spec.weight_decay == (0.02 if name == "adamw" else 0.0)
    if name in ("rmsprop", "sgd"):
        spec = OptimizerSpec.model_validate({"name": name, "momentum": 0.9, "clip_norm": 2.0})
        assert build_optimizer(spec).momentum == 0.9
        assert build_optimizer(spec).global_clipnorm == 2.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["optimizer.name=adam", "optimizer.weight_decay=0.1"], "weight_decay is for adamw, not"),
        (["optimizer.momentum=0.9"], "momentum is for rmsprop and sgd, not for adamw"),
        (["optimizer.name=lion"], "optimizer.name='lion' is not allowed"),
        (["schedule.kind=steps"], "at is missing"),
        (["schedule.at=[3,3]"], "each epoch must be above"),
        (["schedule.at=[3,4]", "schedule.factors=[0.1]"], "factors has 1 numbers and at 2"),
    ],
)
def test_what_makes_no_sense_is_one_line(changes: list[str], words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("demo", changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)
