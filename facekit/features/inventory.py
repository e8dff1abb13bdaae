"""What a feature store holds, for people; and how to empty it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from facekit.errors import DataError
from facekit.features.row_file import RECORD_BYTES
from facekit.lock import locked

__all__ = ["StoredSet", "clear_sets", "list_sets"]


@dataclass(frozen=True)
class StoredSet:
    """All features of one backbone.

    Attributes:
        key: Name of its folder: hash of weights and frame.
        model: The bundle that it was first made with.
        views: How many views there are.
        rows: Crops of the view that has most.
        size: Bytes on disk.
    """

    key: str
    model: str
    views: int
    rows: int
    size: int


def list_sets(root: Path) -> list[StoredSet]:
    """Every set in a store, sorted by key.

    Args:
        root: Folder of the store, which may not exist.
    """
    return [_read(folder) for folder in sorted(_folders(root))]


def clear_sets(root: Path, keys: tuple[str, ...] | None = None) -> int:
    """Delete sets; waits for processes that write to them.

    Args:
        root: Folder of the store, which may not exist.
        keys: Which sets; None for all.

    Returns:
        Bytes that were freed.

    Raises:
        DataError: There is no such set, or it cannot be deleted.
    """
    there = {folder.name: folder for folder in _folders(root)}
    for key in keys or ():
        if key not in there:
            raise DataError(f"no features are kept under {key!r}: there are {', '.join(there)}")
    freed = 0
    for folder in (there[key] for key in (there if keys is None else keys)):
        freed += _read(folder).size
        try:
            for lock in folder.glob("*/lock"):
                with locked(lock, "waiting for another process that computes features"):
                    pass
            shutil.rmtree(folder)
        except OSError as error:
            raise DataError(f"{folder} cannot be deleted: {error.strerror or error}") from error
    return freed


def _folders(root: Path) -> list[Path]:
    return [path.parent for path in root.glob("*/set.json")]


def _read(folder: Path) -> StoredSet:
    try:
        model = str(json.loads((folder / "set.json").read_text("utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError):
        model = "unknown"
    files = [path for path in folder.rglob("*") if path.is_file()]
    indexes = [path for path in files if path.suffix == ".index"]
    rows = max((path.stat().st_size // RECORD_BYTES for path in indexes), default=0)
    size = sum(path.stat().st_size for path in files)
    return StoredSet(folder.name, model, len({path.parent for path in indexes}), rows, size)
