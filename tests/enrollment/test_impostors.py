"""Who teaches a head is never who judges it."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.bundle.strangers import Strangers
from facekit.enrollment.impostors import Negatives, gather_impostors
from facekit.errors import DataError

RNG = np.random.default_rng(0)


def strangers(n: int = 10) -> Strangers:
    vectors = RNG.normal(size=(n, 4)).astype(np.float32)
    return Strangers(vectors, np.zeros((n, 40), np.uint8), np.arange(n) % 2 == 0, "key")


def test_the_halves_are_those_of_the_file() -> None:
    given = strangers()
    found = gather_impostors(given, None, seed=0)
    np.testing.assert_array_equal(found.vectors, given.vectors[1::2])
    np.testing.assert_array_equal(found.judging, given.vectors[::2])
    assert not set(found.people) & set(found.judges)
    assert found.taught == 0 and not len(found.tests)


def test_own_others_are_halved_by_person_and_count_the_same() -> None:
    own, who = RNG.normal(size=(7, 4)).astype(np.float32), np.array([3, 3, 3, 3, 8, 8, 9])
    found = gather_impostors(strangers(), Negatives(own, who), seed=1)
    kept = {tuple(row) for row in found.tests.tolist()}
    out = np.array([tuple(row) in kept for row in own.tolist()])
    assert not set(who[out]) & set(who[~out]) and out.any()
    assert found.taught == len(set(who[~out]))
    weights = found.weights[5:]
    assert weights.sum() == pytest.approx(25 * found.taught)
    assert len(found.vectors) == 5 + (~out).sum()


def test_a_picture_on_both_sides_is_refused() -> None:
    given = strangers()
    given.vectors[4] = given.vectors[1]  # 4 judges, 1 teaches
    with pytest.raises(DataError, match="1 vectors would both teach and test"):
        gather_impostors(given, None, seed=0)
    own = np.tile(RNG.normal(size=(1, 4)).astype(np.float32), (2, 1))
    with pytest.raises(DataError, match="keep each person in one folder"):
        gather_impostors(strangers(), Negatives(own, np.array([0, 1])), seed=0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="do not fit"):
        gather_impostors(strangers(), Negatives(np.zeros((2, 5), np.float32), np.arange(2)), seed=0)
    with pytest.raises(DataError, match="both are needed"):
        gather_impostors(strangers(1), None, seed=0)
