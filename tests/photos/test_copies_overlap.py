"""What groups of copies mean for splits and labels."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.photos.copies import conflicts, copied, overlaps

GROUPS = [0, 0, 2, 3, 3, 3, 6]


def test_copied_rows_are_in_groups_of_two_or_more() -> None:
    assert copied(GROUPS).tolist() == [True, True, False, True, True, True, False]
    assert copied(np.array([], np.int64)).shape == (0,)


def test_a_later_split_repeats_the_first_picture_of_an_earlier_one() -> None:
    split = ["test", "train", "test", "val", "test", "val", "train"]
    assert overlaps(GROUPS, split).tolist() == [1, -1, -1, -1, 3, -1, -1]
    backwards = overlaps(GROUPS, split, order=("test", "val", "train"))
    assert backwards.tolist() == [-1, 0, -1, 4, -1, 4, -1]


def test_copies_inside_a_split_are_no_overlap() -> None:
    assert overlaps(GROUPS, ["train"] * 7).tolist() == [-1] * 7


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([1, 2, 0, 4, 4, 4, 1], [True, True, False, False, False, False, False]),
        ([1, 1, 0, 4, 4, 5, 1], [False, False, False, True, True, True, False]),
        ([1, -1, 0, -1, 4, 4, 1], [False] * 7),  # unknown differs from nothing
        ([-1] * 7, [False] * 7),
        (list("aabxyxb"), [False, False, False, True, True, True, False]),
    ],
)
def test_conflicts_are_found_where_known_labels_differ(
    labels: list[int] | list[str], wanted: list[bool]
) -> None:
    assert conflicts(GROUPS, labels).tolist() == wanted


def test_several_labels_conflict_in_any_column() -> None:
    labels = np.ones((7, 3), np.int8)
    labels[1, 2] = 0
    labels[4, 0] = -1
    assert conflicts(GROUPS, labels).tolist() == [True, True] + [False] * 5
