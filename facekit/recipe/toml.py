"""TOML from elsewhere: read in bounded time, depth and size, or refused in one line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from facekit.errors import RecipeError
from facekit.system.files import read_regular

#: Recipes have some 2 kB, and an override a number or a short list.
_MOST_BYTES, _MOST_OVERRIDE = 1 << 18, 10_000
#: Tables in tables: recipes have four. tomllib takes time by the square of the depth.
_DEEPEST: Final = 32
_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED: Final = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{_DEEPEST}}}")
#: Integers of TOML have 64 bits.
_MOST: Final = 1 << 63


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a recipe file.

    Raises:
        RecipeError: It cannot be read, is no TOML, or of an absurd size.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode("utf-8")
        return parse_toml(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path} is not valid TOML: {error}") from None
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from None
    except RecipeError as error:
        raise RecipeError(f"recipe {path}: {error}") from None


def parse_value(text: str) -> object:
    """The value of an override.

    Raises:
        TOMLDecodeError: It is no TOML, or more than a value.
        RecipeError: It is of an absurd size.
    """
    if len(text) > _MOST_OVERRIDE:
        raise RecipeError(f"{shorten(text)} has {len(text):,} characters: write a recipe file")
    content = parse_toml(f"value = {text}")
    if set(content) != {"value"}:
        raise tomllib.TOMLDecodeError("more than a value")
    return content["value"]


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a text.

    Raises:
        TOMLDecodeError: It is no TOML.
        RecipeError: It is nested too deep, or a number has too many digits.
    """
    if _DOTTED.search(text):
        raise RecipeError(f"a name of more than {_DEEPEST} words: tables are four deep at most")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        what = "it is nested too deep" if deep else "a number has too many digits"
        raise RecipeError(f"{what}: no recipe needs that") from None
    below: list[tuple[object, int]] = [(content, 0)]
    while below:
        value, depth = below.pop()
        if depth > _DEEPEST:
            raise RecipeError(f"it is nested more than {_DEEPEST} deep: tables are four at most")
        if isinstance(value, int) and not -_MOST <= value < _MOST:
            raise RecipeError("a number is too large: 64 bits are allowed")
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(inner, list | type({}.values())):
            below.extend((one, depth + 1) for one in inner)
    return content


def shorten(text: str, most: int = 80) -> str:
    """A text of a message, cut where it is long."""
    return text if len(text) <= most else f"{text[:most]}…"
