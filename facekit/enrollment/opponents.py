"""Everybody who is not the person: who teaches a head, and who judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.strangers import Strangers
from facekit.enrollment.folds import refuse_leak, split_people
from facekit.errors import DataError

__all__ = ["Opponents", "gather_opponents"]

Floats = NDArray[np.float32]

#: How many strangers each of the user's own others counts for: enough to be
#: heard among thousands, and not so many that they push others aside
#: (data/trials.md).
_OWN_WEIGHT: Final = 25.0


@dataclass(frozen=True, eq=False)
class Opponents:
    """Vectors of other people, those who teach apart from those who test.

    Attributes:
        vectors: float32 array of shape (k, d): they teach.
        weights: float64 array of shape (k,): how much each counts.
        people: int64 array of shape (k,): who they are, a number each.
        judging: float32 array of shape (j, d): strangers who set thresholds.
        judges: int64 array of shape (j,): who those are.
        tests: float32 array of shape (t, d): the user's own others, kept out.
        tested: int64 array of shape (t,): who those are.
        taught: How many of the user's own others teach, people.
    """

    vectors: Floats
    weights: NDArray[np.float64]
    people: NDArray[np.int64]
    judging: Floats
    judges: NDArray[np.int64]
    tests: Floats
    tested: NDArray[np.int64]
    taught: int


def gather_opponents(
    strangers: Strangers,
    negatives: Floats | None,
    negative_people: NDArray[np.int64] | None,
    *,
    seed: int,
    most: int = 0,
) -> Opponents:
    """Strangers, halved as they come, and the user's own others, halved by person.

    Args:
        strangers: That come with the backbone.
        negatives: float32 array of shape (m, d), or None.
        negative_people: int64 array of shape (m,): who is in each row, or None.
        seed: Who of the user's own others teaches.
        most: Strangers that teach; 0 takes all.

    Raises:
        DataError: The shapes do not fit, a half is empty, or somebody is in both.
    """
    d = strangers.vectors.shape[1]
    vectors = np.empty((0, d), np.float32) if negatives is None else negatives
    given = np.arange(len(vectors)) if negative_people is None else np.asarray(negative_people)
    if vectors.shape[1:] != (d,) or given.shape != (len(vectors),):
        raise DataError(f"negatives {vectors.shape} of people {given.shape} do not fit (m, {d})")
    _, who = np.unique(given, return_inverse=True)
    who = -1 - who.astype(np.int64)  # the strangers have the numbers from 0 on
    out = split_people(who, seed)
    numbers = np.arange(len(strangers))
    teach, judge = numbers[~strangers.calibration], numbers[strangers.calibration]
    teach = teach[: most or len(teach)]  # they come in random order
    if not len(teach) or not len(judge):
        raise DataError(
            f"{len(teach)} strangers to teach and {len(judge)} to judge: both are needed"
        )
    known = np.unique(who[~out], return_counts=True)
    share = _OWN_WEIGHT / known[1][np.searchsorted(known[0], who[~out])]
    found = Opponents(
        vectors=np.concatenate([strangers.vectors[teach], vectors[~out]]),
        weights=np.concatenate([np.ones(len(teach)), share]),
        people=np.concatenate([teach, who[~out]]),
        judging=strangers.vectors[judge],
        judges=judge,
        tests=vectors[out],
        tested=who[out],
        taught=len(known[0]),
    )
    refuse_leak([], [], found.people, np.concatenate([found.judges, found.tested]))
    _refuse_twins(found)
    return found


def _refuse_twins(found: Opponents) -> None:
    """The very same vector on both sides is one person under two numbers."""
    taught = {row.tobytes() for row in found.vectors}
    shared = sum(row.tobytes() in taught for row in (*found.judging, *found.tests))
    if shared:
        raise DataError(
            f"{shared} vectors would both teach and test: the same pictures are on both sides; "
            "keep each person in one folder, or make the strangers again"
        )
