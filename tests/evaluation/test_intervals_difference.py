"""Two models on the same images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from facekit.evaluation.intervals import mcnemar, paired_difference


def answers(labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    return 0.05 + 0.85 * np.eye(3)[np.where(right, labels, (labels + 1) % 3)]


def pair(n: int, gain: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models that mostly fail on the same images."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    hard = rng.random(n)
    noise = rng.random((2, n)) < 0.03
    one, other = (hard < 0.7 + gain) ^ noise[0], (hard < 0.7) ^ noise[1]
    return labels, answers(labels, one), answers(labels, other)


def test_a_small_true_gain_is_seen_because_images_are_shared() -> None:
    labels, one, other = pair(2000, 0.03, 0)
    found = paired_difference(labels, one, other, rounds=300)
    right = (one.argmax(1) == labels), (other.argmax(1) == labels)
    assert found.accuracy == pytest.approx(right[0].mean() - right[1].mean())
    low, high = found.accuracy_interval
    assert 0 < low < found.accuracy < high < 0.06
    assert found.first_only - found.second_only == pytest.approx(2000 * found.accuracy)
    assert found.p_value < 0.01
    back = paired_difference(labels, other, one, rounds=300)
    assert back.accuracy == -found.accuracy
    assert (back.first_only, back.second_only) == (found.second_only, found.first_only)
    assert found.macro_f1_interval[0] < found.macro_f1 < found.macro_f1_interval[1]


def test_no_gain_is_seen_as_none_in_95_of_100_cases() -> None:
    inside = 0
    for seed in range(80):
        low, high = paired_difference(*pair(300, 0.0, seed), rounds=60).accuracy_interval
        inside += low <= 0 <= high
    assert inside / 80 > 0.88


def test_a_model_equals_itself() -> None:
    labels, one, _ = pair(50, 0, 0)
    found = paired_difference(labels, one, one, rounds=20)
    assert (found.accuracy, found.macro_f1, found.p_value) == (0, 0, 1)
    assert found.accuracy_interval == (0, 0)


def test_people_who_are_alike_by_chance_prove_nothing() -> None:
    """Every pair of images has one gain and one loss: nothing would vary between pairs."""
    labels = np.arange(60) % 3
    first = answers(labels, np.arange(60) % 2 == 0)
    second = answers(labels, np.arange(60) % 2 == 1)
    plain = paired_difference(labels, first, second, rounds=200)
    paired = paired_difference(labels, first, second, groups=np.arange(60) // 2, rounds=200)
    assert plain.accuracy_interval[1] - plain.accuracy_interval[0] > 0.2
    assert paired.accuracy_interval == plain.accuracy_interval


def test_people_are_drawn_whole() -> None:
    labels, one, other = (np.repeat(x, 10, axis=0) for x in pair(40, 0.1, 0))
    plain = paired_difference(labels, one, other, rounds=300)
    whole = paired_difference(labels, one, other, groups=np.arange(400) // 10, rounds=300)
    width = [high - low for low, high in (plain.accuracy_interval, whole.accuracy_interval)]
    assert width[1] > 2 * width[0]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 9), (40, 41), (0, 6), (200, 120)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    wanted = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(wanted)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_the_models_must_have_the_same_classes() -> None:
    with pytest.raises(ValueError, match="2 and 3 classes"):
        paired_difference([0], [[0.5, 0.5]], [[0.2, 0.3, 0.5]])
