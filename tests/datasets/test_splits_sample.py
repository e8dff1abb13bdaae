"""Samples that are even over classes and people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.splits import draw_even
from facekit.datasets.table import Table
from facekit.errors import DataError


def table_of(labels: list[int], people: list[str] | None = None) -> Table:
    n = len(labels)
    return Table(
        name="drawn",
        ids=np.array([f"{i}.png" for i in range(n)]),
        images=[Path(f"{i}.png") for i in range(n)],
        labels=np.array(labels, np.int64),
        label_names=("a", "b", "c"),
        split=np.full(n, "test", "<U5"),
        person=None if people is None else np.array(people),
    )


def test_classes_are_even_and_the_small_one_gives_all_it_has() -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 2 + [-1] * 10
    drawn = draw_even(table_of(labels), 20)
    found = np.array(labels)[drawn]
    assert np.bincount(found).tolist() == [9, 9, 2]
    assert np.array_equal(draw_even(table_of(labels), 20), drawn)
    assert not np.array_equal(draw_even(table_of(labels), 20, seed=1), drawn)


def test_nobody_is_drawn_twice_in_a_class_while_others_wait() -> None:
    people = [f"p{i // 3}" for i in range(24)]  # three frames each
    drawn = draw_even(table_of([0] * 12 + [1] * 12, people), 8)
    assert len(set(np.array(people)[drawn])) == 8
    twice = draw_even(table_of([0] * 12 + [1] * 12, people), 12)
    assert max(np.unique(np.array(people)[twice], return_counts=True)[1]) == 2


def test_more_than_there_are_gives_all_with_a_label() -> None:
    assert draw_even(table_of([0, 1, -1, 2]), 99).tolist() == [True, True, False, True]
    with pytest.raises(DataError, match="no image with a label"):
        draw_even(table_of([-1, -1]), 3)
