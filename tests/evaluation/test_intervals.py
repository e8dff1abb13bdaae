"""Coverage of the bootstrap, exact intervals against SciPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facekit.evaluation.intervals import (
    bootstrap,
    centred_interval,
    clopper_pearson,
    resample,
    rule_of_three,
    strangers_needed,
    wilson,
)


def _mean_of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: values @ weights / weights.sum(0)


@pytest.mark.parametrize("repeat", [1, 5])
def test_bootstrap_covers_the_truth_in_95_of_100_cases(repeat: int) -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(300):
        values = np.repeat(rng.normal(size=80), repeat)
        low, high = bootstrap(
            _mean_of(values), values.size, groups=np.arange(values.size) // repeat,
            rounds=300, seed=trial,
        )  # fmt: skip
        inside += bool(low <= 0 <= high)
    assert 0.91 <= inside / 300 <= 0.98


def test_forgetting_people_is_overconfident() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(200):
        values = np.repeat(rng.normal(size=40), 5)
        low, high = bootstrap(_mean_of(values), values.size, rounds=200, seed=trial)
        inside += bool(low <= 0 <= high)
    assert inside / 200 < 0.75


def test_people_are_drawn_whole() -> None:
    groups = np.array(["b", "a", "b", "c", "a"])
    weights = np.concatenate(list(resample(5, groups=groups, rounds=50)), axis=1)
    assert weights.shape == (5, 50)
    assert (weights[0] == weights[2]).all()
    assert (weights[1] == weights[4]).all()
    assert (weights[[0, 1, 3]].sum(0) == 3).all()


def test_rows_are_drawn_as_often_as_there_are_rows() -> None:
    blocks = list(resample(300_000, rounds=20))
    assert len(blocks) > 1  # memory stays bounded
    assert sum(block.shape[1] for block in blocks) == 20
    assert all((block.sum(0, np.float64) == 300_000).all() for block in blocks)


def test_an_interval_holds_its_own_number_in_spite_of_bias() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(2.0, 0.1, 1000)
    low, high = centred_interval(1.0, drawn)
    assert low == pytest.approx(1.0 - 0.196, abs=0.02)
    assert high == pytest.approx(1.0 + 0.196, abs=0.02)


def test_rounds_without_a_value_are_left_out() -> None:
    drawn = np.array([[1.0, 2.0, np.nan, 3.0], [np.nan] * 4])
    low, high = centred_interval([2.0, np.nan], drawn)
    assert 1 <= low[0] <= 2 <= high[0] <= 3
    assert np.isnan(low[1])
    assert np.isnan(high[1])


@pytest.mark.parametrize(("hits", "trials"), [(0, 12), (1, 30), (7, 7), (45, 100), (2, 5000)])
def test_exact_intervals_agree_with_scipy(hits: int, trials: int) -> None:
    from scipy.stats import binomtest

    test = binomtest(hits, trials)
    exact, score = test.proportion_ci(method="exact"), test.proportion_ci(method="wilson")
    assert clopper_pearson(hits, trials) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert wilson(hits, trials) == pytest.approx((score.low, score.high), abs=1e-9)


def test_no_trials_say_nothing() -> None:
    assert clopper_pearson(0, 0) == (0, 1)
    assert wilson(0, 0) == (0, 1)
    assert rule_of_three(0) == 1


def test_rule_of_three_is_close_to_the_exact_bound() -> None:
    for trials in (30, 300, 3000):
        assert rule_of_three(trials) == pytest.approx(1 - 0.05 ** (1 / trials), rel=0.06)
    assert strangers_needed(0.01) == 300
    assert strangers_needed(0.001) == 3000


def test_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        clopper_pearson(5, 4)
    with pytest.raises(ValueError, match="-1 of 4"):
        wilson(-1, 4)
    with pytest.raises(ValueError, match="one entry for each of 3 rows"):
        list(resample(3, groups=[1, 2], rounds=2))
    with pytest.raises(ValueError, match="rows and rounds"):
        list(resample(0, rounds=2))
    with pytest.raises(ValueError, match="rate"):
        strangers_needed(0)
