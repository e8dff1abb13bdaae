"""Heads of a recipe: what is joined and folded gives the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from facekit.cache.kept import Kept
from facekit.heads.kinds import load_head
from facekit.heads.mlp_fit import fit_mlp
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer import fits
from facekit.workflows.transfer.fits import fit_linear_head, fit_mlp_head, mean_logits, score
from facekit.workflows.transfer.inputs import HeadInputs, fit_components

MakeInputs = Callable[..., HeadInputs]
RNG = np.random.default_rng(0)
MEANS = RNG.normal(size=(3, 8))


def recipe(*overrides: str, name: str = "fer-frozen-mlp") -> TransferRecipe:
    small = ["head.widths=[12]", "head.epochs=4", "features.components=0"]
    return load_recipe(name, [*small, *overrides], TransferRecipe)


def clouds(n: int = 240, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds in eight dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return (MEANS[y] + rng.normal(size=(n, 8))).astype(np.float32), y


def nothing(row: dict[str, Any]) -> None:
    pass


@pytest.mark.parametrize("widths", ["[12]", "[12, 6]", "[9, 7, 5]"])
@pytest.mark.parametrize("components", [0, 5])
def test_members_joined_and_components_folded_back_give_the_mean_logits(
    make_inputs: MakeInputs, widths: str, components: int
) -> None:
    x, y = clouds()
    inputs = make_inputs(x, y, more_views=[x[:, ::-1]])
    given = recipe(
        f"head.widths={widths}", "head.members=3", f"features.components={components}",
        "training.seed=7",
    )  # fmt: skip
    head = fit_mlp_head(inputs, given, nothing)
    assert head.sizes == (8, 3)
    fresh = clouds(50, seed=2)[0]
    rows = (fresh - inputs.frame["mean"]) / inputs.frame["scale"]
    back = fit_components(inputs.views[0], components, seed=7) if components else np.eye(8)
    views = [np.asarray(view @ back, np.float32) for view in inputs.views]
    wanted = [
        fit_mlp(views, inputs.shares, given.head, seed=seed).logits(rows @ back)
        for seed in (7, 8, 9)
    ]
    found = head.logits({"p": fresh})
    np.testing.assert_allclose(found, np.mean(wanted, axis=0), rtol=2e-2, atol=2e-2)
    assert not np.allclose(wanted[0], wanted[1], atol=0.1)
    np.testing.assert_allclose(load_head(head.to_bytes()).logits({"p": fresh}), found, atol=1e-5)


def test_the_same_seed_gives_the_same_head(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(*clouds())
    given = recipe("features.components=4", "head.members=2")
    one, same = (fit_mlp_head(inputs, given, nothing).to_bytes() for _ in range(2))
    assert one == same
    assert fit_mlp_head(inputs, recipe("training.seed=1"), nothing).to_bytes() != one


def test_every_epoch_of_every_member_is_told(make_inputs: MakeInputs) -> None:
    rows: list[dict[str, Any]] = []
    fit_mlp_head(make_inputs(*clouds()), recipe("head.members=2"), rows.append)
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    assert {"loss", "val_loss", "val_accuracy", "val_macro_f1"} <= set(rows[0])
    assert rows[3]["val_loss"] < rows[0]["val_loss"]


@pytest.mark.parametrize("kind", ["mlp", "linear"])
@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_rare_classes_can_be_made_to_count(
    make_inputs: MakeInputs, kind: str, balance: str
) -> None:
    x, y = clouds(3000)
    kept = (y == 0) | (RNG.random(3000) < 0.06)
    inputs = make_inputs(x[kept], y[kept], k=4)  # the fourth class has no rows
    fresh, truth = clouds(900, seed=5)
    recall = []
    for way in ("none", balance):
        given = recipe(f"head.balance={way}", "head.epochs=12", "head.strengths=[0.03]")
        fit = fit_mlp_head if kind == "mlp" else fit_linear_head
        found = fit(inputs, given, nothing).logits({"p": fresh}).argmax(1)
        assert found.max() < 3
        recall.append(float((found == truth)[truth > 0].mean()))
    assert recall[1] > recall[0] + 0.05


def test_a_linear_head_takes_the_strength_that_validation_likes(make_inputs: MakeInputs) -> None:
    """Thirty rows in 200 dimensions: a weak penalty learns the noise."""
    rng = np.random.default_rng(4)
    x, y = (rng.normal(size=(30, 200)), np.arange(30) % 2)
    x[:, 0] += 2 * y
    seen, answers = rng.normal(size=(400, 200)), np.arange(400) % 2
    seen[:, 0] += 2 * answers
    inputs = make_inputs(x, y, seen=seen, answers=answers)
    strengths = [1e-5, 1.0, 10.0]
    for best, sign in (("accuracy", 1), ("macro_f1", 1), ("loss", -1)):
        rows: list[dict[str, Any]] = []
        given = recipe(f"head.strengths={strengths}", f"best={best}", name="fer-frozen-linear")
        head = fit_linear_head(inputs, given, rows.append)
        assert [row["strength"] for row in rows] == sorted(strengths, reverse=True)
        chosen = max(rows, key=lambda row: sign * row[f"val_{best}"])
        assert score(mean_logits(head, inputs.seen), answers) == {
            key: pytest.approx(chosen[key]) for key in ("val_loss", "val_accuracy", "val_macro_f1")
        }
    assert len({row["val_loss"] for row in rows}) == 3


def test_shares_are_learned(make_inputs: MakeInputs) -> None:
    x = np.repeat(np.eye(2, dtype=np.float32), 150, axis=0)
    shares = np.repeat(np.array([[0.8, 0.2], [0.3, 0.7]], np.float32), 150, axis=0)
    inputs = make_inputs(x, shares.argmax(1), shares=shares)
    given = recipe("head.strengths=[1e-4]")
    chance = fit_linear_head(inputs, given, nothing).scores({"p": np.eye(2)})
    np.testing.assert_allclose(chance, [[0.8, 0.2], [0.3, 0.7]], atol=0.01)


def test_scores_are_those_of_scikit_learn() -> None:
    logits = RNG.normal(size=(50, 4)).astype(np.float32)
    labels = np.append(RNG.integers(0, 3, 48), [0, 1])  # nobody is of the fourth class
    found = score(logits, labels)
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found["val_loss"] == pytest.approx(log_loss(labels, chance, labels=range(4)), rel=1e-5)
    assert found["val_accuracy"] == (logits.argmax(1) == labels).mean()
    f1 = f1_score(labels, logits.argmax(1), labels=[0, 1, 2], average="macro")
    assert found["val_macro_f1"] == pytest.approx(f1)


def test_kept_components_give_the_same_head(
    make_inputs: MakeInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Head settings read them; another seed or number of components makes its own."""
    inputs = replace(make_inputs(*clouds()), kept=Kept(tmp_path, "a"))
    given = recipe("features.components=4")
    wanted = fit_mlp_head(make_inputs(*clouds()), given, nothing).to_bytes()
    made: list[int] = []
    monkeypatch.setattr(
        fits, "fit_components", lambda *a, **k: made.append(1) or fit_components(*a, **k)
    )
    heads = [fit_mlp_head(inputs, given, nothing).to_bytes() for _ in range(2)]
    assert heads == [wanted, wanted] and len(made) == 1
    fit_mlp_head(inputs, recipe("features.components=4", "head.epochs=1"), nothing)
    assert len(made) == 1
    fit_mlp_head(inputs, recipe("features.components=4", "training.seed=1"), nothing)
    fit_mlp_head(inputs, recipe("features.components=3"), nothing)
    assert len(made) == 3
