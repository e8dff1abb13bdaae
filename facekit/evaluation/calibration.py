"""Making probabilities right on validation images: scaling and thresholds.

Logits are log odds of "the attribute is there". Labels are 1, 0 and -1 for
unknown; unknown ones are left out. How right probabilities are is measured in
`facekit.evaluation.calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Bool, Float64, Int64


def calibrate(logits: ArrayLike, calibration: ArrayLike) -> Float64:
    """Probabilities from logits and what `fit_platt` found.

    Args:
        logits: float array of shape (n, k).
        calibration: float array of shape (k, 2), slope and offset on the logit.

    Returns:
        float64 array of shape (n, k), in [0, 1].
    """
    from scipy.special import expit

    slope, offset = np.asarray(calibration, np.float64).T
    return np.asarray(expit(np.asarray(logits, np.float64) * slope + offset))


def fit_platt(labels: ArrayLike, logits: ArrayLike, strength: float = 1.0) -> Float64:
    """Platt scaling of each column: a slope and an offset on the logit.

    Least cross-entropy against Platt's smoothed targets, (positives + 1) /
    (positives + 2) and 1 / (negatives + 2) (Platt, "Probabilistic Outputs for
    Support Vector Machines", 1999), plus ``strength / 2`` times the squared
    distance from slope 1 and offset 0, which matters where labels are few.

    Args:
        labels: int array of shape (n, k) with 1, 0 and -1 for unknown.
        logits: float array of shape (n, k).
        strength: Weight of the penalty, in [0, inf).

    Returns:
        float64 array of shape (k, 2), slope (positive, so the order of answers
        stays) and offset; (1, 0) for a column that lacks one of the classes.

    Raises:
        ValueError: Shapes differ, or a logit is not finite.
    """
    truth, score = np.asarray(labels), np.asarray(logits, np.float64)
    if truth.shape != score.shape or score.ndim != 2:
        raise ValueError(f"labels {truth.shape} and logits {score.shape} must both be (n, k)")
    _refuse_not_finite(score)
    out = np.tile([1.0, 0.0], (truth.shape[1], 1))
    for j in range(truth.shape[1]):
        known = truth[:, j] >= 0
        positive = truth[known, j] == 1
        if 0 < positive.sum() < positive.size:
            out[j] = _platt_column(positive, score[known, j], strength)
    return out


def _platt_column(positive: Bool, score: Float64, strength: float) -> Float64:
    from scipy.optimize import minimize
    from scipy.special import expit

    ones = int(positive.sum())
    target = np.where(positive, (ones + 1) / (ones + 2), 1 / (positive.size - ones + 2))

    def loss(ab: Float64) -> tuple[float, Float64]:
        z = score * ab[0] + ab[1]
        away = ab - [1.0, 0.0]
        value = np.logaddexp(0, z).sum() - target @ z + strength / 2 * (away @ away)
        miss = expit(z) - target
        return float(value), np.array([miss @ score, miss.sum()]) + strength * away

    bounds = [(1e-3, None), (None, None)]
    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x)


def fit_temperature(labels: ArrayLike, logits: ArrayLike) -> float:
    """The one number that softmax logits are divided by (Guo et al., 2017).

    Least cross-entropy against smoothed targets, as if one more answer had been
    seen for each class (as Platt has it for two): twenty right answers do not make
    the next one certain.

    Args:
        labels: int array of shape (n,) with the class, -1 for unknown.
        logits: float array of shape (n, classes).

    Returns:
        The temperature of least cross-entropy, in [0.05, 20]; 1 without labels.

    Raises:
        ValueError: The lengths differ, or a logit is not finite.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    truth, score = np.asarray(labels), np.asarray(logits, np.float64)
    if score.ndim != 2 or truth.shape != score.shape[:1]:
        raise ValueError(f"labels {truth.shape} and logits {score.shape}: want (n,) and (n, c)")
    _refuse_not_finite(score)
    known = truth >= 0
    truth, score = truth[known], score[known]
    if not truth.size:
        return 1.0
    share = score.shape[1] / (truth.size + score.shape[1])
    wanted = (1 - share) * score[np.arange(truth.size), truth] + share * score.mean(1)

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(score * scale, axis=1) - wanted * scale).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def _refuse_not_finite(logits: Float64) -> None:
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite numbers")


# Calibration error and reliability curve: is a 70 % right seven times in ten?
#
# Probabilities are those of "the attribute is there", in [0, 1]. Labels are 1, 0
# and -1 for unknown; unknown ones are left out.

#: Number of equal-width bins of the calibration error, as in Guo et al., "On
#: Calibration of Modern Neural Networks", ICML 2017.
BINS: Final = 15


@dataclass(frozen=True)
class Reliability:
    """A reliability curve over equal-width bins.

    Attributes:
        edges: float64 array of shape (bins + 1,), from 0 to 1.
        count: int64 array of shape (bins,), answers in each bin.
        predicted: float64 array of shape (bins,), mean probability of each bin;
            NaN where the bin is empty.
        observed: float64 array of shape (bins,), share of positives of each
            bin; NaN where the bin is empty.
    """

    edges: Float64
    count: Int64
    predicted: Float64
    observed: Float64

    @property
    def error(self) -> float:
        """Calibration error of these answers taken as one lot, in [0, 1]."""
        full = self.count > 0
        if not full.any():
            return float("nan")
        gap = np.abs(self.predicted[full] - self.observed[full])
        return float((gap * self.count[full]).sum() / self.count.sum())


def bin_index(probabilities: Float64, bins: int = BINS) -> Int64:
    """Bin of each probability; a bin holds its lower edge, the last one also 1.

    Args:
        probabilities: float array of any shape, in [0, 1].
        bins: Number of equal-width bins.

    Returns:
        int64 array of the same shape, in [0, bins - 1].
    """
    return np.clip((probabilities * bins).astype(np.int64), 0, bins - 1)


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Reliability:
    """Mean probability against the share that was really positive, bin by bin.

    For a classifier of several classes pass "was the answer right" (0 or 1) and
    the probability of the answer given; ``error`` is then Guo's ECE.

    Args:
        labels: int array of any shape with 1, 0 and -1 for unknown.
        probabilities: float array of the same shape, in [0, 1].
        bins: Number of equal-width bins.

    Returns:
        The curve over all known labels together.

    Raises:
        ValueError: Shapes differ, or a probability is NaN or outside [0, 1].
    """
    truth, chance = checked_probabilities(labels, probabilities)
    known = truth >= 0
    truth, chance = truth[known], chance[known]
    which = bin_index(chance, bins)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):  # empty bins give NaN on purpose
        predicted = np.bincount(which, weights=chance, minlength=bins) / count
        observed = np.bincount(which, weights=truth == 1, minlength=bins) / count
    return Reliability(np.linspace(0, 1, bins + 1), count, predicted, observed)


def checked_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Int64, Float64]:
    """Labels as int64 and probabilities as float64, of one shape and sane.

    Raises:
        ValueError: Shapes differ, or a probability is NaN or outside [0, 1].
    """
    truth, chance = np.asarray(labels).astype(np.int64), np.asarray(probabilities, np.float64)
    if truth.shape != chance.shape:
        raise ValueError(f"labels {truth.shape} and scores {chance.shape} must have one shape")
    if chance.size and not (chance.min() >= 0 and chance.max() <= 1):
        raise ValueError(
            "probabilities must lie in [0, 1] and not be NaN; pass logits through a sigmoid first"
        )
    return truth, chance
