"""The surest wrong answers, and only wrong ones."""

from __future__ import annotations

import numpy as np

from facekit.evaluation.mistakes import Wrong, most_confident_mistakes, most_confident_wrong_classes


def test_surest_first_one_for_each_image_two_for_each_attribute() -> None:
    labels = np.array([[0, 1], [0, 1], [0, 1], [1, 1]])
    chance = np.array([[0.9, 0.05], [0.97, 0.9], [0.8, 0.4], [0.9, 0.9]])
    found = most_confident_mistakes(labels, chance)
    assert found == [Wrong(1, 0, 0.97, 0), Wrong(0, 1, 0.05, 1), Wrong(2, 0, 0.8, 0)]
    assert len(most_confident_mistakes(labels, chance, limit=1)) == 1
    assert len(most_confident_mistakes(labels, chance, per_column=1)) == 2


def test_right_and_unknown_answers_are_no_mistakes() -> None:
    labels = np.array([[1, 0], [-1, -1]])
    chance = np.array([[0.51, 0.5], [0.0, 1.0]])
    assert most_confident_mistakes(labels, chance) == []


def test_wrong_classes_surest_first_and_few_of_a_kind() -> None:
    labels = np.array([0, 0, 0, 1, 2, -1])
    chance = np.array(
        [
            [0.1, 0.9, 0.0],
            [0.2, 0.8, 0.0],
            [0.3, 0.7, 0.0],
            [0.0, 0.6, 0.4],  # right
            [0.5, 0.1, 0.4],
            [1.0, 0.0, 0.0],  # unknown
        ]
    )
    found = most_confident_wrong_classes(labels, chance, per_pair=2)
    assert found == [Wrong(0, 1, 0.9, 0), Wrong(1, 1, 0.8, 0), Wrong(4, 0, 0.5, 2)]
    assert len(most_confident_wrong_classes(labels, chance)) == 4
    assert len(most_confident_wrong_classes(labels, chance, limit=1)) == 1
