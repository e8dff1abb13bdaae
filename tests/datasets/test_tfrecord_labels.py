"""Labels of records: names count more than numbers."""

from __future__ import annotations

import pytest

from facekit.datasets.tfrecord import name_labels
from facekit.errors import DataError
from facekit.labels import EMOTIONS, SIX_EMOTIONS


def test_numbers_without_names() -> None:
    values = [0, 6, 7, -1, None, 2.5]
    blank = [""] * len(values)
    assert name_labels(values, blank, None, 0) == (EMOTIONS, [0, 6, None, None, None, None])
    assert name_labels(values, blank, None, 1)[1] == [None, 5, 6, None, None, None]
    assert name_labels([0, 1, 2], [""] * 3, ("a", "b"), 0) == (("a", "b"), [0, 1, None])


def test_names_beside_numbers_are_the_classes() -> None:
    six = list(range(6)), list(SIX_EMOTIONS)
    assert name_labels(*six, None, 0) == (SIX_EMOTIONS, [0, 1, 2, 3, 4, 5])
    assert name_labels([1, 3, 3, 9], ["dog", "cat", "", ""], None, 0) == (
        ("dog", "cat"), [0, 1, 1, None]
    )  # fmt: skip
    assert name_labels([-1, 4], ["unknown", "cat"], None, 0) == (("cat",), [None, 0])


def test_the_seven_are_known_by_name_or_by_their_numbers() -> None:
    other = ("sadness", "anger", "fear", "joy", "Neutral", "surprise", "disgust")
    names, labels = name_labels(list(range(7)), other, None, 0)
    assert names == EMOTIONS and labels == [4, 0, 2, 3, 6, 5, 1]
    for shift in (0, 1):
        values = [shift, 5 + shift]
        assert name_labels(values, ["angry", "surprise"], None, 0) == (EMOTIONS, [0, 5])
    assert name_labels([0, 2], ["angry", "happy"], None, 0)[0] == ("angry", "happy")


def test_given_classes_are_found_by_name() -> None:
    names, labels = name_labels(range(7), EMOTIONS, SIX_EMOTIONS, 0)
    assert names == SIX_EMOTIONS and labels == [0, 1, None, 2, 4, 5, 3]
    values = [1, 0, 1]
    captions = ["a dog on grass", "a cat", "two dogs"]  # no names: the numbers count
    assert name_labels(values, captions, ("cat", "dog"), 0)[1] == [1, 0, 1]
    assert name_labels([0, 1], ["n01", "n02"], ("cat", "dog"), 0)[1] == [0, 1]


def test_labels_may_be_names() -> None:
    values = [b"Happiness", b"contempt", b"natural"]
    assert name_labels(values, [""] * 3, None, 0) == (EMOTIONS, [3, None, 6])
    assert name_labels([b"dog", b"Cat"], ["", ""], ("cat", "dog"), 0)[1] == [1, 0]
    assert name_labels([b"joy"], [""], ("happy", "joy"), 0)[1] == [1]  # its own name first


@pytest.mark.parametrize(
    ("values", "texts", "words"),
    [
        ([2, 2], ["happy", "sad"], "label 2 is called 'happy' and 'sad'"),
        ([1, 2], ["joy", "happy"], "labels 1 and 2 are both called 'happy'"),
    ],
)
def test_names_that_contradict_the_numbers_are_refused(
    values: list[int], texts: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        name_labels(values, texts, None, 0)
    assert "data.classes" in str(caught.value) and "\n" not in str(caught.value)
