"""Shares of strangers are counted, and the neuron knows its person."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.enrollment.subject import AGREES, ImpostorCohort
from facekit.errors import DataError
from facekit.labels import attribute_index

SIZE = 32


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def drawn(n: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, SIZE)))


def photos_of(centre: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Photos of one person; two of them have a cosine of about 0.6."""
    return unit(centre + 0.8 * unit(np.random.default_rng(seed).normal(size=(n, SIZE))))


def test_shares_are_those_of_strangers_as_near_to_the_middle() -> None:
    angles = np.linspace(0, np.pi, 101)
    around = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    cohort = ImpostorCohort(around)
    middle = np.array([1, 0], np.float32)
    shares = cohort.near(middle, np.array([[0.999, 0.01], [0.01, 1], [-1, 0]], np.float32))
    assert shares == pytest.approx([2 / 101, 50 / 101, 1], abs=1e-6)


def test_the_bar_of_pairs_is_passed_by_its_share() -> None:
    strangers = drawn(2000)
    bar = ImpostorCohort(strangers).pair_bar(0.02)
    cosine = strangers[:1000] @ strangers[1000:].T
    assert (cosine >= bar).mean() == pytest.approx(0.02, abs=0.004)


def test_other_photos_of_a_person_agree_and_other_people_do_not() -> None:
    strangers, centre = drawn(1000), drawn(1, seed=5)[0]
    judge = ImpostorCohort(strangers).judge(photos_of(centre, 6, 1))
    scores, shares = judge(np.concatenate([photos_of(centre, 20, 2), drawn(200, seed=9)]))
    assert (shares[:20] <= AGREES).mean() > 0.9
    assert (shares[20:] <= AGREES).mean() < 0.1
    assert scores[:20].min() > np.median(scores[20:])
    order = np.argsort(scores)
    assert (np.diff(shares[order]) <= 0).all()


def test_strangers_who_rank_have_not_taught() -> None:
    """A stranger who taught is far below one who did not: ranks come from the others."""
    strangers = drawn(40)
    cohort = ImpostorCohort(strangers)
    judge = cohort.judge(drawn(3, seed=4))
    scores, shares = judge(strangers)
    assert shares[1::2] == pytest.approx((scores[1::2] <= scores[1::2, None]).mean(0), abs=1e-6)


def test_those_of_the_same_sex_and_age_rank_where_there_are_enough() -> None:
    strangers = drawn(1200)
    attributes = np.full((1200, 40), 0.5, np.float32)
    male, young = attribute_index("Male"), attribute_index("Young")
    attributes[:, male] = strangers[:, 0] > 0  # sex is a direction of the vectors
    attributes[:, young] = np.arange(1200) % 4 > 1
    cohort = ImpostorCohort(strangers, attributes)
    own = np.full((3, 40), 0.5, np.float32)
    own[:, [male, young]] = 1
    man = unit(np.eye(1, SIZE) + 0.01)
    alike, everybody = cohort.like(own), cohort.like(own[:0])
    assert everybody is cohort
    assert cohort.words == "strangers"
    assert alike.words == "people of the same apparent sex and age"
    query = np.concatenate([man, drawn(50, seed=3)])
    wide, narrow = (one.judge(man)(query) for one in (cohort, alike))
    assert np.array_equal(wide[0], narrow[0])  # the same neuron
    assert (narrow[1] >= wide[1] - 0.05).all()  # men are nearer to a man
    assert narrow[1].mean() > 1.2 * wide[1].mean()
    few = ImpostorCohort(strangers[:300], attributes[:300]).like(own)
    assert few.words == "people of any sex and age"
    assert ImpostorCohort(strangers).like(own).words == "strangers"


def test_too_few_strangers_are_refused() -> None:
    with pytest.raises(DataError, match="at least 4"):
        ImpostorCohort(drawn(3))
