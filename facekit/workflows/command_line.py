"""The command line as provenance: how to get these numbers again."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["command_line"]


def command_line() -> str:
    """The command line, with the last name of every absolute path alone.

    Bundles and pages are handed on: the user's folders are nobody's business.
    """
    return " ".join(["facekit", *map(_short, sys.argv[1:])])


def _short(word: str) -> str:
    """A path, or one behind an equals sign (``--set model=/home/me/tiny``), by its last name."""
    key, equals, value = word.rpartition("=")
    return f"{key}{equals}{Path(value).name if Path(value).is_absolute() else value}"
