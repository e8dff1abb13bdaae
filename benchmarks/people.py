"""Verification averaged over people, with intervals that count people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.evaluation.intervals import Interval, centred_interval, clopper_pearson, draw_counts
from facekit.evaluation.verification import (
    FMRS,
    VERIFICATION_METRICS,
    verification_metrics,
    weighted_verification,
)


@dataclass(frozen=True)
class PeopleVerification:
    """Measures of `verification_metrics`, averaged over people.

    Attributes:
        metrics: Mean of each measure over the people.
        intervals: 95 % interval of each mean.
        per_person: Each person's own measures, in the order given.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    per_person: tuple[dict[str, float], ...]


def verify_people(
    genuine: Sequence[ArrayLike], impostor: ArrayLike, *, rounds: int = 1000, seed: int = 0
) -> PeopleVerification:
    """Average over people, each against the same strangers at an own threshold.

    Intervals redraw people, the photos of each, and the strangers (once for all
    people in a round). Where a mean FNMR is 0 nothing varies; the upper end is
    then the exact bound for as many people (for one person: photos), because
    what all photos of one person have in common counts only once.

    Args:
        genuine: For each of p people, float array of shape (photos,).
        impostor: float array of shape (p, strangers); column s is stranger s.
        rounds: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Means, intervals and each person's values.

    Raises:
        ValueError: Nobody is given, scores are empty or not finite, or the
            number of people differs.
    """
    other = np.asarray(impostor, np.float64)
    if other.ndim != 2 or not len(genuine) or len(genuine) != len(other):
        raise ValueError(f"{len(genuine)} people do not fit impostor scores {other.shape}")
    each = tuple(verification_metrics(g, i) for g, i in zip(genuine, other, strict=True))
    value = np.array([[one[name] for name in VERIFICATION_METRICS] for one in each]).mean(0)
    drawn = _resampled([np.asarray(g, np.float64) for g in genuine], other, rounds, seed)
    low, high = np.clip(centred_interval(value, drawn), 0, 1)
    units = len(genuine) if len(genuine) > 1 else np.size(genuine[0])
    for m, name in enumerate(VERIFICATION_METRICS):
        if name in FMRS and value[m] == 0:
            high[m] = max(high[m], clopper_pearson(0, units)[1])
    names, ends = VERIFICATION_METRICS, np.stack([low, high], axis=1).tolist()
    intervals = {name: (a, b) for name, (a, b) in zip(names, ends, strict=True)}
    return PeopleVerification(dict(zip(names, value.tolist(), strict=True)), intervals, each)


def _resampled(
    genuine: Sequence[NDArray[np.float64]], impostor: NDArray[np.float64], rounds: int, seed: int
) -> NDArray[np.float64]:
    """(4, rounds): the means over redrawn people, photos and strangers."""
    rng = np.random.default_rng(seed)
    people, strangers = (draw_counts(size, rounds, rng) for size in impostor.shape)
    total = np.zeros((len(VERIFICATION_METRICS), rounds))
    for person, same in enumerate(genuine):
        photos = draw_counts(same.size, rounds, rng)
        total += people[person] * weighted_verification(same, impostor[person], photos, strangers)
    return total / len(genuine)
