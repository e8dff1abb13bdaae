"""What is held out: a fair share of each class, and nobody on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.datasets.splits import hold_out, joined_groups
from facekit.datasets.table import Table


def table(
    labels: list[int] | NDArray[np.int64], person: list[str] | None = None, *, test: int = 0
) -> Table:
    n = len(labels)
    return Table(
        name="folder",
        ids=np.array([f"{i}.jpg" for i in range(n)]),
        images=[Path(f"{i}.jpg") for i in range(n)],
        labels=np.array(labels, np.int64),
        label_names=tuple("abcdefg"[: max(2, int(max(labels)) + 1)]),
        split=np.array(["train"] * (n - test) + ["test"] * test),
        person=None if person is None else np.array(person),
    )


def sides(of: Table, label: int) -> tuple[int, int]:
    mine = of.labels == label
    return int((mine & (of.split == "train")).sum()), int((mine & (of.split == "val")).sum())


def test_every_class_gives_its_share() -> None:
    labels = np.repeat([0, 1, 2], [500, 60, 20])
    held = hold_out(table(labels), 0.1)
    assert [sides(held, i) for i in range(3)] == [(450, 50), (54, 6), (18, 2)]


def test_a_share_is_rounded_down_and_met_in_spite_of_groups() -> None:
    """FER-2013's 28,709 images give 2,868, as Keras' validation_split has it."""
    counts = [3995, 436, 4097, 7215, 4830, 3171, 4965]
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(7), counts))
    groups = np.arange(28_709)
    groups[:6000] = groups[:6000] // 3  # of all classes
    held = hold_out(table(labels), 0.1, groups=groups)
    assert [sides(held, i)[1] for i in range(7)] == [399, 43, 409, 721, 483, 317, 496]
    inside = {split: set(groups[held.split == split].tolist()) for split in ("train", "val")}
    assert not inside["train"] & inside["val"]


def test_the_draw_follows_the_seed() -> None:
    rows = table(np.repeat([0, 1], 50))
    first = hold_out(rows, 0.2, seed=3)
    assert np.array_equal(first.split, hold_out(rows, 0.2, seed=3).split)
    assert not np.array_equal(first.split, hold_out(rows, 0.2, seed=4).split)
    assert set(rows.split.tolist()) == {"train"}  # the given table is as it was


def test_persons_stay_whole() -> None:
    rng = np.random.default_rng(0)
    person = [f"p{i}" for i in rng.integers(0, 40, 400)]
    held = hold_out(table(rng.integers(0, 3, 400), person), 0.2, seed=1)
    assert held.person is not None
    both = set(held.person[held.split == "val"]) & set(held.person[held.split == "train"])
    assert not both
    assert 0.15 < float((held.split == "val").mean()) < 0.25
    assert all(0.1 < sides(held, i)[1] / sum(sides(held, i)) < 0.3 for i in range(3))


def test_given_groups_and_persons_hang_together() -> None:
    person = ["x", "x", "y", "y", "z", "z"]
    groups = np.array([0, 1, 1, 2, 3, 4])
    joined = joined_groups(table([0, 1] * 3, person), groups)
    assert len(set(joined[:4])) == 1 and joined[4] == joined[5] != joined[0]
    assert len(set(joined_groups(table([0, 1, 0])).tolist())) == 3
    held = hold_out(table([0, 1] * 3, person), 0.3, groups=groups)
    assert held.split.tolist() == ["train"] * 4 + ["val"] * 2


def test_rows_hang_together_through_other_splits() -> None:
    """Two train pictures that are copies of one test picture are one group."""
    rows = table([0, 0, 0, 0, 1, 1, 0], test=1)
    held = hold_out(rows, 0.4, groups=np.array([0, 0, 1, 2, 3, 4, 0]))
    assert held.split[0] == held.split[1] and held.split[6] == "test"


def test_small_classes_keep_a_row_on_each_side() -> None:
    held = hold_out(table([0] * 100 + [1, 1] + [2]), 0.1)
    assert sides(held, 1) == (1, 1)
    assert sides(held, 2) == (1, 0)  # one picture teaches
    one = hold_out(table([0] * 9 + [1] * 4, [f"p{i}" for i in range(9)] + ["q"] * 4), 0.3)
    assert sides(one, 1) == (4, 0)  # one person's
    mixed = hold_out(table([0, 1, 0, 1, 0, 1], ["x", "x", "y", "y", "z", "z"]), 0.1)
    assert sides(mixed, 0) == sides(mixed, 1) == (2, 1)


def test_classes_that_cannot_be_split_apart_stay() -> None:
    """Three persons share two classes each: whoever moves empties a class of the others."""
    held = hold_out(table([0, 1, 1, 2, 2, 0], ["x", "x", "y", "y", "z", "z"]), 0.3)
    assert all(sides(held, i)[0] >= 1 for i in range(3))
    assert (held.split == "val").sum() == 2


def test_rows_without_a_label_follow_their_group() -> None:
    labels = [0, 0, 1, 1, -1, -1]
    held = hold_out(table(labels, ["a", "b", "c", "d", "a", "e"]), 0.5, split="test")
    assert held.split[4] == held.split[0] and held.split[5] == "train"
    assert set(held.split.tolist()) == {"train", "test"}


def test_what_makes_no_sense_is_refused() -> None:
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            hold_out(table([0, 1]), share)
    many = table([0, 1])
    object.__setattr__(many, "labels", np.zeros((2, 40), np.int8))
    with pytest.raises(ValueError, match="one label"):
        hold_out(many, 0.5)
    only_test = table([0, 1], test=2)
    assert hold_out(only_test, 0.5) is only_test


def test_thirty_thousand_rows_take_a_moment() -> None:
    labels = np.random.default_rng(0).integers(0, 7, 30_000)
    held = hold_out(table(labels), 0.1, groups=np.arange(30_000) // 2)
    counts = [sides(held, i) for i in range(7)]
    assert all(abs(val / (train + val) - 0.1) < 0.01 for train, val in counts)
