"""Class measures against scikit-learn, and the cases it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from facekit.evaluation.measures import ClassMetrics, answer_reliability, class_metrics
from facekit.evaluation.weighted import CLASS_METRICS, WeightedClasses

NAMES = ("a", "b", "c", "d")


def answers(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and distributions that are right somewhat more often than not."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    logits = rng.normal(size=(n, 4)) + 1.2 * np.eye(4)[labels]
    chance = np.exp(logits)
    return labels, chance / chance.sum(1, keepdims=True)


def test_agrees_with_scikit_learn() -> None:
    labels, chance = answers()
    found = class_metrics(WeightedClasses(labels, chance), NAMES)
    said = chance.argmax(1)
    assert found.means["accuracy"] == pytest.approx(sk.accuracy_score(labels, said))
    assert found.means["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(labels, said)
    )
    assert found.means["nll"] == pytest.approx(sk.log_loss(labels, chance))
    each = sk.precision_recall_fscore_support(labels, said)
    for i, name in enumerate(("macro_precision", "macro_recall", "macro_f1")):
        assert found.means[name] == pytest.approx(each[i].mean())
        assert found.each[i] == pytest.approx(each[i])
    assert (found.confusion == sk.confusion_matrix(labels, said)).all()
    assert list(found.means) == list(CLASS_METRICS)
    assert found.per_label["b"]["support"] == each[3][1] == found.support[1]
    assert found.n == 400


def test_calibration_error_is_the_gap_of_the_answers_given() -> None:
    chance = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10)
    labels = np.array([0] * 7 + [1] * 3 + [1] * 10)  # 90 % sure and 70 % right, 60 % and all right
    found = class_metrics(WeightedClasses(labels, chance), ("no", "yes"))
    assert found.means["ece"] == pytest.approx((0.2 + 0.4) / 2)
    assert answer_reliability(labels, chance).error == pytest.approx(found.means["ece"])


def test_a_class_that_the_data_lack_stays_a_possible_answer() -> None:
    """CK+ has no neutral: answering it is wrong, and it counts in no mean."""
    labels = np.array([0, 0, 1, 1])
    chance = np.eye(3)[[0, 2, 1, 1]]
    found = class_metrics(WeightedClasses(labels, chance), ("a", "b", "neutral"))
    assert found.means["accuracy"] == 0.75
    assert found.means["macro_recall"] == found.means["balanced_accuracy"] == 0.75
    assert found.means["macro_precision"] == 1.0
    assert np.isnan(found.each[:, 2]).all()
    assert found.per_label["neutral"]["support"] == 0
    assert found.confusion[0].tolist() == [1, 0, 1]


def test_a_class_that_is_never_answered_has_precision_0() -> None:
    found = class_metrics(WeightedClasses([0, 1], [[0.8, 0.2], [0.7, 0.3]]), ("a", "b"))
    assert found.per_label["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert found.means["macro_precision"] == 0.25


def test_unknown_labels_are_left_out() -> None:
    labels, chance = answers()
    mixed = np.where(np.arange(400) % 3 == 0, -1, labels)
    kept = mixed >= 0
    found = class_metrics(WeightedClasses(mixed, chance), NAMES)
    wanted = class_metrics(WeightedClasses(labels[kept], chance[kept]), NAMES)
    assert found.n == kept.sum()
    assert found.means == pytest.approx(wanted.means)
    assert answer_reliability(mixed, chance).count.sum() == kept.sum()


@pytest.mark.parametrize("majority", [None, 0, 3])
def test_baselines_are_those_of_always_answering_one_class(majority: int | None) -> None:
    labels, chance = answers()
    found = class_metrics(WeightedClasses(labels, chance, majority), NAMES)
    always = np.eye(4)[np.full(400, majority or 0)]
    wanted = class_metrics(WeightedClasses(labels, always, majority), NAMES).means
    assert found.baselines == pytest.approx({name: wanted[name] for name in found.baselines})
    assert found.baselines["accuracy"] == pytest.approx((labels == (majority or 0)).mean())


def test_certainty_that_is_wrong_has_a_finite_loss() -> None:
    found = class_metrics(WeightedClasses([1], [[1.0, 0.0]]), ("a", "b"))
    assert np.isfinite(found.means["nll"]) and found.means["nll"] > 20


@pytest.mark.parametrize(
    ("labels", "chance", "words"),
    [
        ([0, 1], [[0.5, 0.5]], r"\(2,\) and probabilities \(1, 2\)"),
        ([0], [[1.0]], "k at least 2"),
        ([2], [[0.5, 0.5]], r"\[-1, 1\]"),
        ([-2], [[0.5, 0.5]], r"\[-1, 1\]"),
        ([0], [[2.0, -1.0]], "softmax"),
        ([0], [[0.5, 0.6]], "softmax"),
        ([0], [[np.nan, 0.5]], "softmax"),
        ([-1], [[0.5, 0.5]], "known label"),
    ],
)
def test_nonsense_is_refused(labels: list[int], chance: list[list[float]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        class_metrics(WeightedClasses(labels, chance), ("a", "b"))


def test_names_and_majority_must_fit() -> None:
    with pytest.raises(ValueError, match="3 names for 2 classes"):
        class_metrics(WeightedClasses([0], [[0.5, 0.5]]), ("a", "b", "c"))
    with pytest.raises(ValueError, match="majority is 2"):
        class_metrics(WeightedClasses([0], [[0.5, 0.5]], 2), ("a", "b"))


def test_the_result_is_a_plain_value() -> None:
    labels, chance = answers(20)
    found = class_metrics(WeightedClasses(labels, chance), NAMES)
    assert isinstance(found, ClassMetrics)
    assert all(isinstance(value, float) for value in found.means.values())
