"""Vocabularies: the seven emotions renamed, joined and left out."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.datasets.table import Table
from facekit.errors import UsageError
from facekit.labels import EMOTIONS
from facekit.workflows.export_tfrecord import read_vocabulary, relabel


def test_six_have_no_fear_and_call_neutral_natural() -> None:
    six = read_vocabulary("six")
    assert six.names == ("angry", "disgust", "happy", "natural", "sad", "surprise")
    found = {emotion: six.names[place] for emotion, place in zip(EMOTIONS, six.places, strict=True)
             if place >= 0}  # fmt: skip
    own = {name: name for name in six.names if name != "natural"}
    assert found == own | {"neutral": "natural"}


def test_seven_are_the_emotions() -> None:
    seven = read_vocabulary("seven")
    assert (seven.names, seven.places) == (EMOTIONS, tuple(range(7)))


def test_emotions_may_be_joined_and_left_out() -> None:
    made = read_vocabulary("joy=good, sad=bad,angry=bad,neutral")
    assert made.names == ("good", "bad", "neutral")
    assert made.places == (1, -1, -1, 0, 1, -1, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("five", "'five' is no emotion; give six, seven or"),
        ("happy=a,joy=b", "happy comes twice"),
        ("happy=,sad", "'happy=' names no class"),
        ("happy=a,sad=a", "has one class"),
        ("happy,,sad", "'' is no emotion"),
    ],
)
def test_what_is_no_vocabulary_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_vocabulary(text)
    assert "\n" not in str(caught.value)


def test_relabelling_keeps_every_row() -> None:
    table = Table(
        name="fer",
        ids=np.array(list("abcd")),
        images=[],
        labels=np.array([2, 6, -1, 0]),
        label_names=EMOTIONS,
        split=np.array(["train"] * 4),
        soft=np.zeros((4, 7), np.float32),
    )
    made = relabel(table, read_vocabulary("six"))
    assert made.labels.tolist() == [-1, 3, -1, 0] and made.labels.dtype == np.int64
    assert made.label_names[3] == "natural" and made.soft is None and len(made) == 4
