"""Learning rates."""

from __future__ import annotations

import math

import pytest

from facekit.recipe.schema import ScheduleSpec
from facekit.training.schedule import Plateau, learning_rate


def rates(spec: ScheduleSpec, epochs: int = 10, steps: int = 20) -> list[float]:
    return [learning_rate(0.1, spec, i, steps, epochs, 1.0) for i in range(epochs * steps)]


def test_cosine_rises_then_falls_to_almost_nothing() -> None:
    found = rates(ScheduleSpec(warmup_epochs=1))
    peak = found.index(max(found))
    assert 15 <= peak <= 20 and found[0] < 0.01
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert 0 < found[-1] < 0.001


def test_constant_stays() -> None:
    assert set(rates(ScheduleSpec(kind="constant", warmup_epochs=0))) == {0.1}


def test_plateau_reduces_after_patience() -> None:
    spec = ScheduleSpec(kind="plateau", patience=2, factor=0.5, warmup_epochs=0)
    plateau = Plateau()
    best = [plateau.observe(loss, spec) for loss in (1.0, 0.9, 0.95, 0.94, 0.8, 0.9)]
    assert best == [True, True, False, False, True, False]
    assert plateau.scale == 0.5 and plateau.waited == 1
    assert learning_rate(0.1, spec, 0, 20, 10, plateau.scale) == pytest.approx(0.05)


def test_best_starts_at_infinity() -> None:
    assert Plateau().best == math.inf


def test_steps_multiply_after_their_epochs() -> None:
    spec = ScheduleSpec(kind="steps", warmup_epochs=0, at=(2, 5), factors=(0.1, 0.5))
    found = rates(spec, epochs=8, steps=4)
    assert found == pytest.approx([0.1] * 8 + [0.01] * 12 + [0.005] * 12)
    same = ScheduleSpec(kind="steps", warmup_epochs=0, at=(2, 5), factor=0.1, floor=2e-3)
    assert rates(same, epochs=8, steps=4) == pytest.approx([0.1] * 8 + [0.01] * 12 + [2e-3] * 12)


def test_steps_may_be_reduced_on_a_plateau_too() -> None:
    plain = ScheduleSpec(kind="steps", at=(2,), patience=1)
    both = plain.model_copy(update={"on_plateau": True, "warmup_epochs": 0.0})
    scales = []
    for spec in (plain, both):
        plateau = Plateau()
        for loss in (1.0, 1.1):
            plateau.observe(loss, spec)
        scales.append(plateau.scale)
    assert scales == [1.0, 0.5]
    assert learning_rate(0.1, both, 60, 20, 10, 0.5) == pytest.approx(0.1 * 0.5 * 0.5)
