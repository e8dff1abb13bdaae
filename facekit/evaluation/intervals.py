"""95 % intervals: the bootstrap over photos or people, and exact ones for shares.

Photos of one person are not independent, so whole people are drawn where it is
known who is who.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Float32, Float64, Floating
from facekit.evaluation.weighted import CLASS_METRICS, WeightedClasses

Interval = tuple[float, float]

LEVEL: Final = 0.95
#: Weights held at once, as a number of float32; keeps a block near 16 MB.
_BLOCK: Final = 4_000_000


def bootstrap(
    measure: Callable[[Floating], Floating],
    n: int,
    *,
    groups: ArrayLike | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> tuple[Float64, Float64]:
    """95 % bootstrap interval of any weighted measure.

    Percentiles of the resampled values, moved so that their mean falls on the
    measured value: a calibration error only grows under resampling, and an
    interval that leaves out its own number would help nobody (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 10 on bias).

    Args:
        measure: Takes weights of shape (n, r), column by column how often each
            row was drawn, and returns an array of shape (..., r).
        n: Number of rows.
        groups: Array of shape (n,) saying which person each row belongs to;
            people are drawn whole. None draws rows.
        rounds: Number of resamples.
        seed: Seed of the draws; the same seed gives the same interval.

    Returns:
        (low, high), float64 arrays of the measure's shape without its last
        axis; NaN where the measure itself is NaN.
    """
    value = np.asarray(measure(np.ones((n, 1))), np.float64)[..., 0]
    drawn = [measure(w) for w in resample(n, groups=groups, rounds=rounds, seed=seed)]
    return centred_interval(value, np.concatenate(drawn, axis=-1))


def centred_interval(value: ArrayLike, drawn: Floating) -> tuple[Float64, Float64]:
    """2.5 and 97.5 percentiles of resampled values, centred on the value.

    Args:
        value: float array of shape (...,), what was measured.
        drawn: float array of shape (..., rounds); NaN rounds are left out.

    Returns:
        (low, high), float64 arrays of shape (...,).
    """
    value, drawn = np.asarray(value, np.float64), np.asarray(drawn, np.float64)
    usable = np.isfinite(drawn).any(-1) & np.isfinite(value)
    safe = np.where(usable[..., None], drawn, 0.0)
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(safe, [tail, 1 - tail], axis=-1)
    move = value - np.nanmean(safe, axis=-1)
    blank = np.where(usable, 0.0, np.nan)
    return np.asarray(low + move + blank), np.asarray(high + move + blank)


def resample(
    n: int, *, groups: ArrayLike | None = None, rounds: int = 1000, seed: int = 0
) -> Iterator[Float32]:
    """Blocks of bootstrap weights, together ``rounds`` columns.

    Args:
        n: Number of rows.
        groups: Array of shape (n,), the person of each row, or None.
        rounds: Number of resamples.
        seed: Seed of the draws.

    Yields:
        float32 arrays of shape (n, r): how often each row was drawn. With
        groups, all rows of a person share one number.

    Raises:
        ValueError: No rows, no rounds, or groups of another length.
    """
    if n < 1 or rounds < 1:
        raise ValueError(f"a bootstrap needs rows and rounds, got {n} and {rounds}")
    code = None
    units = n
    if groups is not None:
        names, code = np.unique(np.asarray(groups), return_inverse=True)
        if code.shape != (n,):
            raise ValueError(f"groups {code.shape} must have one entry for each of {n} rows")
        units = names.size
    rng = np.random.default_rng(seed)
    block = max(1, min(rounds, _BLOCK // n))
    for start in range(0, rounds, block):
        counts = draw_counts(units, min(block, rounds - start), rng)
        yield counts if code is None else counts[code]


def draw_counts(units: int, rounds: int, rng: np.random.Generator) -> Float32:
    """Draw ``units`` of ``units`` with replacement, ``rounds`` times over.

    Returns:
        float32 array of shape (units, rounds): how often each was drawn.
    """
    drawn = rng.integers(0, units, size=(rounds, units)) + units * np.arange(rounds)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=units * rounds).reshape(rounds, units)
    return np.ascontiguousarray(counts.T, np.float32)


def clopper_pearson(hits: int, trials: int) -> Interval:
    """Exact 95 % interval of a share; never too narrow (Clopper, Pearson 1934).

    Args:
        hits: Successes, in [0, trials].
        trials: Independent trials.

    Returns:
        (low, high) in [0, 1]; (0, 1) without trials.

    Raises:
        ValueError: hits is outside [0, trials].
    """
    from scipy.special import betaincinv

    _check_share(hits, trials)
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return low, high


def wilson(hits: int, trials: int) -> Interval:
    """95 % score interval of a share; right on average (Wilson 1927).

    Args:
        hits: Successes, in [0, trials].
        trials: Independent trials.

    Returns:
        (low, high) in [0, 1]; (0, 1) without trials.

    Raises:
        ValueError: hits is outside [0, trials].
    """
    from scipy.special import ndtri

    _check_share(hits, trials)
    if not trials:
        return 0.0, 1.0
    z = float(ndtri((1 + LEVEL) / 2))
    share, spread = hits / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = float(np.sqrt(share * (1 - share) * spread + spread**2 / 4)) / (1 + spread)
    low = 0.0 if not hits else middle - half
    return low, 1.0 if hits == trials else middle + half


def rule_of_three(trials: int) -> float:
    """One-sided 95 % upper bound of a rate after no event in ``trials``.

    3 / trials (Hanley and Lippman-Hand, "If nothing goes wrong, is everything
    all right?", JAMA 1983); 1 for three trials or fewer.
    """
    return 1.0 if trials <= 3 else 3.0 / trials


def strangers_needed(rate: float) -> int:
    """How many different strangers, none of them accepted, support a rate.

    Args:
        rate: The false match rate to be claimed, in (0, 1].

    Returns:
        The rule of three turned round: 300 for 1 %, 3,000 for 0.1 %.

    Raises:
        ValueError: The rate is outside (0, 1].
    """
    if not 0 < rate <= 1:
        raise ValueError(f"a rate to claim lies in (0, 1], got {rate}")
    return int(np.ceil(3.0 / rate - 1e-9))


def _check_share(hits: int, trials: int) -> None:
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share: hits must lie in [0, trials]")


# Two models on the same images: by how much one is better, and whether that is luck.


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
