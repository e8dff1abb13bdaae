"""The surest wrong answers, and only wrong ones."""

from __future__ import annotations

import numpy as np

from facekit.evaluation.mistakes import Wrong, most_confident_mistakes


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
