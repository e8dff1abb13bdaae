"""Which class a record's label is: by its name where the record has one, else by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facekit.errors import DataError
from facekit.labels import EMOTIONS, plain_class

__all__ = ["name_labels"]


def name_labels(
    values: Sequence[Any],
    texts: Sequence[str],
    classes: Sequence[str] | None,
    first_label: int,
) -> tuple[tuple[str, ...], list[int | None]]:
    """Classes and the class of each record.

    Names count more than numbers, because tools number classes in different orders.
    A name is found in any case, an emotion in any usual spelling.

    Args:
        values: Labels as written: a whole number, a name as bytes, or anything else.
        texts: Names as written beside them; empty where there is none.
        classes: Their names in the order of the numbers. None takes the names that
            stand beside the numbers, and ``EMOTIONS`` where there are none, or where
            the numbers are theirs.
        first_label: Number of the first class, where numbers have no names.

    Returns:
        The class names, and for each record its position in them or None.

    Raises:
        DataError: ``classes`` is None and a number has two names, or two have one.
    """
    if classes is None:
        named = _pair(values, texts)
        names = _names(named)
    else:
        names = tuple(classes)
        try:
            named = _pair(values, texts)
        except DataError:  # something else stands there, a caption say
            named = {}
        if not any(_find(text, names) is not None for text in named.values()):
            named = {}
    known: dict[Any, int | None] = {}
    for value in values:
        if value not in known:
            known[value] = _place(value, names, named, first_label)
    return names, [known[value] for value in values]


def _place(
    value: Any, names: tuple[str, ...], named: dict[int, str], first_label: int
) -> int | None:
    if isinstance(value, bytes):
        return _find(value.decode("utf-8", "replace"), names)
    if not isinstance(value, int):
        return None
    if named:
        return _find(named[value], names) if value in named else None
    return value - first_label if 0 <= value - first_label < len(names) else None


def _pair(values: Sequence[Any], texts: Sequence[str]) -> dict[int, str]:
    """Number -> name, of the records that have both; a negative number is no class."""
    named: dict[int, str] = {}
    for value, text in zip(values, texts, strict=True):
        if not isinstance(value, int) or value < 0 or not text:
            continue
        other = named.setdefault(value, text)
        if other != text:
            raise DataError(
                f"label {value} is called {other!r} and {text!r}: name the classes, such as "
                "--set data.classes=['cat','dog']"
            )
    taken: dict[str, int] = {}
    for value, text in named.items():
        if taken.setdefault(plain_class(text), value) != value:
            raise DataError(
                f"labels {taken[plain_class(text)]} and {value} are both called {text!r}: name the "
                "classes, such as --set data.classes=['cat','dog']"
            )
    return named


def _names(named: dict[int, str]) -> tuple[str, ...]:
    """Names by ascending number; the seven emotions where the numbers are theirs, from 0 or 1."""
    found = {number: _find(text, EMOTIONS) for number, text in named.items()}
    places = {number: place for number, place in found.items() if place is not None}
    if len(places) == len(named):
        shifts = {number - place for number, place in places.items()}
        if len(named) == len(EMOTIONS) or shifts <= {0} or shifts <= {1}:
            return EMOTIONS
    return tuple(named[number] for number in sorted(named))


def _find(name: str, names: Sequence[str]) -> int | None:
    if name in names:
        return list(names).index(name)
    plain = [plain_class(one) for one in names]
    return plain.index(plain_class(name)) if plain_class(name) in plain else None
