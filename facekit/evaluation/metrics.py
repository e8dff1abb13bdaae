"""How good answers to yes-or-no attributes are, and how sure that is.

One weighted computation serves both: every row counted once gives the measured
numbers, bootstrap weights give their intervals.

Labels are 1, 0 and -1 for unknown; unknown ones are left out. A measure that
needs both classes is NaN for an attribute that shows only one of them, is left
out of the mean, and ``counted`` says how many attributes the mean is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.evaluation.intervals import Interval, bootstrap
from facekit.evaluation.weighted import METRICS, WeightedAttributes
from facekit.labels import ATTRIBUTES

__all__ = [
    "METRICS",
    "AttributeIntervals",
    "AttributeMetrics",
    "attribute_intervals",
    "attribute_metrics",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AttributeMetrics:
    """Measures of every attribute, all in [0, 1].

    Attributes:
        names: The k attributes.
        values: float64 array of shape (5, k) in the order of ``METRICS``; NaN
            where a measure cannot be taken.
        positives: int64 array of shape (k,), labels that are 1.
        known: int64 array of shape (k,), labels that are 1 or 0.
        n: Number of images.
    """

    names: tuple[str, ...]
    values: Floats
    positives: NDArray[np.int64]
    known: NDArray[np.int64]
    n: int

    @property
    def means(self) -> dict[str, float]:
        """Mean of each measure over the attributes that have it."""
        return dict(zip(_mean_names(), _mean(self.values[..., None])[:, 0].tolist(), strict=True))

    @property
    def counted(self) -> dict[str, int]:
        """Over how many attributes each mean goes."""
        counts = np.isfinite(self.values).sum(axis=1)
        return dict(zip(_mean_names(), counts.tolist(), strict=True))

    @property
    def baselines(self) -> dict[str, float]:
        """The same means for always answering the majority class, surely."""
        both = (self.positives > 0) & (self.positives < self.known)
        share = self.positives[both] / self.known[both]
        majority = self.means["majority_accuracy"]
        return {
            "mean_accuracy": majority,
            "balanced_accuracy": 0.5 if both.any() else float("nan"),
            "average_precision": float(share.mean()) if both.any() else float("nan"),
            "ece": 1.0 - majority,
        }

    @property
    def per_attribute(self) -> dict[str, dict[str, float | int]]:
        """``{name: {measure: value, …, "positives": count}}``."""
        out: dict[str, dict[str, float | int]] = {}
        for j, name in enumerate(self.names):
            out[name] = dict(zip(METRICS, self.values[:, j].tolist(), strict=True))
            out[name]["positives"] = int(self.positives[j])
        return out


@dataclass(frozen=True)
class AttributeIntervals:
    """95 % bootstrap intervals of the same measures.

    Attributes:
        means: (low, high) of each mean, by the names of
            ``AttributeMetrics.means``.
        low: float64 array of shape (5, k) in the order of ``METRICS``.
        high: float64 array of shape (5, k).
        unit: What was drawn: "person" or "image".
        rounds: Number of resamples.
    """

    means: dict[str, Interval]
    low: Floats
    high: Floats
    unit: str
    rounds: int


def attribute_metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike | None = None,
    majority: ArrayLike | None = None,
    *,
    names: Sequence[str] = ATTRIBUTES,
) -> AttributeMetrics:
    """Measure every attribute.

    Balanced accuracy is the mean of the shares of positives and of negatives
    answered right. Average precision is the mean precision over the positives,
    equal scores taken together (as in scikit-learn). ECE has 15 equal-width
    bins; see `facekit.evaluation.reliability`.

    Args:
        labels: int array of shape (n, k) with 1, 0 and -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1].
        thresholds: float array of shape (k,); yes where the probability is at
            least this. None takes 0.5.
        majority: Array of shape (k,) of 0 and 1, the commoner class of each
            attribute in the training images. None takes it from these labels,
            which flatters the baseline.
        names: The k attributes.

    Returns:
        The measures.

    Raises:
        ValueError: Shapes do not fit, or a probability is NaN or outside [0, 1].
    """
    prepared = WeightedAttributes(labels, probabilities, thresholds, majority, len(names))
    values = prepared.measure(np.ones((prepared.n, 1)))[..., 0]
    return AttributeMetrics(tuple(names), values, prepared.positives, prepared.known, prepared.n)


def attribute_intervals(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike | None = None,
    majority: ArrayLike | None = None,
    *,
    names: Sequence[str] = ATTRIBUTES,
    persons: ArrayLike | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> AttributeIntervals:
    """95 % bootstrap intervals of everything `attribute_metrics` measures.

    Args:
        labels: As for `attribute_metrics`, like the next four.
        probabilities: float array of shape (n, k), in [0, 1].
        thresholds: float array of shape (k,) or None.
        majority: Array of shape (k,) or None.
        names: The k attributes.
        persons: Array of shape (n,), who is on each image; people are drawn
            whole. None draws images, which is too narrow if people repeat.
        rounds: Number of resamples; 1,000 take about 5 s for 20,000 images.
        seed: Seed of the draws.

    Returns:
        The intervals, NaN where the measure is.

    Raises:
        ValueError: As for `attribute_metrics`, or persons of another length.
    """
    prepared = WeightedAttributes(labels, probabilities, thresholds, majority, len(names))

    def measure(weights: NDArray[np.floating]) -> Floats:
        each = prepared.measure(weights)
        return np.concatenate([each, _mean(each)[:, None]], axis=1)

    low, high = bootstrap(measure, prepared.n, groups=persons, rounds=rounds, seed=seed)
    low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    pairs = zip(low[:, -1].tolist(), high[:, -1].tolist(), strict=True)
    means = dict(zip(_mean_names(), pairs, strict=True))
    unit = "image" if persons is None else "person"
    return AttributeIntervals(means, low[:, :-1], high[:, :-1], unit, rounds)


def _mean_names() -> tuple[str, ...]:
    return ("mean_accuracy", *METRICS[1:])


def _mean(values: Floats) -> Floats:
    """Mean over axis 1 without the NaN entries; NaN where all are."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))
