"""Epochs on a linear model: early stopping, plateau, best weights, resume, what is watched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import InterruptedRunError
from facekit.recipe.schema import PretrainRecipe

pytestmark = pytest.mark.tf

STILL = {
    "mirror": 0, "rotation": 0, "zoom": 0, "tighten": 0, "shift": 0, "stretch": 0, "light": 0,
    "colour": 0, "grey": 0, "low_resolution": 0, "blur": 0, "noise": 0, "erase": 0,
}  # fmt: skip


def make_run(
    folder: Path,
    *,
    contrary: bool = False,
    watch: str = "val_loss",
    shown: list[dict[str, float]] | None = None,
    **parts: dict[str, Any],
) -> Any:
    """A run over 16 crops; ``contrary`` validation labels get worse as it learns.

    ``shown`` are the measures of each epoch, in place of real ones.
    """
    from facekit.training.backend import start_keras

    start_keras(seed=0)
    import keras

    from facekit.training.batches import Batches
    from facekit.training.loop import TrainingRun
    from facekit.training.trunk import Targets, build_trainer, validate

    plain = {"augment": STILL, "backbone": {"dropout": 0.0}}
    plain |= {"training": {"epochs": 9, "batch_size": 4}}
    for name, change in parts.items():
        plain[name] = plain.get(name, {}) | change
    plain.setdefault("schedule", {"kind": "constant", "warmup_epochs": 0})
    recipe = PretrainRecipe.model_validate({"name": "loop", **plain})
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    backbone = keras.Model(inputs, {"pooled": keras.layers.GlobalAveragePooling2D()(x)})
    crops = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    labels = np.ones((16, 40), np.int8)
    labels[12:] = 0 if contrary else 1
    targets = Targets(labels)
    train, val = np.arange(12), np.arange(12, 16)
    batches = Batches(crops, train, targets, recipe.augment, recipe.training.batch_size, 0)
    model = build_trainer(backbone, recipe, targets)
    folder.mkdir(exist_ok=True)

    def measure() -> dict[str, float]:
        return shown.pop(0) if shown else validate(model, recipe, crops, targets, val)

    return TrainingRun(folder, recipe, model, batches, measure, watch)


def bias_of(run: Any) -> Any:
    from facekit.training.keras import to_numpy

    return to_numpy(run.model.get_layer("attributes").bias)


def test_early_stopping_brings_the_best_weights_back(tmp_path: Path) -> None:
    first = make_run(tmp_path / "one", contrary=True)
    first.sit(1)
    wanted = bias_of(first)
    run = make_run(tmp_path / "two", contrary=True, training={"patience": 2})
    sitting = run.sit()
    assert sitting.finished and sitting.epoch == 3
    losses = [row["val_loss"] for row in sitting.history]
    assert losses == sorted(losses) and losses[0] < losses[1]
    assert np.abs(bias_of(run) - wanted).max() > 1e-3
    run.restore_best()
    assert np.allclose(bias_of(run), wanted, atol=1e-6)


def test_a_stopped_run_stays_stopped_until_it_is_given_more_patience(tmp_path: Path) -> None:
    make_run(tmp_path, contrary=True, training={"patience": 2}).sit()
    again = make_run(tmp_path, contrary=True, training={"patience": 2})
    assert again.resume() == 3
    sitting = again.sit()
    assert sitting.finished and sitting.history == []
    patient = make_run(tmp_path, contrary=True, training={"patience": 3})
    patient.resume()
    assert [row["epoch"] for row in patient.sit().history] == [4]


def test_a_plateau_lowers_the_rate_and_a_resume_knows(tmp_path: Path) -> None:
    schedule = {"kind": "plateau", "patience": 1, "factor": 0.5, "warmup_epochs": 0}
    optimizer = {"learning_rate": 0.01}
    run = make_run(tmp_path, contrary=True, schedule=schedule, optimizer=optimizer)
    run.sit(3)
    again = make_run(tmp_path, contrary=True, schedule=schedule, optimizer=optimizer)
    again.resume()
    again.sit(1)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # Epoch 1 is the best; each later one halves the rate of the next.
    assert [row["lr"] for row in rows] == pytest.approx([0.01, 0.01, 0.005, 0.0025])


def test_averaged_weights_are_validated_and_kept_as_best(tmp_path: Path) -> None:
    run = make_run(tmp_path, training={"average": 0.9, "epochs": 3})
    run.sit()
    last = bias_of(run)
    run.restore_best()
    assert np.abs(bias_of(run) - last).max() > 1e-4  # the average lags behind
    averaged = run._average.values[-1]
    assert np.allclose(bias_of(run), averaged)


def test_averaging_can_be_switched_off_on_a_resume(tmp_path: Path) -> None:
    make_run(tmp_path, training={"average": 0.9}).sit(2)
    run = make_run(tmp_path, training={"average": 0.0})
    run.resume()
    run.sit(1)
    bias = bias_of(run)
    run.restore_best()  # the last epoch is the best, as it was trained
    assert np.allclose(bias_of(run), bias)


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.model.get_layer("attributes").bias.assign(np.full(40, np.nan, np.float32))
    with pytest.raises(InterruptedRunError, match="learning_rate"):
        run.sit(1)
    assert not run.checkpoint.exists() and not run.best.exists()


def test_a_torn_last_line_does_not_stop_a_resume(tmp_path: Path) -> None:
    make_run(tmp_path).sit(2)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "los')
    run = make_run(tmp_path)
    run.resume()
    run.sit(1)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError, match="no checkpoint"):
        make_run(tmp_path).resume()


def test_validation_without_teacher_vectors_has_no_cosine() -> None:
    from facekit.training.trunk import _cosine

    unit = np.eye(3, dtype=np.float32)
    assert _cosine(unit, np.zeros((3, 3), np.float32)) == {}
    known = np.concatenate([unit[:2], np.zeros((1, 3), np.float32)])
    assert _cosine(5 * unit, known) == pytest.approx({"identity_cosine": 1.0})


@pytest.mark.parametrize(
    ("watch", "best"), [("val_loss", 3), ("val_accuracy", 2), ("val_macro_f1", 1)]
)
def test_the_best_epoch_is_that_of_what_is_watched(tmp_path: Path, watch: str, best: int) -> None:
    names = ("val_loss", "val_accuracy", "val_macro_f1")
    measures = [(0.9, 0.5, 0.6), (0.8, 0.7, 0.5), (0.7, 0.6, 0.4), (0.95, 0.6, 0.3)]
    shown = [dict(zip(names, values, strict=True)) for values in measures]
    run = make_run(tmp_path, watch=watch, shown=shown, training={"patience": 9})
    seen = []
    for _ in range(4):
        run.sit(1)
        seen.append(bias_of(run))
    run.restore_best()
    assert [np.array_equal(bias_of(run), bias) for bias in seen] == [
        n == best for n in (1, 2, 3, 4)
    ]


def test_the_seconds_of_an_epoch_go_on_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps of one second each, stopped after the second; saved after each."""
    from facekit.training import loop

    clock = iter(range(100))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    minutes = {"checkpoint_minutes": 1e-3}
    run = make_run(tmp_path, training=minutes)
    steps = run.batches.epoch
    run.batches.epoch = lambda *given: [*steps(*given)][:2]
    run._finish_epoch = dict  # as if it had been killed here
    run._train_epoch()
    again = make_run(tmp_path, training=minutes)
    again.resume()
    assert again._step == 2
    again.sit(1)
    (row,) = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # Each sitting's clock is read once at its beginning and once after every step; the
    # second reads it once more at the end.
    assert row["seconds"] == 2 + 2
    assert row["images_per_second"] == 3 * 4 / 4


def test_lost_best_weights_are_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.sit(1)
    run.best.unlink()
    with pytest.raises(InterruptedRunError, match=r"best\.npz cannot be read"):
        run.restore_best()
