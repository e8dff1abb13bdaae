"""Planted wrong labels are found; folds keep groups together."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.evaluation.mistakes import fold_numbers, likely_wrong, likely_wrong_attributes


def test_folds_keep_groups_whole_and_classes_even() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 120, 300)
    labels = groups % 3
    folds = fold_numbers(labels, groups, folds=4)
    assert sorted(set(folds.tolist())) == [0, 1, 2, 3]
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1
    counts = np.array([np.bincount(labels[folds == fold], minlength=3) for fold in range(4)])
    assert counts.min() >= 15 and counts.max() <= 35
    assert (folds == fold_numbers(labels, groups, folds=4)).all()
    assert (folds != fold_numbers(labels, groups, folds=4, seed=1)).any()


def test_rare_classes_reach_every_fold() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    folds = fold_numbers(labels, np.arange(100))
    assert sorted(folds[labels == 1].tolist()) == [0, 1, 2, 3, 4]


def _scores(truth: np.ndarray, sure: float, k: int) -> np.ndarray:
    scores = np.full((len(truth), k), (1 - sure) / (k - 1))
    scores[np.arange(len(truth)), truth] = sure
    return scores


def test_planted_wrong_labels_are_found_surest_first() -> None:
    truth = np.arange(90) % 3
    scores = _scores(truth, 0.8, 3)
    scores[4], scores[7] = [0.01, 0.09, 0.9], [0.02, 0.03, 0.95]
    labels = truth.copy()
    labels[3], scores[3] = 1, [0.82, 0.1, 0.08]
    found = likely_wrong(labels, scores)
    assert [(one.row, one.given, one.suggested) for one in found] == [
        (7, 1, 2),
        (4, 1, 2),
        (3, 1, 0),
    ]
    assert found[0].probability == pytest.approx(0.95) and found[0].own == pytest.approx(0.03)
    assert all(one.column == -1 for one in found)
    assert [one.row for one in likely_wrong(labels, scores, most=1)] == [7]


def test_a_class_must_be_as_sure_as_on_its_own_pictures() -> None:
    truth = np.array([0] * 10 + [1] * 10)
    scores = _scores(truth, 0.9, 2)
    scores[0] = [0.4, 0.6]  # class 1 usually has 0.9: not credible
    scores[1] = [0.04, 0.96]
    assert [one.row for one in likely_wrong(truth, scores)] == [1]


def test_unknown_labels_and_absent_classes_are_passed_over() -> None:
    truth = np.array([0, 0, 0, 1, 1, -1])
    scores = _scores(np.array([0, 0, 2, 1, 1, 2]), 0.9, 3)
    assert likely_wrong(truth, scores) == []  # nobody has label 2: it has no usual score


def test_attributes_are_contested_one_by_one() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (60, 2))
    scores = np.where(labels == 1, 0.85, 0.1)
    labels[5, 1], scores[5, 1] = 0, 0.99
    labels[8, 0], scores[8, 0] = 1, 0.02
    labels[9, 1] = -1
    found = likely_wrong_attributes(labels, scores)
    assert [(one.row, one.column, one.given, one.suggested) for one in found] == [
        (8, 0, 1, 0),
        (5, 1, 0, 1),
    ]
    assert found[1].probability == pytest.approx(0.99)
    assert found[1].own == pytest.approx(0.01)


@pytest.mark.parametrize("find", [likely_wrong, likely_wrong_attributes])
def test_shapes_must_fit(find) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        find(np.zeros(3, int), np.zeros((4, 2)))
