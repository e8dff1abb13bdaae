"""Strangers like the person, whom a false match rate is claimed against.

Most strangers who pass for somebody have the same sex and age. A threshold that
lets 1 % of everybody pass therefore lets more of those pass who look alike, so
it is set on strangers like the person, and on everybody where that is stricter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import attribute_index

__all__ = ["KINDS", "Cohort", "Kind", "all_cohorts", "fmr_threshold", "match_cohort"]

Floats = NDArray[np.floating[Any]]
Kind = Literal["matched", "sex", "all"]

#: From narrow to wide.
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_WORDS: Final[dict[Kind, str]] = {
    "matched": "people of the same apparent sex and age",
    "sex": "people of the same apparent sex",
    "all": "people of any sex and age",
}
_SLACK: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Cohort:
    """Strangers that are alike in some way.

    Attributes:
        rows: bool array of shape (k,): which of the strangers.
        kind: Like the person in sex and age, in sex, or all.
        words: Who they are.
    """

    rows: NDArray[np.bool_]
    kind: Kind
    words: str

    def __len__(self) -> int:
        return int(self.rows.sum())


def all_cohorts(own: Floats, strangers: Floats) -> tuple[Cohort, ...]:
    """The three cohorts, the narrowest first.

    Args:
        own: float array of shape (photos, 40): attribute probabilities.
        strangers: float array of shape (k, 40).
    """
    if own.ndim != 2 or not len(own) or strangers.shape[1:] != own.shape[1:]:
        raise DataError(f"attributes {own.shape} and {strangers.shape} cannot be compared")
    alike = [
        (strangers[:, column] > 0.5) == (own[:, column].mean() > 0.5)
        for column in map(attribute_index, ("Male", "Young"))
    ]
    rows = (alike[0] & alike[1], alike[0], np.ones(len(strangers), bool))
    return tuple(
        Cohort(chosen, kind, _WORDS[kind]) for chosen, kind in zip(rows, KINDS, strict=True)
    )


def match_cohort(own: Floats, strangers: Floats, kind: Kind, needed: int) -> Cohort:
    """The cohort asked for, or the next wider one that is large enough.

    Args:
        own: float array of shape (photos, 40): attribute probabilities.
        strangers: float array of shape (k, 40).
        kind: What they should have in common with the person.
        needed: How many there must be; everybody is taken where nothing suffices.

    Raises:
        DataError: The shapes do not fit.
    """
    wide = all_cohorts(own, strangers)[KINDS.index(kind) :]
    return next((cohort for cohort in wide if len(cohort) >= needed), wide[-1])


def fmr_threshold(scores: Floats, cohorts: Sequence[Cohort], fmr: float) -> float:
    """The lowest threshold at which a new stranger of each cohort passes at ``fmr``.

    With the threshold just above the j-th largest of n scores one more stranger
    passes with a chance of j / (n + 1) at most; j is the largest number for which
    that is ``fmr`` or less, and 1 where a cohort is too small for any.

    Args:
        scores: float array of shape (k,).
        cohorts: Which strangers; the strictest counts.
        fmr: In (0, 1).

    Raises:
        DataError: There are no strangers, or a score is not finite.
    """
    if not np.isfinite(scores).all() or not any(map(len, cohorts)):
        raise DataError(f"{len(scores)} strangers' scores give no threshold")
    strictest = -np.inf
    for cohort in cohorts:
        found = np.sort(scores[cohort.rows].astype(np.float64))[::-1]
        if len(found):
            place = max(1, int(np.floor(fmr * (len(found) + 1) + _SLACK)))
            strictest = max(strictest, found[place - 1])
    return float(np.nextafter(strictest, np.inf))
