"""Verification averaged over several draws of enrolled photos, with intervals.

The same people, photos and strangers stand behind every draw, so an interval
redraws people, each one's photos and the strangers once for all draws: more
draws steady the mean and do not make it look surer than its data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.intervals import Interval, centred_interval, clopper_pearson, draw_counts
from facekit.evaluation.verification import VERIFICATION_METRICS, weighted_verification

Floats = NDArray[np.float64]

#: What is added where every trial has a threshold, and where likes are known.
OWN_METRICS: Final = ("fnmr_at_own_threshold", "measured_fmr")
ALIKE_METRIC: Final = "measured_fmr_alike"


@dataclass(frozen=True, eq=False)
class Trial:
    """One enrolment of one person, against tests of the same and of strangers.

    Attributes:
        tested: int array of shape (t,): which of the person's photos were tested.
        photos: How many photos the person has, enrolled ones included.
        genuine: float array of shape (t,), their scores; -inf where no face was
            found, which no threshold accepts.
        impostor: float array of shape (s,), the strangers' scores.
        threshold: The lowest score that the enrolment itself accepts, or None.
        alike: bool array of shape (s,): the strangers for whom the threshold was
            made, or None.
    """

    tested: NDArray[np.int64]
    photos: int
    genuine: Floats
    impostor: Floats
    threshold: float | None = None
    alike: NDArray[np.bool_] | None = None


#: One trial of each person, in the same order in every draw.
Draw = Sequence[Trial]


@dataclass(frozen=True)
class DrawsVerification:
    """Means over people and draws.

    Attributes:
        metrics: Of ``VERIFICATION_METRICS``; with thresholds also the FNMR and
            the FMR there, over all strangers and over those alike.
        intervals: 95 % interval of each.
        per_person: The same metrics of each person, averaged over the draws; NaN
            for ``measured_fmr_alike`` of a person whom no stranger is like.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    per_person: tuple[dict[str, float], ...]


def verify_draws(draws: Sequence[Draw], *, rounds: int = 1000, seed: int = 0) -> DrawsVerification:
    """Average over people and draws, each trial against the same strangers.

    Where a mean error is 0 nothing varies under resampling; the upper end is
    then the exact bound for as many units: people for an FNMR (for one person:
    photos), strangers for an FMR.

    Args:
        draws: At least one, each with a trial of every person.
        rounds: Number of resamples.
        seed: Of the resamples.

    Returns:
        Means, intervals and each person's means.

    Raises:
        ValueError: No trials, draws of other people or strangers, or scores that
            are no numbers.
    """
    _check(draws)
    trials = draws[0]
    names = _names(draws)
    rng = np.random.default_rng(seed)
    strangers = trials[0].impostor.size
    people = draw_counts(len(trials), rounds, rng)
    others = draw_counts(strangers, rounds, rng)
    value = np.empty((len(trials), len(names)))
    drawn = np.empty((len(trials), len(names), rounds))
    for p, first in enumerate(trials):
        photos = draw_counts(first.photos, rounds, rng)
        mine = [draw[p] for draw in draws]
        plain = [_measures(t, np.ones((t.tested.size, 1)), np.ones((strangers, 1))) for t in mine]
        again = [_measures(t, photos[t.tested], others) for t in mine]
        value[p] = _mean(np.stack(plain))[: len(names), 0]
        drawn[p] = _mean(np.stack(again))[: len(names)]
    metrics = _mean(value)
    resampled = _mean(drawn, people[:, None, :])
    tested = trials[0].tested.size
    units = (strangers, len(trials) if len(trials) > 1 else tested)
    return DrawsVerification(
        dict(zip(names, metrics.tolist(), strict=True)),
        dict(zip(names, _intervals(names, metrics, resampled, units), strict=True)),
        tuple(dict(zip(names, row, strict=True)) for row in value.tolist()),
    )


def _names(draws: Sequence[Draw]) -> tuple[str, ...]:
    every = [trial for draw in draws for trial in draw]
    if any(trial.threshold is None for trial in every):
        return VERIFICATION_METRICS
    if not all(t.alike is not None for t in every) or not any(np.any(t.alike) for t in every):
        return (*VERIFICATION_METRICS, *OWN_METRICS)
    return (*VERIFICATION_METRICS, *OWN_METRICS, ALIKE_METRIC)


def _measures(
    trial: Trial, photos: NDArray[np.floating], strangers: NDArray[np.floating]
) -> Floats:
    """(7, r): every measure there may be, NaN where it has no meaning."""
    # A round that draws none of few photos says nothing: all of them count then.
    photos = np.where(photos.any(0), photos, 1)
    floor = min(_finite(trial.genuine), _finite(trial.impostor)) - 1
    genuine, impostor = (np.maximum(x, floor) for x in (trial.genuine, trial.impostor))
    out = np.full((len(VERIFICATION_METRICS) + 3, photos.shape[1]), np.nan)
    out[: len(VERIFICATION_METRICS)] = weighted_verification(genuine, impostor, photos, strangers)
    if trial.threshold is None:
        return out
    refused, accepted = trial.genuine < trial.threshold, trial.impostor >= trial.threshold
    out[-3] = refused @ photos / photos.sum(0)
    out[-2] = accepted @ strangers / strangers.sum(0)
    if trial.alike is not None:
        like = strangers * trial.alike[:, None]
        total = like.sum(0)
        np.divide(accepted @ like, total, out=out[-1], where=total > 0)
    return out


def _finite(scores: Floats) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.min()) if known.size else 0.0


def _mean(values: Floats, weights: NDArray[np.floating] | float = 1.0) -> Floats:
    """Weighted mean over the first axis without NaN; NaN where nothing is left."""
    there = np.isfinite(values)
    total = np.asarray((weights * there).sum(0), np.float64)
    out = np.full(total.shape, np.nan)
    summed = (np.where(there, values, 0) * weights).sum(0)
    return np.asarray(np.divide(summed, total, out=out, where=total > 0))


def _intervals(
    names: tuple[str, ...], value: Floats, drawn: Floats, units: tuple[int, int]
) -> Iterator[Interval]:
    strangers, people = units
    low, high = centred_interval(value, drawn)
    for name, mean, a, b in zip(names, value, low, high, strict=True):
        if mean == 0 and name not in ("auc", "eer"):
            count = people if name.startswith("fnmr") else strangers
            b = max(b, clopper_pearson(0, count)[1])
        yield float(np.clip(a, 0, 1)), float(np.clip(b, 0, 1))


def _check(draws: Sequence[Draw]) -> None:
    if not draws or not draws[0]:
        raise ValueError("verification needs a draw with a person in it")
    for draw in draws:
        if len(draw) != len(draws[0]):
            raise ValueError(f"draws of {len(draws[0])} and {len(draw)} people do not fit")
        for trial, first in zip(draw, draws[0], strict=True):
            same = trial.photos == first.photos
            if not same or trial.impostor.size != draws[0][0].impostor.size:
                raise ValueError("every draw needs the same photos and the same strangers")
            scores = np.concatenate([trial.genuine, trial.impostor])
            if not trial.genuine.size or not trial.impostor.size or np.isnan(scores).any():
                raise ValueError("a trial needs scores of both kinds, and no NaN among them")
