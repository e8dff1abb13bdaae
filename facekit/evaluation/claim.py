"""What can be claimed of a false match rate, and exactly what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from facekit.arrays import Bool, Float32, Floating
from facekit.errors import DataError
from facekit.evaluation.intervals import Interval, clopper_pearson, rule_of_three, strangers_needed
from facekit.labels import ATTRIBUTES, attribute_index

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
    scores: Floating, cohorts: Sequence[Cohort], fmr: float, kind: Kind, *, carries: bool = True
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


def _count(reached: Bool, words: str) -> Passed:
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


def slice_false_matches(
    scores: Floating, threshold: float, attributes: Floating
) -> tuple[Passed, ...]:
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
    """A share with two digits that count, never with an exponent."""
    value = 100 * share
    if value >= 10:
        return f"{value:.0f} %"
    return f"{np.format_float_positional(value, precision=2, fractional=False, trim='-')} %"


# Strangers like the person, whom a false match rate is claimed against.
#
# Most strangers who pass for somebody have the same sex and age. A threshold that
# lets 1 % of everybody pass therefore lets more of those pass who look alike, so
# it is set on strangers like the person, and on everybody where that is stricter.

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

    rows: Bool
    kind: Kind
    words: str

    def __len__(self) -> int:
        return int(self.rows.sum())


def celeba_columns(names: Sequence[str], values: Floating) -> Float32:
    """Values of any attributes in the places of CelebA's forty, by name.

    Cohorts ask for some of the forty; a head of other attributes has them unknown.

    Args:
        names: The k attributes of a head.
        values: float array of shape (n, k).

    Returns:
        float32 array of shape (n, 40), NaN where the head does not know the attribute.
    """
    if tuple(names) == ATTRIBUTES:
        return np.asarray(values, np.float32)
    out = np.full((len(values), len(ATTRIBUTES)), np.nan, np.float32)
    for j, name in enumerate(names):
        if name in ATTRIBUTES:
            out[:, attribute_index(name)] = values[:, j]
    return out


def all_cohorts(own: Floating, strangers: Floating) -> tuple[Cohort, ...]:
    """The three cohorts, the narrowest first.

    Args:
        own: float array of shape (photos, 40): attribute probabilities.
        strangers: float array of shape (k, 40).
    """
    if own.ndim != 2 or not len(own) or strangers.shape[1:] != own.shape[1:]:
        raise DataError(f"attributes {own.shape} and {strangers.shape} cannot be compared")
    alike = [
        (strangers[:, column] > 0.5) == (own[:, column].mean() > 0.5)
        if np.isfinite(own[:, column]).all()
        else np.ones(len(strangers), bool)  # the model does not know: nobody is left out
        for column in map(attribute_index, ("Male", "Young"))
    ]
    rows = (alike[0] & alike[1], alike[0], np.ones(len(strangers), bool))
    return tuple(
        Cohort(chosen, kind, _WORDS[kind]) for chosen, kind in zip(rows, KINDS, strict=True)
    )


def match_cohort(own: Floating, strangers: Floating, kind: Kind, needed: int) -> Cohort:
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


def fmr_threshold(scores: Floating, cohorts: Sequence[Cohort], fmr: float) -> float:
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
