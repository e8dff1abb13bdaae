"""Intervals of class measures: coverage, groups, and the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.evaluation.intervals import clopper_pearson, wilson
from facekit.evaluation.measures import class_intervals, class_metrics
from facekit.evaluation.weighted import CLASS_METRICS, WeightedClasses

NAMES = ("a", "b", "c")


def answers(n: int, seed: int, right: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    said = np.where(rng.random(n) < right, labels, (labels + rng.integers(1, 3, n)) % 3)
    return labels, 0.1 + 0.7 * np.eye(3)[said]


def test_every_measure_lies_in_its_interval() -> None:
    labels, chance = answers(300, 0)
    found = class_intervals(WeightedClasses(labels, chance), rounds=200)
    measured = class_metrics(WeightedClasses(labels, chance), NAMES)
    assert list(found.means) == list(CLASS_METRICS)
    for name, (low, high) in found.means.items():
        assert low <= measured.means[name] <= high, name
        assert low < high
    assert (found.low <= measured.each).all() and (measured.each <= found.high).all()
    assert (found.unit, found.units, found.rounds) == ("image", 300, 200)


def test_accuracy_covers_the_truth_in_95_of_100_cases() -> None:
    inside = {"accuracy": 0, "macro_f1": 0}
    for seed in range(100):
        labels, chance = answers(120, seed)
        found = class_intervals(WeightedClasses(labels, chance), rounds=100, seed=seed)
        for name in inside:
            low, high = found.means[name]
            inside[name] += low <= 0.7 <= high
    assert 0.9 <= inside["accuracy"] / 100 <= 0.99
    assert 0.88 <= inside["macro_f1"] / 100 <= 0.99


def test_shares_of_independent_images_have_wilsons_interval() -> None:
    labels, chance = answers(60, 1)
    found = class_intervals(WeightedClasses(labels, chance), rounds=20)
    measured = class_metrics(WeightedClasses(labels, chance), NAMES).confusion
    assert found.means["accuracy"] == wilson(int(measured.trace()), 60)
    assert (found.low[1, 2], found.high[1, 2]) == wilson(
        int(measured[2, 2]), int(measured[2].sum())
    )


def test_people_are_drawn_whole() -> None:
    labels, chance = answers(20, 0)
    labels, chance = np.repeat(labels, 10), np.repeat(chance, 10, axis=0)
    persons = np.repeat(np.arange(20), 10)
    widths = []
    for groups in (persons, None):
        found = class_intervals(WeightedClasses(labels, chance), groups=groups, rounds=300)
        low, high = found.means["accuracy"]
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]
    found = class_intervals(
        WeightedClasses(labels, chance), groups=persons, unit="near duplicate", rounds=20
    )
    assert (found.unit, found.units) == ("near duplicate", 20)


def test_all_right_is_not_certain() -> None:
    """Ten photos a class and no mistake: the truth may still be 90 %."""
    labels = np.arange(30) % 3
    found = class_intervals(WeightedClasses(labels, np.eye(3)[labels] * 0.97 + 0.01), rounds=20)
    for name in ("accuracy", "macro_f1", "macro_precision", "balanced_accuracy"):
        assert found.means[name][0] <= clopper_pearson(30, 30)[0]
        assert found.means[name][1] == 1.0
    assert (found.low <= clopper_pearson(10, 10)[0] + 0.04).all()
    # People count, not photos.
    few = class_intervals(
        WeightedClasses(labels, np.eye(3)[labels]), groups=np.arange(30) // 10, rounds=20
    )
    assert few.means["accuracy"][0] == clopper_pearson(3, 3)[0]
    none = class_intervals(WeightedClasses(labels, np.eye(3)[(labels + 1) % 3]), rounds=20)
    assert none.means["macro_f1"][0] == 0 < none.means["macro_f1"][1]


def test_what_the_data_lack_has_no_interval() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    chance = np.eye(3)[[0, 0, 2, 1, 1, 0]]
    found = class_intervals(WeightedClasses(labels, chance), rounds=50)
    assert np.isnan(found.low[:, 2]).all() and np.isnan(found.high[:, 2]).all()
    assert np.isfinite(found.low[:, :2]).all()
    assert np.isfinite(found.means["macro_f1"]).all()


def test_unknown_labels_are_no_units() -> None:
    labels, chance = answers(90, 2)
    mixed = np.where(np.arange(90) < 30, -1, labels)
    people = np.arange(90) // 3
    found = class_intervals(WeightedClasses(mixed, chance), groups=people, rounds=50)
    wanted = class_intervals(
        WeightedClasses(labels[30:], chance[30:]), groups=people[30:], rounds=50
    )
    assert found.units == 20
    assert found.means == wanted.means


def test_groups_must_fit() -> None:
    labels, chance = answers(9, 2)
    with pytest.raises(ValueError, match="one entry for each of 9 rows"):
        class_intervals(WeightedClasses(labels, chance), groups=[1, 2])
