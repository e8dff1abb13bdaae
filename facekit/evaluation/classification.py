"""How good answers are that exclude each other, and how sure that is.

One label an image: the likeliest class is the answer. Unknown labels are -1 and
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.evaluation.reliability import Reliability, reliability
from facekit.evaluation.weighted_classes import CLASS_METRICS, PER_CLASS, WeightedClasses

__all__ = [
    "CLASS_METRICS",
    "PER_CLASS",
    "ClassMetrics",
    "answer_reliability",
    "class_metrics",
    "prepare",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassMetrics:
    """Measures of answers over k classes; all but "nll" lie in [0, 1].

    Attributes:
        names: The k classes.
        means: Value of each of ``CLASS_METRICS``. Macro measures go over the
            classes that the labels show.
        each: float64 array of shape (3, k) in the order of ``PER_CLASS``; NaN for
            a class that no label shows.
        confusion: int64 array of shape (k, k), rows are labels, columns answers.
    """

    names: tuple[str, ...]
    means: dict[str, float]
    each: Floats
    confusion: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of images with a known label."""
        return int(self.confusion.sum())

    @property
    def support(self) -> NDArray[np.int64]:
        """int64 array of shape (k,), images of each class."""
        return np.asarray(self.confusion.sum(1))

    @property
    def baselines(self) -> dict[str, float]:
        """The same measures for always answering the majority class, surely."""
        share, present = self.means["majority_accuracy"], int((self.support > 0).sum())
        even = (1.0 if share else 0.0) / present
        return {
            "accuracy": share,
            "macro_precision": share / present,
            "macro_recall": even,
            "macro_f1": 2 * share / (1 + share) / present,
            "balanced_accuracy": even,
            "ece": 1.0 - share,
        }

    @property
    def per_class(self) -> dict[str, dict[str, float | int]]:
        """``{name: {"precision", "recall", "f1", "support"}}``."""
        out: dict[str, dict[str, float | int]] = {}
        for j, name in enumerate(self.names):
            out[name] = dict(zip(PER_CLASS, self.each[:, j].tolist(), strict=True))
            out[name]["support"] = int(self.support[j])
        return out


def class_metrics(
    labels: ArrayLike,
    probabilities: ArrayLike,
    majority: int | None = None,
    *,
    names: Sequence[str],
) -> ClassMetrics:
    """Measure answers over k classes.

    ECE takes the probability of the answer given, in 15 equal-width bins (Guo et
    al., "On Calibration of Modern Neural Networks", ICML 2017). NLL is the mean
    negative log of the true class's probability, in nats.

    Args:
        labels: int array of shape (n,) with classes in [0, k), -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1]; rows sum to 1.
        majority: The commonest class of the training images, in [0, k). None
            takes it from these labels, which flatters the baseline.
        names: The k classes.

    Returns:
        The measures.

    Raises:
        ValueError: Shapes do not fit, a label is no class, nothing is known, or
            a row is no distribution.
    """
    prepared = prepare(labels, probabilities, majority, names)
    means, each = prepared.measure(np.ones((prepared.labels.size, 1)))
    named = dict(zip(CLASS_METRICS, means[:, 0].tolist(), strict=True))
    return ClassMetrics(tuple(names), named, each[..., 0], prepared.confusion())


def answer_reliability(labels: ArrayLike, probabilities: ArrayLike) -> Reliability:
    """How often answers are right, against the probability they were given with.

    Args:
        labels: int array of shape (n,) with classes in [0, k), -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1]; rows sum to 1.

    Returns:
        The curve; its ``error`` is the ECE of `class_metrics`.

    Raises:
        ValueError: As for `class_metrics`.
    """
    prepared = WeightedClasses(labels, probabilities)
    right = np.where(prepared.known, prepared.answers == prepared.labels, -1)
    return reliability(right, prepared.sure)


def prepare(
    labels: ArrayLike, probabilities: ArrayLike, majority: int | None, names: Sequence[str]
) -> WeightedClasses:
    """The weighted measures, and a ValueError where the names do not fit."""
    prepared = WeightedClasses(labels, probabilities, majority)
    if prepared.k != len(names):
        raise ValueError(f"{len(names)} names for {prepared.k} classes")
    return prepared
