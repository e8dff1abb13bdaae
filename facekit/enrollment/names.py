"""Names of enrolled people: what may be a folder's name, and nothing else."""

from __future__ import annotations

import re
from typing import Final

from facekit.errors import UsageError

__all__ = ["NAME", "check_name"]

#: No separators, no leading dot, no dot or blank at the end (Windows drops them).
NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9_-])?")
#: Words of ``facekit predict --identities``.
_WORDS: Final = frozenset({"all", "none"})
#: What Windows takes for a device, with any ending.
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
)


def check_name(name: str) -> str:
    """The name itself, where it can be one.

    Args:
        name: What to call an enrolled person.

    Returns:
        The same text.

    Raises:
        UsageError: It could leave its folder, or has another meaning.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"the name {name!r} cannot be used: 1 to 64 letters (a to z), digits, blanks, dots, "
            "hyphens and underscores, a letter or digit first, no blank or dot last"
        )
    if name.lower() in _WORDS or name.lower().split(".")[0].strip() in _DEVICES:
        raise UsageError(f"the name {name!r} has another meaning: choose another one")
    return name
