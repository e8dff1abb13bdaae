"""A grid of recipes: every combination of the values that some keys shall take."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from facekit.errors import RecipeError

__all__ = ["Axis", "Point", "combine", "read_axis"]

#: What a TOML value that may hold commas of its own starts with.
_OPENING: Final = ("[", "{", '"', "'")
#: Longest name of a point; folders of 255 bytes are usual, paths of 260 on Windows.
_LONGEST: Final = 80


@dataclass(frozen=True)
class Axis:
    """A key and the values that it takes, as they were written.

    Attributes:
        key: Dotted key of a recipe.
        values: TOML values or bare words, none twice.
    """

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One combination.

    Attributes:
        name: Readable, unique in its grid, good for a folder.
        overrides: ``key=value`` texts for ``load_recipe``, one an axis.
    """

    name: str
    overrides: tuple[str, ...]


def read_axis(text: str) -> Axis:
    """Read ``key=value,value``; a list, table or quoted text is one value.

    ``backbone.compression=0.3,0.5`` has two values, ``backbone.widths=[8,16]`` has
    one and ``backbone.widths=[8,16],[16,32]`` has two.

    Args:
        text: What stands after ``--set``.

    Raises:
        RecipeError: No key, no value, a list without its end, or a value twice.
    """
    key, equals, rest = text.partition("=")
    key = ".".join(part.strip() for part in key.split("."))
    if not equals or not all(key.split(".")):
        raise RecipeError(
            f"cannot read {text!r}: write key=value,value, such as "
            "optimizer.learning_rate=0.001,0.0003"
        )
    values = _split(text, rest)
    twice = [value for value, count in Counter(map(_meaning, values)).items() if count > 1]
    if twice:
        raise RecipeError(f"--set {text} has the value {twice[0]} twice: leave one out")
    return Axis(key, tuple(values))


def combine(axes: Sequence[Axis]) -> list[Point]:
    """The Cartesian product; the last axis changes fastest.

    Args:
        axes: At least one; none of a key that another has or lies inside of.

    Returns:
        One point a combination; a name tells what the axes of several values are set to.

    Raises:
        RecipeError: No axes, or two that set the same key.
    """
    if not axes:
        raise RecipeError("nothing to vary: name a key and its values, --set key=value,value")
    for one, other in itertools.combinations(axes, 2):
        if f"{one.key}.".startswith(f"{other.key}.") or f"{other.key}.".startswith(f"{one.key}."):
            raise RecipeError(
                f"--set {one.key} and --set {other.key} set the same key: give all its values in "
                "one --set"
            )
    short = _short_keys([axis.key for axis in axes])
    told = [len(axis.values) > 1 for axis in axes]
    if not any(told):
        told = [True] * len(axes)
    points: list[Point] = []
    for values in itertools.product(*(axis.values for axis in axes)):
        words = [f"{k}={_slug(v)}" for k, v, tell in zip(short, values, told, strict=True) if tell]
        taken = {point.name.casefold() for point in points}
        name = _unique(",".join(words), taken, len(points))
        changes = (f"{axis.key}={value}" for axis, value in zip(axes, values, strict=True))
        points.append(Point(name, tuple(changes)))
    return points


def _split(text: str, rest: str) -> list[str]:
    """Cut at commas, but not inside a TOML value that has commas of its own."""
    values: list[str] = []
    pending = ""
    for part in rest.split(","):
        pending = f"{pending},{part}" if pending else part
        if not pending.strip():
            raise RecipeError(f"--set {text} has an empty value: write '\"\"' for an empty text")
        if not pending.lstrip().startswith(_OPENING) or _is_toml(pending):
            values.append(pending.strip())
            pending = ""
    if pending:
        raise RecipeError(f"--set {text}: {pending.strip()} has no end, or is no TOML value")
    return values


def _is_toml(text: str) -> bool:
    try:
        return set(tomllib.loads(f"value = {text}")) == {"value"}
    except tomllib.TOMLDecodeError:
        return False


def _meaning(text: str) -> str:
    """The value as Python writes it, so that 0.30 is 0.3; a bare word is itself."""
    return repr(tomllib.loads(f"value = {text}")["value"]) if _is_toml(text) else repr(text)


def _short_keys(keys: Sequence[str]) -> list[str]:
    """As many last words of each key as tell it from the others."""
    out = []
    for key in keys:
        words = key.split(".")
        for count in range(1, len(words) + 1):
            tail = ".".join(words[-count:])
            if sum(f".{other}".endswith(f".{tail}") for other in keys) == 1:
                break
        out.append(_slug(tail))
    return out


def _slug(text: str) -> str:
    """Text for a folder's name: no brackets or quotes, ``8+16`` for a list."""
    listed = re.sub(r"\s*,\s*", "+", re.sub(r"[\[\]{}\"']", "", text).strip())
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", listed) or "none"


def _unique(name: str, taken: set[str], place: int) -> str:
    if len(name) <= _LONGEST and name.casefold() not in taken:
        return name
    return f"{name[:_LONGEST]},{place}"
