"""A recipe that extends another: the base first, then the file's own keys on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from facekit.errors import RecipeError

__all__ = ["EXTENDS", "Chain", "merge_chain", "read_chain"]

#: The key that names the base.
EXTENDS: Final = "extends"

#: What a file never takes over: a base's name, and what the base has reached.
_OWN: Final = ("name", "summary", "expected")

#: Files and what they say, the recipe itself first, then its base, the base's base, …
Chain = list[tuple[Path, dict[str, Any]]]


def read_chain(
    path: Path, read: Callable[[Path], dict[str, Any]], find: Callable[[str | Path], Path]
) -> Chain:
    """A recipe and everything it extends.

    Args:
        path: The recipe's file.
        read: Gives the content of a file.
        find: Gives the file of a name, or of a path that ends in ``.toml``; a relative
            one starts at the folder of the file that names it.

    Returns:
        At least the recipe; ``extends`` is taken out of the contents.

    Raises:
        RecipeError: A base is missing, extends what extends it, or is of another kind.
    """
    chain: Chain = []
    while True:
        content = read(path)
        base = content.pop(EXTENDS, None)
        chain.append((path, content))
        if base is None:
            break
        path = _find_base(path, base, find)
        if any(path.resolve() == one.resolve() for one, _ in chain):
            ring = " extends ".join([*(one.name for one, _ in chain), path.name])
            raise RecipeError(f"recipe {chain[0][0].name} never ends: {ring}; remove one extends")
    _require_one_kind(chain)
    return chain


def merge_chain(chain: Chain) -> dict[str, Any]:
    """What a recipe says with its bases: tables are merged, lists and values replaced.

    ``name``, ``summary`` and ``expected`` are those of the file itself, or missing.
    """
    merged: dict[str, Any] = {}
    for _, content in reversed(chain):
        inherited = {key: value for key, value in merged.items() if key not in _OWN}
        merged = _merge(inherited, content)
    return merged


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _find_base(path: Path, base: object, find: Callable[[str | Path], Path]) -> Path:
    if not isinstance(base, str) or not base.strip():
        raise RecipeError(
            f"recipe {path.name}: {EXTENDS}={base!r} must be the name of a recipe or the path of "
            "a TOML file"
        )
    try:
        return find(path.parent / base if base.endswith(".toml") else base)
    except RecipeError as error:
        raise RecipeError(f"recipe {path.name} extends {base!r}: {error}") from None


def _require_one_kind(chain: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    """A base gives its kind to a file that names none; one that names another is refused."""
    base, content = chain[-1]
    kind = content.get("kind", "pretrain")
    for path, content in reversed(chain[:-1]):
        own = content.get("kind", kind)
        if own != kind:
            raise RecipeError(
                f"recipe {path.name} is for `facekit {own}` and extends {base.name}, which is for "
                f"`facekit {kind}`: extend a recipe of its own kind"
            )
        base = path
