"""Error rates of held-out photos, the unsure band and probabilities."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest

from facekit.enrollment.rates import fit_probability, lower_bound, measure_fnmr
from facekit.evaluation.claim import Claim
from facekit.evaluation.intervals import clopper_pearson

RNG = np.random.default_rng(0)
LIKE = RNG.normal(-9, 5, 800)


def claim(threshold: float = 0.0, fmr: float = 0.01) -> Claim:
    return Claim(threshold, fmr, (0.0, 1.0), 800, True, (), ())


def chance(platt: np.ndarray, score: float) -> float:
    return 1 / (1 + math.exp(-(platt[0] * score + platt[1])))


def test_each_photo_its_own_session_gives_the_exact_interval() -> None:
    refused = np.array([True, False, False, True, False, False, False, False])
    found = measure_fnmr(refused, np.arange(8))
    assert (found.value, found.errors, found.photos, found.sessions) == (0.25, 2, 8, 8)
    assert found.interval == clopper_pearson(2, 8)


def test_no_error_gives_the_rule_of_three() -> None:
    found = measure_fnmr(np.zeros(20, bool), np.arange(20))
    assert found.value == 0 and found.interval == (0.0, 0.15)
    assert measure_fnmr(np.zeros(3, bool), np.arange(3)).interval == (0.0, 1.0)


def test_the_interval_counts_sessions_and_not_photos() -> None:
    refused, session = np.zeros(20, bool), np.repeat(np.arange(4), 5)
    assert measure_fnmr(refused, session).interval[1] == 0.75
    refused[:2] = True  # two of five photos of one session
    found = measure_fnmr(refused, session)
    assert found.value == 0.1
    assert found.interval == (0.0, clopper_pearson(1, 4)[1])


def test_nothing_held_out_is_not_known() -> None:
    found = measure_fnmr(np.empty(0, bool), np.empty(0, np.int64))
    assert math.isnan(found.value) and found.interval == (0.0, 1.0)


def test_no_is_said_where_hardly_any_own_photo_falls() -> None:
    own = RNG.normal(3, 2.5, 40)
    found = lower_bound(own, LIKE, claim())
    assert found == pytest.approx(own.mean() - 2.42 * own.std(), abs=0.5)  # t, 43 degrees
    assert lower_bound(own, LIKE, claim(fmr=0.1)) > found
    assert lower_bound(own + 30, LIKE, claim()) == 0.0  # never above the threshold


def test_few_photos_leave_more_unsure() -> None:
    own = np.array([3.0, 3.2, 2.8])
    few, many = lower_bound(own, LIKE, claim()), lower_bound(np.tile(own, 10), LIKE, claim())
    assert few < many - 2  # three equal scores do not prove that all are equal
    blind = lower_bound(np.empty(0), LIKE, claim())
    assert blind == pytest.approx(np.quantile(LIKE, 0.9))


def test_probabilities_are_right_where_there_are_many_photos() -> None:
    """Two normals of one width make an exact logistic: slope 12 / 9, middle at -1."""
    own, like = RNG.normal(5, 3, 3000), RNG.normal(-7, 3, 3000)
    platt = fit_probability(own, like, 0.0)
    assert platt[0] == pytest.approx(12 / 9, rel=0.12)
    assert -platt[1] / platt[0] == pytest.approx(-1, abs=0.3)


def test_without_photos_it_says_what_is_usual() -> None:
    platt = fit_probability(np.empty(0), LIKE, 2.0)
    assert 0.5 < chance(platt, 2.0) < 0.75
    assert chance(platt, -3.0) < 0.05 and chance(platt, 7.0) > 0.95


def test_a_few_far_photos_make_it_neither_blind_nor_certain() -> None:
    platt = fit_probability(np.array([6.0, 7.0, 8.0]), LIKE, 0.0)
    assert 0.3 < chance(platt, 0.0) < 0.9
    assert platt[0] > 0
    low = fit_probability(np.array([-6.0, -7.0, -5.0, -6.0] * 5), LIKE, 0.0)
    assert chance(cast(np.ndarray, low), -6.0) > chance(platt, -6.0)
