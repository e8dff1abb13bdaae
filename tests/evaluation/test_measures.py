"""Measures against scikit-learn, by hand, and with unknown labels."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from facekit.evaluation.measures import AttributeMetrics, attribute_intervals, attribute_metrics
from facekit.evaluation.weighted import METRICS, WeightedAttributes
from facekit.labels import ATTRIBUTES


def _answers(
    n: int = 400, k: int = 4, seed: int = 0
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Calibrated answers with many equal scores."""
    rng = np.random.default_rng(seed)
    chance = np.round(1 / (1 + np.exp(-rng.normal(-0.5, 1.5, (n, k)))), 2)
    return (rng.random((n, k)) < chance).astype(np.int8), chance


def _names(k: int) -> tuple[str, ...]:
    return ATTRIBUTES[:k]


def _measure(
    labels: ArrayLike, chance: ArrayLike, *cut: ArrayLike, **options: Any
) -> AttributeMetrics:
    return attribute_metrics(WeightedAttributes(labels, chance, *cut, **options))


def test_by_hand() -> None:
    labels = np.array([[1], [0], [0], [1], [0]], np.int8)
    chance = np.array([[0.9], [0.8], [0.3], [0.4], [0.1]])
    found = _measure(labels, chance, names=("Smiling",))
    row = found.per_label["Smiling"]
    assert row["accuracy"] == pytest.approx(3 / 5)
    assert row["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert row["average_precision"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert row["ece"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.6 + 0.1) / 5)
    assert row["majority_accuracy"] == pytest.approx(3 / 5)
    assert row["positives"] == 2


def test_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, balanced_accuracy_score

    labels, chance = _answers()
    cut = np.array([0.5, 0.31, 0.7, 0.2])
    values = _measure(labels, chance, cut, names=_names(4)).values
    for j in range(4):
        yes = chance[:, j] >= cut[j]
        assert values[0, j] == pytest.approx((yes == labels[:, j]).mean())
        assert values[1, j] == pytest.approx(balanced_accuracy_score(labels[:, j], yes))
        assert values[2, j] == pytest.approx(average_precision_score(labels[:, j], chance[:, j]))


def test_calibration_error_is_that_of_the_reliability_curve() -> None:
    from facekit.evaluation.calibration import reliability

    labels, chance = _answers()
    labels[::7, 1] = -1
    found = _measure(labels, chance, names=_names(4))
    curves = [reliability(labels[:, j], chance[:, j]).error for j in range(4)]
    assert found.values[3] == pytest.approx(curves)


def test_unknown_labels_change_nothing_but_the_counts() -> None:
    labels, chance = _answers()
    more = np.concatenate([labels, np.full((50, 4), -1, np.int8)])
    scores = np.concatenate([chance, np.full((50, 4), 0.99)])
    plain = _measure(labels, chance, names=_names(4))
    masked = _measure(more, scores, names=_names(4))
    assert masked.values == pytest.approx(plain.values)
    assert masked.known.tolist() == [400] * 4
    assert masked.n == 450


def test_one_class_gives_nan_and_is_left_out_of_the_mean() -> None:
    labels, chance = _answers()
    labels[:, 1] = 0
    labels[:, 2] = 1
    labels[:, 3] = -1
    found = _measure(labels, chance, names=_names(4))
    means, counted = found.means, found.counted
    assert counted == {
        "mean_accuracy": 3, "balanced_accuracy": 1, "average_precision": 1, "ece": 3,
        "majority_accuracy": 3,
    }  # fmt: skip
    assert np.isnan(found.values[1:3, 1:]).all()
    assert np.isnan(found.values[:, 3]).all()
    assert means["balanced_accuracy"] == pytest.approx(found.values[1, 0])
    assert means["mean_accuracy"] == pytest.approx(found.values[0, :3].mean())
    assert found.baselines["average_precision"] == pytest.approx(labels[:, 0].mean())


def test_nothing_known_at_all_is_nan_without_a_warning() -> None:
    found = _measure(np.full((3, 2), -1), np.full((3, 2), 0.5), names=_names(2))
    assert all(math.isnan(value) for value in found.means.values())
    assert all(math.isnan(value) for value in found.baselines.values())
    assert set(found.counted.values()) == {0}


def test_majority_comes_from_training_when_given() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 0]], np.int8)
    chance = np.full((3, 2), 0.5)
    own = _measure(labels, chance, names=_names(2)).values[4]
    given = _measure(labels, chance, majority=[0, 0], names=_names(2)).values[4]
    assert own.tolist() == pytest.approx([2 / 3, 1])
    assert given.tolist() == pytest.approx([1 / 3, 1])


def test_baseline_of_calibration_is_a_sure_majority_answer() -> None:
    labels, chance = _answers()
    common = (labels.mean(0) > 0.5).astype(float)
    sure = _measure(labels, np.broadcast_to(common, labels.shape), names=_names(4))
    baselines = _measure(labels, chance, names=_names(4)).baselines
    means = sure.means
    assert baselines["ece"] == pytest.approx(means["ece"])
    assert baselines["mean_accuracy"] == pytest.approx(means["mean_accuracy"])
    assert baselines["balanced_accuracy"] == pytest.approx(means["balanced_accuracy"])
    assert baselines["average_precision"] == pytest.approx(means["average_precision"])


@pytest.mark.parametrize(
    ("labels", "chance", "message"),
    [
        (np.zeros((3, 2)), np.full((3, 2), np.nan), r"\[0, 1\]"),
        (np.zeros((3, 2)), np.full((3, 2), 1.5), r"\[0, 1\]"),
        (np.zeros((3, 2)), np.zeros((4, 2)), "one shape"),
        (np.zeros((3, 3)), np.zeros((3, 3)), r"must be \(n, 2\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "at least 1"),
    ],
)
def test_refuses_what_does_not_fit(labels: object, chance: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _measure(labels, chance, names=_names(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="thresholds"):
        _measure(np.zeros((3, 2)), np.zeros((3, 2)), [0.5] * 3, names=_names(2))


def test_intervals_are_those_of_slow_resampling() -> None:
    labels, chance = _answers(n=60, k=2)
    labels[::9, 0] = -1
    persons = np.arange(60) // 3
    fast = attribute_intervals(
        WeightedAttributes(labels, chance, majority=[0, 1], names=_names(2)),
        persons=persons,
        rounds=40,
    )
    rng = np.random.default_rng(0)
    slow = []
    for drawn in rng.integers(0, 20, size=(40, 20)):
        rows = np.concatenate([np.flatnonzero(persons == p) for p in drawn])
        one = _measure(labels[rows], chance[rows], majority=[0, 1], names=_names(2))
        slow.append(one.values)
    measured = _measure(labels, chance, majority=[0, 1], names=_names(2)).values
    values = np.stack(slow, axis=-1)
    shift = measured - values.mean(-1)
    low = np.clip(np.quantile(values, 0.025, axis=-1) + shift, 0, 1)
    assert fast.low == pytest.approx(low, abs=1e-5)
    assert fast.unit == "person"


def test_intervals_hold_their_means_and_people_widen_them() -> None:
    labels, chance = _answers(n=60)
    labels, chance = np.repeat(labels, 10, axis=0), np.repeat(chance, 10, axis=0)
    means = _measure(labels, chance, names=_names(4)).means
    images = attribute_intervals(WeightedAttributes(labels, chance, names=_names(4)), rounds=200)
    people = attribute_intervals(
        WeightedAttributes(labels, chance, names=_names(4)),
        rounds=200,
        persons=np.arange(600) // 10,
    )
    for name, (low, high) in people.means.items():
        assert low <= means[name] <= high
        narrow = images.means[name]
        assert high - low > 2 * (narrow[1] - narrow[0])
    assert images.unit == "image"


def test_missing_measures_have_missing_intervals() -> None:
    labels, chance = _answers()
    labels[:, 1] = 0
    found = attribute_intervals(WeightedAttributes(labels, chance, names=_names(4)), rounds=20)
    assert np.isnan(found.low[1:3, 1]).all()
    assert np.isfinite(found.low[0]).all()
    assert np.isfinite(found.means["balanced_accuracy"]).all()


def test_the_seed_decides() -> None:
    labels, chance = _answers()
    one, same, other = (
        attribute_intervals(
            WeightedAttributes(labels, chance, names=_names(4)), rounds=20, seed=s
        ).means
        for s in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_forty_attributes_and_twenty_thousand_images_take_seconds() -> None:
    labels, chance = _answers(n=20_000, k=40)
    start = time.process_time()
    attribute_intervals(
        WeightedAttributes(labels, chance), rounds=100, persons=np.arange(20_000) // 2
    )
    assert time.process_time() - start < 8  # about 0.8 s alone


def test_names_follow_the_columns() -> None:
    labels, chance = _answers(k=40)
    found = _measure(labels, chance)
    assert isinstance(found, AttributeMetrics)
    assert tuple(found.per_label) == ATTRIBUTES
    assert set(found.per_label["Smiling"]) == {*METRICS, "positives"}
