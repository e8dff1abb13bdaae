"""``--rung auto`` with invented rungs: which one is kept, and what a resume repeats."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.bundle.write import write_bundle
from facekit.errors import DataError, InterruptedRunError, UsageError
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer import climb as workflow
from facekit.workflows.transfer.climb import climb
from facekit.workflows.transfer.data import Sources
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.run import transfer

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

N = 200
NAMES = ("id", "label", "answer")  # class names that are column names too
SOURCE = Sources(data="nowhere")


def auto(*overrides: str) -> TransferRecipe:
    return load_recipe("folder-frozen", ["rung=auto", *overrides], TransferRecipe)


def stand_in(monkeypatch: pytest.MonkeyPatch, learn: Any) -> None:
    monkeypatch.setattr(workflow, "train_rung", learn)


class Learn:
    """Answers ``right[rung]`` of 200 images rightly; those of a lower rung among them."""

    def __init__(self, contents: BundleContents, **right: int) -> None:
        self.contents, self.right = contents, right
        self.calls: list[tuple[str, bool]] = []
        self.recipes: dict[str, TransferRecipe] = {}
        self.dies = ""
        self.first = 0  # number of the first image
        self.each = 1  # images of one person

    def __call__(
        self, run: Path, recipe: TransferRecipe, source: Sources, *, resume: bool, climbs: bool
    ) -> TransferResult:
        assert source is SOURCE and climbs
        rung = recipe.rung
        self.calls.append((rung, resume))
        self.recipes[rung] = recipe
        run.mkdir(parents=True, exist_ok=True)
        if rung == self.dies:
            (run / "checkpoint.npz").touch()
            raise KeyboardInterrupt
        metrics = {"val_accuracy": self.right[rung] / N}
        write_bundle(run / "bundle", replace(self.contents, name=recipe.name, metrics=metrics))
        self._predictions(run / "validation.csv", self.right[rung])
        for name in ("predictions.csv", "card.md", "report.json", "report.html"):
            (run / name).write_text(f"{name} of {rung}")
        return TransferResult(run, rung, run / "bundle", metrics, True)

    def _predictions(self, path: Path, right: int) -> None:
        order = np.random.default_rng(len(self.calls)).permutation(N)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "label", "answer", "group", *NAMES))
            for row in order.tolist():
                label = row % 3
                said = label if row < right else (label + 1) % 3
                chances = np.full(3, 0.1) + 0.7 * np.eye(3)[said]
                name = row + self.first
                writer.writerow((name, NAMES[label], NAMES[said], name // self.each, *chances))


def steps_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "climb.json").read_text())


def test_it_climbs_while_the_gain_is_more_than_its_interval(
    monkeypatch: pytest.MonkeyPatch, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    learn = Learn(tiny_contents, frozen=100, last=130, full=150)
    stand_in(monkeypatch, learn)
    run = tmp_path / "run"
    result = climb(run, auto(), SOURCE)
    assert learn.calls == [("frozen", False), ("last", False), ("full", False)]
    assert (result.rung, result.run, result.bundle) == ("full", run, run / "bundle")
    assert result.metrics == {"val_accuracy": 0.75} and result.finished
    told = steps_of(run)
    assert told["kept"] == "full" and told["why"] == "every rung paid"
    assert [step["rung"] for step in told["steps"]] == ["frozen", "last", "full"]
    assert "gain" not in told["steps"][0]
    assert told["steps"][1]["gain"] == pytest.approx(0.15)
    low, high = told["steps"][1]["interval"]
    assert 0.05 < low < 0.15 < high < 0.25
    assert (run / "report.html").read_text() == "report.html of full"
    assert (
        json.loads((run / "bundle" / "manifest.json").read_text())["name"] == "folder-frozen-full"
    )


@pytest.mark.parametrize(("last", "gain"), [(102, 0.01), (101, 0.005), (100, 0), (60, -0.2)])
def test_a_gain_that_may_be_chance_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
    tiny_contents: BundleContents,
    tmp_path: Path,
    last: int,
    gain: float,
) -> None:
    learn = Learn(tiny_contents, frozen=100, last=last, full=190)
    stand_in(monkeypatch, learn)
    result = climb(tmp_path, auto(), SOURCE)
    assert result.rung == "frozen" and [rung for rung, _ in learn.calls] == ["frozen", "last"]
    told = steps_of(tmp_path)
    assert told["kept"] == "frozen" and "may be chance" in told["why"]
    assert told["steps"][1]["gain"] == pytest.approx(gain) and not told["steps"][1]["paid"]
    assert (tmp_path / "report.json").read_text() == "report.json of frozen"


def test_a_gain_on_a_few_people_may_be_chance(
    monkeypatch: pytest.MonkeyPatch, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    """Ten images more are many, one person more is not."""
    for each, paid in ((1, True), (10, False)):
        learn = Learn(tiny_contents, frozen=100, last=110, full=110)
        stand_in(monkeypatch, learn)
        learn.each = each
        climb(tmp_path / str(each), auto(), SOURCE)
        step = steps_of(tmp_path / str(each))["steps"][1]
        assert (step["gain"], step["paid"]) == (pytest.approx(0.05), paid)


def test_a_stopped_climb_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    learn = Learn(tiny_contents, frozen=100, last=150, full=150)
    stand_in(monkeypatch, learn)
    learn.dies = "last"
    with pytest.raises(KeyboardInterrupt):
        climb(run, auto("training.seed=7"), SOURCE, overrides=["training.epochs=3"])
    assert not (run / "bundle").exists()
    saved = load_recipe(run / "recipe.toml", (), TransferRecipe)
    assert saved == auto("training.seed=7")

    again = Learn(tiny_contents, frozen=100, last=150, full=150)
    stand_in(monkeypatch, again)
    result = climb(run, saved, SOURCE, resume=True)
    assert again.calls == [("last", True), ("full", False)]  # frozen is not repeated
    assert again.recipes["full"].training.epochs == 3  # as the first sitting was told
    assert result.rung == "last"
    third = Learn(tiny_contents, frozen=100, last=150, full=150)
    stand_in(monkeypatch, third)
    assert climb(run, saved, SOURCE, resume=True).metrics == {"val_accuracy": 0.75}
    assert third.calls == []


def test_higher_rungs_take_data_and_seed_of_the_recipe_and_training_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    overrides = ["training.seed=7", "data.holdout=0.3", "optimizer.learning_rate=1e-3"]
    learn = Learn(tiny_contents, frozen=50, last=100, full=150)
    stand_in(monkeypatch, learn)
    climb(tmp_path, auto(*overrides), SOURCE, overrides=["rung=auto", *overrides])
    usual = load_recipe("fer-full", (), TransferRecipe)
    full = learn.recipes["full"]
    assert full.augment == usual.augment and full.mix == usual.mix
    assert full.training == usual.training.model_copy(update={"seed": 7})
    assert full.optimizer.learning_rate == 1e-3 != usual.optimizer.learning_rate
    for recipe in learn.recipes.values():
        assert (recipe.training.seed, recipe.data.holdout) == (7, 0.3)
        assert recipe.data.source == "folder"
    assert learn.recipes["frozen"].name == "folder-frozen"
    assert learn.recipes["last"].name == "folder-frozen-last"


def test_what_is_refused_at_once_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def learn(*args: object, **options: object) -> TransferResult:
        raise DataError("no images")

    stand_in(monkeypatch, learn)

    with pytest.raises(DataError):
        climb(tmp_path / "run", auto(), SOURCE)
    assert list(tmp_path.iterdir()) == []


def test_rungs_on_other_images_are_not_compared(
    monkeypatch: pytest.MonkeyPatch, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    learn = Learn(tiny_contents, frozen=100, last=150, full=150)
    stand_in(monkeypatch, learn)
    learn.dies = "last"
    with pytest.raises(KeyboardInterrupt):
        climb(tmp_path, auto(), SOURCE)
    learn.dies, learn.first = "", 1
    with pytest.raises(InterruptedRunError, match="validated on other images") as caught:
        climb(tmp_path, auto(), SOURCE, resume=True)
    assert "\n" not in str(caught.value)


def test_epochs_go_with_one_rung(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--rung auto"):
        transfer("fer", tmp_path, rung="auto", epochs=2, out=tmp_path / "run")
    with pytest.raises(UsageError, match="--epochs is 0"):
        transfer("fer", tmp_path, rung="full", epochs=0, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
