"""Two models on the same images: by how much one is better, and whether that is luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Float64, Floating
from facekit.evaluation.intervals import Interval, bootstrap
from facekit.evaluation.weighted import CLASS_METRICS, WeightedClasses


@dataclass(frozen=True)
class Difference:
    """The first model minus the second, on the same images.

    Attributes:
        accuracy: Difference of the accuracies, in [-1, 1].
        accuracy_interval: Its 95 % interval.
        macro_f1: Difference of the macro F1 scores.
        macro_f1_interval: Its 95 % interval.
        first_only: Images that only the first answered right.
        second_only: Images that only the second answered right.
        p_value: Exact McNemar test, two-sided: how likely so uneven a split is
            between two equally good models. Counts every image as independent.
    """

    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    first_only: int
    second_only: int
    p_value: float


def paired_difference(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Difference:
    """Compare two models on the same images, redrawing the images for both at once.

    That is much sharper than two separate intervals: what is hard for both
    cancels. With groups no interval is narrower than the one that draws single
    images, as in ``class_intervals``.

    Args:
        labels: int array of shape (n,) with classes in [0, k), no -1.
        first: float array of shape (n, k), probabilities; rows sum to 1.
        second: The same of the other model.
        groups: Array of shape (n,), drawn whole (people, near duplicates), or None.
        rounds: Number of resamples.
        seed: Seed of the draws.

    Returns:
        First minus second.

    Raises:
        ValueError: Shapes do not fit, or a row is no distribution.
    """
    both = [WeightedClasses(labels, chance) for chance in (first, second)]
    if both[0].k != both[1].k:
        raise ValueError(f"the models have {both[0].k} and {both[1].k} classes")
    wanted = [CLASS_METRICS.index(name) for name in ("accuracy", "macro_f1")]

    def measure(weights: Floating) -> Float64:
        one, other = (model.measure(weights)[0][wanted] for model in both)
        return one - other

    n = both[0].labels.size
    value = measure(np.ones((n, 1)))[:, 0].tolist()
    low, high = bootstrap(measure, n, rounds=rounds, seed=seed)
    if groups is not None:
        wide = bootstrap(measure, n, groups=groups, rounds=rounds, seed=seed)
        low, high = np.fmin(low, wide[0]), np.fmax(high, wide[1])
    ends = list(zip(low.tolist(), high.tolist(), strict=True))
    right = [model.answers == model.labels for model in both]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return Difference(value[0], ends[0], value[1], ends[1], *only, mcnemar(*only))


def mcnemar(first_only: int, second_only: int) -> float:
    """Exact two-sided McNemar test (McNemar, Psychometrika 12, 1947).

    Args:
        first_only: Cases that only the first got right, in [0, inf).
        second_only: Cases that only the second got right.

    Returns:
        p in (0, 1]; 1 where they never differ.
    """
    from scipy.special import bdtr

    differ = first_only + second_only
    if not differ:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), differ, 0.5)))
