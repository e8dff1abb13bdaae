"""How good answers are, and how sure that is: attributes, and classes.

One weighted computation serves both: every row counted once gives the measured
numbers, bootstrap weights give their intervals.

Attributes are answered with yes or no each; their labels are 1, 0 and -1 for
unknown. A measure that needs both answers is NaN for an attribute that shows only
one of them, is left out of the mean, and ``counted`` says how many attributes the
mean is over. Classes exclude each other: one label an image, -1 for unknown, and the
likeliest class is the answer. Unknown labels are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facekit.arrays import Float64, Floating, Int64
from facekit.evaluation.calibration import Reliability, reliability
from facekit.evaluation.intervals import Interval, bootstrap, clopper_pearson, wilson
from facekit.evaluation.weighted import (
    CLASS_METRICS,
    METRICS,
    PER_CLASS,
    WeightedAttributes,
    WeightedClasses,
)

#: Means over the attributes, in the order of ``METRICS``.
_MEANS: Final = ("mean_accuracy", *METRICS[1:])


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of what was measured.

    Attributes:
        means: (low, high) of each mean, by its name.
        low: float64 array of shape (m, k): m measures of each of k labels, in the
            order of ``METRICS`` (attributes) or ``PER_CLASS``.
        high: float64 array of shape (m, k).
        unit: What was drawn: "image", "person" or another kind of group.
        rounds: Number of resamples.
        units: How many units there are; 0 where that is not counted.
    """

    means: dict[str, Interval]
    low: Float64
    high: Float64
    unit: str
    rounds: int
    units: int = 0


def _per_label(
    names: Sequence[str], measures: Sequence[str], values: Float64, counted: str, counts: Int64
) -> dict[str, dict[str, float | int]]:
    """Of every name its column of measures, and how often it was counted."""
    return {
        name: {**dict(zip(measures, column, strict=True)), counted: count}
        for name, column, count in zip(names, values.T.tolist(), counts.tolist(), strict=True)
    }


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
    values: Float64
    positives: Int64
    known: Int64
    n: int

    @property
    def means(self) -> dict[str, float]:
        """Mean of each measure over the attributes that have it."""
        return dict(zip(_MEANS, _mean(self.values[..., None])[:, 0].tolist(), strict=True))

    @property
    def counted(self) -> dict[str, int]:
        """Over how many attributes each mean goes."""
        counts = np.isfinite(self.values).sum(axis=1)
        return dict(zip(_MEANS, counts.tolist(), strict=True))

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
    def per_label(self) -> dict[str, dict[str, float | int]]:
        """``{name: {measure: value, …, "positives": count}}``."""
        return _per_label(self.names, METRICS, self.values, "positives", self.positives)


def attribute_metrics(prepared: WeightedAttributes) -> AttributeMetrics:
    """Measure every attribute.

    Balanced accuracy is the mean of the shares of positives and of negatives
    answered right. Average precision is the mean precision over the positives,
    equal scores taken together (as in scikit-learn). ECE has 15 equal-width
    bins; see `facekit.evaluation.calibration`.

    Args:
        prepared: Labels and answers.

    Returns:
        The measures.
    """
    values = prepared.measure(np.ones((prepared.n, 1)))[..., 0]
    return AttributeMetrics(prepared.names, values, prepared.positives, prepared.known, prepared.n)


def attribute_intervals(
    prepared: WeightedAttributes,
    *,
    persons: ArrayLike | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Intervals:
    """95 % bootstrap intervals of everything `attribute_metrics` measures.

    Args:
        prepared: Labels and answers.
        persons: Array of shape (n,), who is on each image; people are drawn
            whole. None draws images, which is too narrow if people repeat.
        rounds: Number of resamples; 1,000 take about 5 s for 20,000 images.
        seed: Seed of the draws.

    Returns:
        The intervals, NaN where the measure is.

    Raises:
        ValueError: Persons of another length.
    """

    def measure(weights: Floating) -> Float64:
        each = prepared.measure(weights)
        return np.concatenate([each, _mean(each)[:, None]], axis=1)

    low, high = bootstrap(measure, prepared.n, groups=persons, rounds=rounds, seed=seed)
    low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    pairs = zip(low[:, -1].tolist(), high[:, -1].tolist(), strict=True)
    means = dict(zip(_MEANS, pairs, strict=True))
    unit = "image" if persons is None else "person"
    return Intervals(means, low[:, :-1], high[:, :-1], unit, rounds)


def _mean(values: Float64) -> Float64:
    """Mean over axis 1 without the NaN entries; NaN where all are."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))


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
    each: Float64
    confusion: Int64

    @property
    def n(self) -> int:
        """Number of images with a known label."""
        return int(self.confusion.sum())

    @property
    def support(self) -> Int64:
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
    def per_label(self) -> dict[str, dict[str, float | int]]:
        """``{name: {"precision", "recall", "f1", "support"}}``."""
        return _per_label(self.names, PER_CLASS, self.each, "support", self.support)


def class_metrics(prepared: WeightedClasses, names: Sequence[str]) -> ClassMetrics:
    """Measure answers over k classes.

    ECE takes the probability of the answer given, in 15 equal-width bins (Guo et
    al., "On Calibration of Modern Neural Networks", ICML 2017). NLL is the mean
    negative log of the true class's probability, in nats.

    Args:
        prepared: Labels and answers.
        names: The k classes.

    Returns:
        The measures.

    Raises:
        ValueError: Not k names.
    """
    if prepared.k != len(names):
        raise ValueError(f"{len(names)} names for {prepared.k} classes")
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
        ValueError: Shapes do not fit, a label is no class, nothing is known, or
            a row is no distribution.
    """
    prepared = WeightedClasses(labels, probabilities)
    right = np.where(prepared.known, prepared.answers == prepared.labels, -1)
    return reliability(right, prepared.sure)


def class_intervals(
    prepared: WeightedClasses,
    *,
    groups: ArrayLike | None = None,
    unit: str = "person",
    rounds: int = 1000,
    seed: int = 0,
) -> Intervals:
    """95 % intervals of everything `class_metrics` measures.

    Bootstrap, but where nobody repeats accuracy and recall are plain shares and
    have Wilson's interval. Groups never make an interval narrower than the one
    that draws single images: two people who are alike by chance prove nothing. A
    measure of exactly 0 or 1 does not vary when it is redrawn; its other end is
    then the exact bound for as many units.

    Args:
        prepared: Labels and answers.
        groups: Array of shape (n,): images of one person, or near duplicates;
            groups are drawn whole. None draws images.
        unit: What one group is called.
        rounds: Number of resamples.
        seed: Seed of the draws.

    Returns:
        The intervals, NaN where the measure is.

    Raises:
        ValueError: Groups of another length.
    """
    kept, n = np.flatnonzero(prepared.known), prepared.labels.size
    inside = None if groups is None else _of_length(groups, n)[kept]

    def measure(weights: Floating) -> Float64:
        whole = np.zeros((n, weights.shape[1]))
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
    return Intervals(named, low, high, "image" if groups is None else unit, rounds, sizes[0])


def _bound(value: Float64, low: Float64, high: Float64, sizes: Sequence[int]) -> None:
    """Keep shares in [0, 1], and give those of exactly 0 or 1 the exact other end."""
    share = np.ones(value.size, bool)
    share[CLASS_METRICS.index("nll")] = False  # no share: its interval may pass 1
    np.maximum(low, 0, out=low)
    high[share] = np.minimum(high[share], 1)
    for i in np.flatnonzero(share & np.isin(value, (0.0, 1.0))).tolist():
        bound = clopper_pearson(int(value[i]) * sizes[i], sizes[i])
        low[i], high[i] = min(low[i], bound[0]), max(high[i], bound[1])


def _plain_shares(prepared: WeightedClasses, low: Float64, high: Float64) -> None:
    """Wilson's interval of the accuracy and of each class's recall, in place."""
    table = prepared.confusion()
    hits, trials = table.diagonal(), table.sum(1)
    low[0], high[0] = wilson(int(hits.sum()), int(trials.sum()))
    first = len(CLASS_METRICS) + PER_CLASS.index("recall") * prepared.k
    for j in np.flatnonzero(trials):
        low[first + j], high[first + j] = wilson(int(hits[j]), int(trials[j]))


def _units(prepared: WeightedClasses, kept: Int64, inside: NDArray[np.generic] | None) -> list[int]:
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


@dataclass(frozen=True)
class Evaluation:
    """A bundle measured on one partition of a data set.

    Attributes:
        task: What was measured: ``attributes``, ``emotions`` or ``classes``.
        dataset: Name of the data.
        split: train, val or test.
        n: Number of images; of classes those that have a label the model knows.
        model: Name of the bundle.
        metrics: Accuracy and the other means, in [0, 1] but for the log loss "nll";
            None where one cannot be taken.
        intervals: Their 95 % intervals [low, high], or None.
        per_attribute: The same measures of every attribute; empty for classes.
        per_class: Precision, recall, F1 (None where the data lack the class) and
            number of images of every class; empty for attributes.
        confusion: Of classes: counts; rows are labels and columns answers, both in
            the order of ``per_class``.
        flips: Of classes: share of the images (of at most 500) that get another answer
            when mirrored ("mirror"), moved by 5 % of the crop ("shift") or stored again
            at JPEG quality 30 ("jpeg").
        taught: How many of the images the head was fitted on, which says nothing of
            new ones; about right for a head of more than 512, None where unknown.
    """

    task: str
    dataset: str
    split: str
    n: int
    model: str
    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]
    per_attribute: dict[str, dict[str, float | None]] = field(default_factory=dict)
    per_class: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    confusion: list[list[int]] = field(default_factory=list)
    flips: dict[str, float] = field(default_factory=dict)
    taught: int | None = None

    def record(self) -> dict[str, Any]:
        """The same in JSON's own types, as ``facekit evaluate --json`` prints it."""
        every = asdict(self)
        for key in ("per_attribute", "per_class", "confusion", "flips"):
            if not every[key]:
                del every[key]
        if self.taught is None:
            del every["taught"]
        return every


#: The name that results over classes had of their own.
ClassEvaluation = Evaluation
