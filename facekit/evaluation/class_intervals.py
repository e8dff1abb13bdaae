"""How sure the measures of answers are that exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.evaluation.classification import prepare
from facekit.evaluation.intervals import Interval, bootstrap, clopper_pearson, wilson
from facekit.evaluation.weighted_classes import CLASS_METRICS, PER_CLASS, WeightedClasses

__all__ = ["ClassIntervals", "class_intervals"]

Floats = NDArray[np.float64]

#: Measures that are no shares: an interval may pass 1.
_UNBOUNDED: Final = frozenset({"nll"})


@dataclass(frozen=True)
class ClassIntervals:
    """95 % intervals of the same measures.

    Attributes:
        means: (low, high) of each of ``CLASS_METRICS``.
        low: float64 array of shape (3, k) in the order of ``PER_CLASS``.
        high: float64 array of shape (3, k).
        unit: What was drawn: "image", "person" or another kind of group.
        units: How many of these there are.
        rounds: Number of resamples.
    """

    means: dict[str, Interval]
    low: Floats
    high: Floats
    unit: str
    units: int
    rounds: int


def class_intervals(
    labels: ArrayLike,
    probabilities: ArrayLike,
    majority: int | None = None,
    *,
    names: Sequence[str],
    groups: ArrayLike | None = None,
    unit: str = "person",
    rounds: int = 1000,
    seed: int = 0,
) -> ClassIntervals:
    """95 % intervals of everything `class_metrics` measures.

    Bootstrap, but where nobody repeats accuracy and recall are plain shares and
    have Wilson's interval. Groups never make an interval narrower than the one
    that draws single images: two people who are alike by chance prove nothing. A
    measure of exactly 0 or 1 does not vary when it is redrawn; its other end is
    then the exact bound for as many units.

    Args:
        labels: As for `class_metrics`, like the next three.
        probabilities: float array of shape (n, k).
        majority: A class or None.
        names: The k classes.
        groups: Array of shape (n,): images of one person, or near duplicates;
            groups are drawn whole. None draws images.
        unit: What one group is called.
        rounds: Number of resamples.
        seed: Seed of the draws.

    Returns:
        The intervals, NaN where the measure is.

    Raises:
        ValueError: As for `class_metrics`, or groups of another length.
    """
    prepared = prepare(labels, probabilities, majority, names)
    kept = np.flatnonzero(prepared.known)
    inside = None if groups is None else _of_length(groups, prepared.labels.size)[kept]

    def measure(weights: NDArray[np.floating]) -> Floats:
        whole = np.zeros((prepared.labels.size, weights.shape[1]))
        whole[kept] = weights
        means, each = prepared.measure(whole)
        return np.concatenate([means, each.reshape(-1, means.shape[1])])

    value = measure(np.ones((kept.size, 1)))[:, 0]
    low, high = bootstrap(measure, kept.size, rounds=rounds, seed=seed)
    sizes = _units(prepared, kept, inside)
    _plain_shares(prepared, low, high)
    if inside is not None:
        wide = bootstrap(measure, kept.size, groups=inside, rounds=rounds, seed=seed)
        low, high = np.fmin(low, wide[0]), np.fmax(high, wide[1])
    _bound(value, low, high, sizes)
    first = len(CLASS_METRICS)
    pairs = zip(low[:first].tolist(), high[:first].tolist(), strict=True)
    low, high = (ends[first:].reshape(len(PER_CLASS), prepared.k) for ends in (low, high))
    named = dict(zip(CLASS_METRICS, pairs, strict=True))
    return ClassIntervals(named, low, high, "image" if groups is None else unit, sizes[0], rounds)


def _bound(value: Floats, low: Floats, high: Floats, sizes: Sequence[int]) -> None:
    """Keep shares in [0, 1], and give those of exactly 0 or 1 the exact other end."""
    share = np.ones(value.size, bool)
    share[[CLASS_METRICS.index(name) for name in _UNBOUNDED]] = False
    np.maximum(low, 0, out=low)
    high[share] = np.minimum(high[share], 1)
    for i in np.flatnonzero(share & np.isin(value, (0.0, 1.0))).tolist():
        bound = clopper_pearson(int(value[i]) * sizes[i], sizes[i])
        low[i], high[i] = min(low[i], bound[0]), max(high[i], bound[1])


def _plain_shares(prepared: WeightedClasses, low: Floats, high: Floats) -> None:
    """Wilson's interval of the accuracy and of each class's recall, in place."""
    table = prepared.confusion()
    hits, trials = table.diagonal(), table.sum(1)
    low[0], high[0] = wilson(int(hits.sum()), int(trials.sum()))
    first = len(CLASS_METRICS) + PER_CLASS.index("recall") * prepared.k
    for j in np.flatnonzero(trials):
        low[first + j], high[first + j] = wilson(int(hits[j]), int(trials[j]))


def _units(
    prepared: WeightedClasses, kept: NDArray[np.int64], inside: NDArray[np.generic] | None
) -> list[int]:
    """Of how many independent units each measure is made."""
    code = np.arange(kept.size) if inside is None else np.unique(inside, return_inverse=True)[1]
    truth, said = prepared.labels[kept], prepared.answers[kept]
    shown = [np.unique(code[truth == j]).size for j in range(prepared.k)]
    answered = [np.unique(code[said == j]).size for j in range(prepared.k)]
    both = [max(a, b) for a, b in zip(shown, answered, strict=True)]
    return [np.unique(code).size] * len(CLASS_METRICS) + answered + shown + both


def _of_length(groups: ArrayLike, n: int) -> NDArray[np.generic]:
    array = np.asarray(groups)
    if array.shape != (n,):
        raise ValueError(f"groups {array.shape} must have one entry for each of {n} rows")
    return array
