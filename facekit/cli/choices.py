"""Names that the user picks from a closed list."""

from __future__ import annotations

from collections.abc import Iterable

from facekit.errors import UsageError

__all__ = ["require_choice"]


def require_choice(what: str, given: str, allowed: Iterable[str]) -> None:
    """Refuse a name that is not in the list.

    Args:
        what: What is picked, for the message.
        given: The user's word.
        allowed: The words that exist.

    Raises:
        UsageError: With the nearest name.
    """
    names = tuple(allowed)
    if given not in names:
        from facekit.recipe.explain import nearest  # late: pydantic

        raise UsageError(f"{what} {given!r} is not known{nearest(given, names)}")
