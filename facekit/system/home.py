"""Where facekit keeps models, caches and enrolments."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_CACHES: ContextVar[Path | None] = ContextVar("caches", default=None)


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
    return _CACHES.get() or home() / "cache"


@contextmanager
def caches_in(folder: Path) -> Iterator[None]:
    """Keep all caches in another folder while the block runs.

    Args:
        folder: What ``cache_folder`` gives in it, in this thread.
    """
    token = _CACHES.set(folder)
    try:
        yield
    finally:
        _CACHES.reset(token)


def enrolled_folder() -> Path:
    """Enrolments, one folder a person; open to their owner alone."""
    return home() / "enrolled"
