"""Error rates of held-out photos, the unsure band, and probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import AnyArray, Bool, Float64, Int64
from facekit.errors import DataError
from facekit.evaluation.claim import Claim
from facekit.evaluation.intervals import Interval, clopper_pearson, rule_of_three

#: Photos of one person scatter about half as much as strangers' scores (12 people
#: of LFW, 0.45 to 0.5); counts as much as ``_SPREAD_PHOTOS`` photos.
_SPREAD: Final = 0.5
_SPREAD_PHOTOS: Final = 4
#: Where no photo was held out, "no" begins where so many more strangers pass.
_BLIND: Final = 10.0
#: What probabilities are like before any photo of the person: slope for scores in
#: standard deviations of the strangers, and the logit at the threshold (12 people
#: of LFW, 2 to 18 photos each: 0.87 to 0.98 times 4.9, and 0 to 1.4), with their
#: standard deviations; of the slope on a logarithmic scale.
_SLOPE: Final = (4.4, 0.3)
_OFFSET: Final = (0.5, 1.0)


@dataclass(frozen=True)
class Fnmr:
    """How many held-out photos of the person are refused.

    Attributes:
        value: Share of the photos; NaN where none was held out.
        interval: 95 %, exact; counts sessions. (0, 1) where nothing is known.
        errors: Photos refused.
        photos: Photos held out.
        sessions: Sessions they are from.
    """

    value: float
    interval: Interval
    errors: int
    photos: int
    sessions: int


def measure_fnmr(refused: Bool, session: Int64) -> Fnmr:
    """Share of held-out photos refused, with an interval.

    Photos of one session succeed or fail together, so sessions are the trials of
    the interval, each failed by the share of its photos that failed; the sum is
    rounded down for the lower end and up for the upper one. Without any error the
    upper end is the rule of three.

    Args:
        refused: bool array of shape (n,), held-out photos below the threshold.
        session: int64 array of shape (n,).
    """
    names, number = np.unique(session, return_inverse=True)
    n, errors = len(refused), int(refused.sum())
    if not n:
        return Fnmr(float("nan"), (0.0, 1.0), 0, 0, 0)
    failed = float((np.bincount(number, refused) / np.bincount(number)).sum())
    low = clopper_pearson(int(np.floor(failed + 1e-9)), len(names))[0]
    high = clopper_pearson(int(np.ceil(failed - 1e-9)), len(names))[1]
    if not errors:
        high = rule_of_three(len(names))
    value = errors / n
    return Fnmr(value, (min(low, value), max(high, value)), errors, n, len(names))


def lower_bound(own: Float64, like: Float64, claim: Claim) -> float:
    """The score below which hardly any photo of the person falls.

    "Hardly any" is the false match rate asked for, so both kinds of wrong answer
    are as rare: a prediction bound of Student's t for one more score, whose
    variance is drawn towards that of people seen before. It is never above the
    threshold; where it lies below, scores between the two are "unsure".

    Args:
        own: float64 array of shape (n,), scores of held-out photos.
        like: float64 array of shape (k,), of strangers like the person.
        claim: Threshold and rate.
    """
    from scipy.special import stdtrit  # Student's quantiles; scipy.stats takes half a second

    if len(own) < 2:
        share = min(0.5, _BLIND * claim.fmr)
        return min(claim.threshold, float(np.quantile(like, 1 - share)))
    n, middle = len(own), float(own.mean())
    freedom = _SPREAD_PHOTOS + n - 1
    scatter = _SPREAD_PHOTOS * (_SPREAD * like.std()) ** 2 + ((own - middle) ** 2).sum()
    spread = float(np.sqrt(scatter / freedom * (1 + 1 / n)))
    return min(claim.threshold, middle + float(stdtrit(freedom, claim.fmr)) * spread)


def fit_probability(own: Float64, like: Float64, threshold: float) -> Float64:
    """Slope and offset from a score to the logit of "it is this person".

    Platt scaling of held-out photos against strangers like the person who taught
    nothing, as if both were equally frequent, drawn towards what fits people seen
    before: a few photos, all far above every stranger, say little about scores in
    between.

    Args:
        own: float64 array of shape (n,), scores of held-out photos; may be empty.
        like: float64 array of shape (k,), of strangers.
        threshold: The score from which the answer is "yes".

    Returns:
        float64 array of shape (2,); the slope is positive.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    start = _SLOPE[0] / max(float(like.std()), 1e-6)
    same, other, weight = own - threshold, like - threshold, len(own) / len(like)

    def loss(p: Float64) -> tuple[float, Float64]:
        slope = start * np.exp(p[0])
        z, y = slope * same + p[1], slope * other + p[1]
        value = np.logaddexp(0, -z).sum() + weight * np.logaddexp(0, y).sum()
        away = np.array([p[0] / _SLOPE[1] ** 2, (p[1] - _OFFSET[0]) / _OFFSET[1] ** 2])
        value += (away[0] * p[0] + away[1] * (p[1] - _OFFSET[0])) / 2
        a, b = -expit(-z), weight * expit(y)
        gradient = np.array([slope * (a @ same + b @ other), a.sum() + b.sum()])
        return float(value), gradient + away

    found = minimize(loss, [0.0, _OFFSET[0]], jac=True, method="L-BFGS-B").x
    slope = start * float(np.exp(found[0]))
    return np.array([slope, float(found[1]) - slope * threshold])


# What is held out together, and proof that nothing is on both sides.

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
