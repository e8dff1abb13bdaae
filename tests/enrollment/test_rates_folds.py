"""Sessions and people are held out whole, and a planted leak is refused."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.enrollment.rates import refuse_leak, session_folds, split_people
from facekit.errors import DataError


def test_every_photo_is_held_out_once_and_sessions_stay_whole() -> None:
    session = np.array([4, 4, 7, 1, 7, 7, 9])
    folds = list(session_folds(session, 0))
    assert len(folds) == 4
    assert np.sum(folds, axis=0).tolist() == [1] * 7
    for out in folds:
        assert not set(session[out]) & set(session[~out])


def test_many_sessions_share_folds() -> None:
    folds = list(session_folds(np.arange(50), 0))
    assert len(folds) == 12 and np.sum(folds, axis=0).tolist() == [1] * 50
    again = list(session_folds(np.arange(50), 0))
    assert all((a == b).all() for a, b in zip(folds, again, strict=True))


def test_one_session_cannot_be_held_out() -> None:
    assert list(session_folds(np.zeros(5, np.int64), 0)) == []


def test_people_are_halved_whole() -> None:
    people = np.repeat([10, 20, 30, 40], [3, 1, 4, 2])
    out = split_people(people, 0)
    assert {len(set(people[out])), len(set(people[~out]))} == {2}
    assert not set(people[out]) & set(people[~out])
    assert not split_people(np.array([5, 5]), 0).any()


def test_a_leak_is_refused() -> None:
    refuse_leak([1, 2], [3], [10, 11], [12])
    with pytest.raises(DataError, match="photos of session 2 would both teach and test"):
        refuse_leak([1, 2], [2, 3], [10], [12])
    with pytest.raises(DataError, match="stranger 11 would both teach and test") as caught:
        refuse_leak([1], [3], [10, 11], [11, 12])
    assert "\n" not in str(caught.value)
