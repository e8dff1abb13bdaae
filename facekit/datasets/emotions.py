"""Other classes than the seven emotions, made of them: renamed, joined or left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from facekit.datasets.table import Table
from facekit.errors import UsageError
from facekit.labels import EMOTIONS, SIX_EMOTIONS, emotion_index

#: Vocabularies that have a name, and their classes.
VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {"six": SIX_EMOTIONS, "seven": EMOTIONS}


@dataclass(frozen=True)
class Vocabulary:
    """Classes, and what becomes of each emotion.

    Attributes:
        names: The k classes in the order of their labels.
        places: For each of ``EMOTIONS`` its class, or -1 where it is left out.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]


def read_vocabulary(text: str) -> Vocabulary:
    """Read a vocabulary.

    Args:
        text: A key of ``VOCABULARIES``, or ``emotion=class,emotion=class,…``: classes
            are numbered as they come, several emotions may become one class, an
            emotion alone keeps its name, and what is not named is left out.

    Raises:
        UsageError: An emotion is unknown or comes twice, a class has no name, or
            there are fewer than two classes.
    """
    items = VOCABULARIES[text] if text in VOCABULARIES else tuple(text.split(","))
    names: list[str] = []
    places = [-1] * len(EMOTIONS)
    for item in items:
        emotion, equals, name = (part.strip() for part in item.partition("="))
        name = name if equals else emotion
        try:
            place = emotion_index(emotion)
        except KeyError:
            raise UsageError(
                f"--classes {text}: {emotion!r} is no emotion; give {', '.join(VOCABULARIES)} or "
                f"emotion=class,… with emotions out of {', '.join(EMOTIONS)}"
            ) from None
        if not name:
            raise UsageError(f"--classes {text}: {item.strip()!r} names no class")
        if places[place] >= 0:
            raise UsageError(f"--classes {text}: {EMOTIONS[place]} comes twice: leave one out")
        if name not in names:
            names.append(name)
        places[place] = names.index(name)
    if len(names) < 2:
        raise UsageError(f"--classes {text} has one class: name two at least")
    return Vocabulary(tuple(names), tuple(places))


def relabel(table: Table, vocabulary: Vocabulary) -> Table:
    """The same images with the labels of a vocabulary.

    Args:
        table: Labels of shape (n,) in the order of ``EMOTIONS``.
        vocabulary: What becomes of them.

    Returns:
        All n rows; label -1 where the emotion is left out or unknown. Votes are gone.
    """
    places = np.array([*vocabulary.places, -1], np.int64)  # the last one is for label -1
    return replace(table, labels=places[table.labels], label_names=vocabulary.names, soft=None)
