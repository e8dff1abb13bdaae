"""What can be claimed of a false match rate, and exactly what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.cohort import KINDS, Cohort, Kind, fmr_threshold
from facekit.evaluation.intervals import (
    Interval,
    clopper_pearson,
    rule_of_three,
    strangers_needed,
)
from facekit.labels import attribute_index

__all__ = ["Claim", "Passed", "claim_fmr", "percent", "slice_false_matches"]

Floats = NDArray[np.floating[Any]]

#: How much another crowd differs from the strangers counted on. With this factor
#: at both ends, the FMR measured on LFW's 400 strangers lay inside the claimed
#: interval in 92 to 98 % of enrolments; without it in 75 to 88 %, and inside the
#: exact interval of the asked cohort alone in 15 to 68 % (data/trials.md).
_CROWD: Final = 1.5
#: Said where the strangers' pictures may differ from a user's photos in more than who
#: is in them. With the shipped attribute network 0 to 10 % of LFW's 400 strangers passed
#: where 1 % of CelebA's did (16 people, data/trials.md).
_ELSEWHERE: Final = (
    "a crowd of strangers that you meet: nothing can be claimed. This part of the network was "
    "not taught who people are and also sees where a picture comes from: the strangers are "
    "CelebA's own crops, and of people in photos like yours many times as many may pass"
)
#: What false matches are sliced by: attribute, name where it is there, and where not.
_SLICES: Final = (
    ("Male", "men", "women"),
    ("Young", "young", "older"),
    ("Eyeglasses", "with glasses", "without glasses"),
)


@dataclass(frozen=True)
class Passed:
    """How many of some strangers reach a threshold; each is another person.

    Attributes:
        words: Who they are.
        hits: Those who pass.
        strangers: All of them.
        interval: Exact 95 % interval of the share.
    """

    words: str
    hits: int
    strangers: int
    interval: Interval

    def __str__(self) -> str:
        low, high = self.interval
        share = percent(self.hits / self.strangers) if self.strangers else "none"
        return (
            f"{self.hits} of {self.strangers:,} {self.words} pass "
            f"({share}; 95 % interval {percent(low)} to {percent(high)})"
        )


@dataclass(frozen=True)
class Claim:
    """A false match rate, and what the strangers counted on allow to say of it.

    Attributes:
        threshold: The score from which a face is accepted.
        fmr: The rate asked for.
        interval: Where the rate lies in a crowd that is met: from the lowest to the
            highest end over all cohorts, widened by what crowds differ.
        strangers: How many strangers are like the person in the way asked for.
        supported: Whether those are enough for the rate (rule of three), and what they
            show carries over to others.
        passed: Who reaches the threshold, narrow cohorts first.
        words: All of this in sentences.
    """

    threshold: float
    fmr: float
    interval: Interval
    strangers: int
    supported: bool
    passed: tuple[Passed, ...]
    words: tuple[str, ...]


def claim_fmr(
    scores: Floats, cohorts: Sequence[Cohort], fmr: float, kind: Kind, *, carries: bool = True
) -> Claim:
    """Set the threshold, count who passes, and say what follows.

    Args:
        scores: float array of shape (k,), of strangers who taught nothing.
        cohorts: From ``all_cohorts``.
        fmr: The rate asked for, in (0, 1).
        kind: The narrowest cohort that it shall hold for.
        carries: Whether what the strangers show carries over to people in other
            photos; only vectors that were taught who people are have been seen to.

    Raises:
        DataError: There are no strangers, or a score is not finite.
    """
    asked = KINDS.index(kind)
    threshold = fmr_threshold(scores, cohorts[asked:], fmr)
    passed = tuple(_count(scores[one.rows] >= threshold, one.words) for one in cohorts)
    ends = [one.interval for one in passed if one.strangers]
    interval = (
        min(low for low, _ in ends) / _CROWD,
        min(1.0, max(high for _, high in ends) * _CROWD) if carries else 1.0,
    )
    supported = carries and len(cohorts[asked]) >= strangers_needed(fmr)
    words = _claim_words(passed, asked, fmr, interval if carries else None)
    strangers = len(cohorts[asked])
    return Claim(threshold, fmr, interval, strangers, supported, passed, tuple(words))


def _count(reached: NDArray[np.bool_], words: str) -> Passed:
    hits = int(reached.sum())
    return Passed(words, hits, reached.size, clopper_pearson(hits, reached.size))


def _claim_words(
    passed: tuple[Passed, ...], asked: int, fmr: float, interval: Interval | None
) -> list[str]:
    needed = strangers_needed(fmr)
    small = [one for one in passed[asked:] if one.strangers < needed]
    lines = [
        f"FMR {percent(fmr)} cannot be claimed for {one.words}: it takes {needed:,} "
        f"different ones, and there are {one.strangers:,}; {_shown(one)}"
        for one in small
    ]
    lines += [f"FMR {percent(fmr)}: {one}" for one in passed[asked:] if one not in small]
    if interval is None:
        return [*lines, _ELSEWHERE]
    low, high = map(percent, interval)
    lines.append(
        f"a crowd of strangers that you meet: FMR between {low} (anybody) and {high} (people like "
        f"you); crowds differ, so the intervals above are widened by {_CROWD:g}"
    )
    return lines


def _shown(one: Passed) -> str:
    """What too few strangers do show."""
    if one.strangers and not one.hits:
        bound = percent(rule_of_three(one.strangers))
        return f"none of them passes, which shows a rate below {bound} and no more"
    return str(one) if one.strangers else "so nothing is known"


def slice_false_matches(scores: Floats, threshold: float, attributes: Floats) -> tuple[Passed, ...]:
    """Who passes, by glasses, age and sex.

    Args:
        scores: float array of shape (k,), of strangers who taught nothing.
        threshold: The score from which a face is accepted.
        attributes: float array of shape (k, 40), probabilities.
    """
    out = []
    for name, there, absent in _SLICES:
        has = attributes[:, attribute_index(name)] > 0.5
        out += [
            _count(scores[rows] >= threshold, words)
            for rows, words in ((has, there), (~has, absent))
        ]
    return tuple(out)


def percent(share: float) -> str:
    """A share with two digits that count."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"
