"""Strangers like the person, and a threshold that holds for new ones."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.errors import DataError
from facekit.evaluation.claim import all_cohorts, fmr_threshold, match_cohort
from facekit.labels import attribute_index

MALE, YOUNG = attribute_index("Male"), attribute_index("Young")


def crowd(*looks: tuple[float, float]) -> np.ndarray:
    out = np.full((len(looks), 40), 0.5, np.float32)
    out[:, [MALE, YOUNG]] = np.reshape(looks, (-1, 2))
    return out


STRANGERS = crowd((0.9, 0.9), (0.8, 0.1), (0.2, 0.9), (0.1, 0.2), (0.7, 0.8))


def test_cohorts_go_from_narrow_to_wide() -> None:
    matched, sex, every = all_cohorts(crowd((0.9, 0.6), (0.4, 0.7)), STRANGERS)
    assert matched.rows.tolist() == [True, False, False, False, True]
    assert sex.rows.tolist() == [True, True, False, False, True]
    assert every.rows.all()
    assert [len(one) for one in (matched, sex, every)] == [2, 3, 5]
    assert [one.kind for one in (matched, sex, every)] == ["matched", "sex", "all"]


def test_too_few_of_them_and_the_next_wider_one_is_taken() -> None:
    own = crowd((0.9, 0.9))
    found = {
        needed: match_cohort(own, STRANGERS, "matched", needed).kind for needed in (2, 3, 4, 9)
    }
    assert found == {2: "matched", 3: "sex", 4: "all", 9: "all"}
    assert match_cohort(own, STRANGERS, "sex", 1).kind == "sex"


def test_a_new_stranger_passes_at_the_rate_or_less() -> None:
    """Over many draws: just above the j-th of n scores, j / (n + 1) of new ones pass."""
    rng = np.random.default_rng(0)
    everybody = all_cohorts(crowd((1, 1)), crowd(*[(1, 1)] * 149))
    scores = rng.normal(size=(2000, 150))
    passed = [row[-1] >= fmr_threshold(row[:-1], everybody, 0.05) for row in scores]
    assert np.mean(passed) == pytest.approx(7 / 150, abs=0.012)  # 7 = floor(0.05 * 150)


def test_the_strictest_cohort_counts() -> None:
    scores = np.array([5.0, 1, 2, 3, 4])
    matched, sex, every = all_cohorts(crowd((0.1, 0.9)), STRANGERS)
    assert len(matched) == 1 and len(sex) == 2
    assert fmr_threshold(scores, [matched], 0.2) == np.nextafter(2.0, np.inf)
    assert fmr_threshold(scores, [matched, sex], 0.2) == np.nextafter(3.0, np.inf)
    assert fmr_threshold(scores, [matched, sex, every], 0.2) == np.nextafter(5.0, np.inf)
    assert fmr_threshold(scores, [every], 0.4) == np.nextafter(4.0, np.inf)  # two of six


def test_nobody_to_compare_with_is_refused() -> None:
    nobody = all_cohorts(crowd((1, 1)), crowd())
    with pytest.raises(DataError, match="no threshold"):
        fmr_threshold(np.empty(0), nobody, 0.01)
    with pytest.raises(DataError, match="no threshold"):
        fmr_threshold(np.array([np.nan]), all_cohorts(crowd((1, 1)), crowd((1, 1))), 0.01)
    with pytest.raises(DataError, match="cannot be compared"):
        all_cohorts(np.empty((0, 40)), STRANGERS)
