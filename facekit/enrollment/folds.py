"""What is held out together, and proof that nothing is on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import AnyArray, Bool, Int64
from facekit.errors import DataError

#: Most folds of the cross-validation; each fits a neuron anew.
_MOST_FOLDS: Final = 12


def session_folds(session: Int64, seed: int) -> Iterator[Bool]:
    """Which photos to hold out, fold by fold; a session is never divided.

    Args:
        session: int64 array of shape (photos,).
        seed: Which sessions share a fold, where there are many.

    Yields:
        bool arrays of shape (photos,); every photo is held out once. Nothing
        where there is one session only, because nothing would be left to learn.
    """
    names = np.random.default_rng(seed).permutation(np.unique(session))
    if len(names) < 2:
        return
    for group in np.array_split(names, min(len(names), _MOST_FOLDS)):
        yield np.isin(session, group)


def split_people(people: Int64, seed: int) -> Bool:
    """A random half of the people: those who are kept out to be tested on.

    Args:
        people: int64 array of shape (n,): who is in each row.
        seed: Of the draw.

    Returns:
        bool array of shape (n,), the same for all rows of a person. A single
        person is not kept out.
    """
    names = np.random.default_rng(seed).permutation(np.unique(people))
    return np.isin(people, names[: len(names) // 2])


def refuse_leak(
    train_sessions: ArrayLike,
    test_sessions: ArrayLike,
    train_people: ArrayLike,
    test_people: ArrayLike,
) -> None:
    """Refuse to measure on what was learned from.

    Args:
        train_sessions: Sessions whose photos, or copies of them, taught the head.
        test_sessions: Sessions whose photos test it.
        train_people: Strangers who taught it.
        test_people: Strangers who set its threshold.

    Raises:
        DataError: One of them is on both sides.
    """
    for what, one, other in (
        ("photos of session", train_sessions, test_sessions),
        ("stranger", train_people, test_people),
    ):
        shared: AnyArray = np.intersect1d(np.asarray(one), np.asarray(other))
        if shared.size:
            raise DataError(
                f"{what} {shared[0]} would both teach and test ({shared.size} in all): "
                "an error rate measured on them means nothing; keep them apart"
            )
