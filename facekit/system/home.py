"""Where facekit keeps models, caches and enrolments."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder named by ``FACEKIT_HOME``, else the platform's data folder.

    Returns:
        A path that may not exist yet.
    """
    named = os.environ.get("FACEKIT_HOME", "")
    if named:
        return Path(named).expanduser()
    import platformdirs  # late: --help does not need it

    return Path(platformdirs.user_data_dir("facekit", appauthor=False))


def models_folder() -> Path:
    """Bundles and detector files the user added."""
    return home() / "models"


def cache_folder() -> Path:
    """Crops, teacher vectors and features; safe to delete."""
    return home() / "cache"


def enrolled_folder() -> Path:
    """Enrolments, one folder a person; open to their owner alone."""
    return home() / "enrolled"
