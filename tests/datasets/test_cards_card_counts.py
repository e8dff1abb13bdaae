"""Counts beside the dataset cards."""

from __future__ import annotations

import numpy as np

from facekit.datasets.cards import card_files, count_table, read_card
from facekit.datasets.table import Table
from facekit.labels import EMOTIONS


def _fer(train: int, test: int) -> Table:
    n = train + test
    counts = read_card(card_files()["fer2013"])["counts"]["train_classes"]
    labels = np.repeat(np.arange(7), [counts[name] for name in EMOTIONS])[:train]
    return Table(
        name="fer",
        ids=np.array([str(i) for i in range(n)]),
        images=[],
        labels=np.concatenate([labels, np.zeros(test, np.int64)]),
        label_names=EMOTIONS,
        split=np.array(["train"] * train + ["test"] * test),
    )


def test_a_whole_fer_agrees_with_its_card() -> None:
    for test in (3_589, 7_178):
        counts = {one.what: one for one in count_table(_fer(28_709, test))}
        assert counts["images"].agrees and counts["train"].agrees and counts["test"].agrees
        assert counts["train, disgust"].found == 436 and counts["train, disgust"].agrees
        assert counts["test, angry"].agrees is None


def test_a_missing_picture_shows() -> None:
    counts = {one.what: one for one in count_table(_fer(28_708, 3_589))}
    assert counts["images"].agrees is False and counts["train"].agrees is False
    assert counts["train, neutral"].agrees is False and counts["train, sad"].agrees


def test_a_source_without_a_card_is_only_counted() -> None:
    labels = np.array([[1, 0], [1, -1], [0, 1]], np.int8)
    table = Table(
        name="cartoon",
        ids=np.array(["a", "b", "c"]),
        images=[],
        labels=labels,
        label_names=("Male", "Young"),
        split=np.array(["train", "train", "val"]),
        person=np.array(["1", "1", "2"]),
    )
    counts = {one.what: one.found for one in count_table(table)}
    assert counts == {
        "images": 3, "people": 2, "train": 2, "train, Male": 2, "train, Young": 0,
        "val": 1, "val, Male": 0, "val, Young": 1,
    }  # fmt: skip
    assert all(one.agrees is None for one in count_table(table))
