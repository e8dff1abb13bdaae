"""Calibration error and reliability curve: is a 70 % right seven times in ten?

Probabilities are those of "the attribute is there", in [0, 1]. Labels are 1, 0
and -1 for unknown; unknown ones are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BINS",
    "Reliability",
    "bin_index",
    "checked_probabilities",
    "expected_calibration_error",
    "reliability",
]

Floats = NDArray[np.float64]

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

    edges: Floats
    count: NDArray[np.int64]
    predicted: Floats
    observed: Floats

    @property
    def error(self) -> float:
        """Calibration error of these answers taken as one lot, in [0, 1]."""
        full = self.count > 0
        if not full.any():
            return float("nan")
        gap = np.abs(self.predicted[full] - self.observed[full])
        return float((gap * self.count[full]).sum() / self.count.sum())


def bin_index(probabilities: Floats, bins: int = BINS) -> NDArray[np.int64]:
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


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS
) -> Floats:
    """Expected calibration error of each column.

    Sum over the bins of (answers in the bin / all answers) times the absolute
    difference between mean probability and share of positives (Naeini et al.,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015).

    Args:
        labels: int array of shape (n, k) with 1, 0 and -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1].
        bins: Number of equal-width bins.

    Returns:
        float64 array of shape (k,), in [0, 1]; NaN for a column without a
        known label.

    Raises:
        ValueError: Shapes differ, or a probability is NaN or outside [0, 1].
    """
    truth, chance = checked_probabilities(labels, probabilities)
    columns = range(truth.shape[1])
    return np.array([reliability(truth[:, j], chance[:, j], bins).error for j in columns])


def checked_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
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
