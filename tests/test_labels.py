"""Emotions are known by name, however a data set spells them."""

from __future__ import annotations

import pytest

from facekit.labels import EMOTIONS, NOT_OURS, emotion_index


def test_every_own_name_has_its_place() -> None:
    assert [emotion_index(name) for name in EMOTIONS] == list(range(7))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("anger", "angry"), ("Disgusted", "disgust"), ("fearful", "fear"), ("afraid", "fear"),
        ("happiness", "happy"), ("joy", "happy"), ("SADNESS", "sad"), ("surprised", "surprise"),
        ("natural", "neutral"), (" Neutral ", "neutral"),
    ],
)  # fmt: skip
def test_usual_other_names(name: str, ours: str) -> None:
    assert EMOTIONS[emotion_index(name)] == ours


@pytest.mark.parametrize("name", [*sorted(NOT_OURS), "bored", "", "0"])
def test_others_are_no_emotion_of_ours(name: str) -> None:
    with pytest.raises(KeyError):
        emotion_index(name)
