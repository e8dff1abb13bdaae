"""Dataset cards (TOML): where a data set lives, its licence, its known faults.

Cards ship inside the wheel; an editable install reads the repository folder.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from facekit.errors import DataError

__all__ = ["card_files", "cards_folder", "read_card"]


def cards_folder() -> Path:
    """The folder inside the wheel, else the repository's ``data``."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_data"
    return inside if inside.is_dir() else package.parent / "data"


def card_files() -> dict[str, Path]:
    """Every card's file by the name of its data set, in order of the names."""
    return {path.stem: path for path in sorted(cards_folder().glob("*.toml"))}


def read_card(path: Path) -> dict[str, Any]:
    """Read one card.

    Args:
        path: A TOML file.

    Returns:
        Its content.

    Raises:
        DataError: The file is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"dataset card {path} is not valid TOML: {error}") from None
