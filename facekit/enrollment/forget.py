"""Forgetting a person: every trace, in an order that survives a kill."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from facekit import home
from facekit.enrollment.leftovers import aside, held, leftovers, remove, settle
from facekit.enrollment.manifest import Copy
from facekit.enrollment.names import check_name
from facekit.enrollment.private import read_private
from facekit.enrollment.reader import copies_in, unknown
from facekit.errors import DataError

__all__ = ["Forgotten", "forget"]


@dataclass(frozen=True)
class Forgotten:
    """What became of the traces of a person.

    Attributes:
        removed: Files that are gone.
        kept: Copies outside the folder of enrolments that had been changed, so that
            they were left alone.
    """

    removed: tuple[Path, ...]
    kept: tuple[Path, ...]


def forget(name: str) -> Forgotten:
    """Remove an enrolment, what killed runs left of it, and copies of its page.

    Damaged enrolments are removed too; links are removed, not followed. Photos
    themselves are never touched.

    Args:
        name: The person.

    Returns:
        What was removed.

    Raises:
        UsageError: There is no trace of that name.
        DataError: The folder of enrolments is a link or no folder.
        OSError: Something cannot be removed.
    """
    folder = home.enrolled_folder() / check_name(name)
    if not os.path.lexists(folder.parent):
        raise unknown(name)
    with held() as root:
        if not os.path.lexists(folder) and not leftovers(root, name):
            raise unknown(name)
        traces = [folder] if os.path.lexists(folder) else []
        traces += [path for path, _, _ in leftovers(root, name)]
        removed, kept = _remove_copies([copy for path in traces for copy in copies_in(path)])
        for path in traces:
            removed += _files(path)
        if os.path.lexists(folder):
            folder.rename(aside(folder, "gone"))  # from here on nobody is enrolled
        for path, _, _ in leftovers(root, name):
            remove(path)
        settle(root)
        if not any(root.iterdir()):
            root.rmdir()
    return Forgotten(tuple(removed), tuple(kept))


def _remove_copies(copies: list[Copy]) -> tuple[list[Path], list[Path]]:
    """Delete the copies that are still what they were."""
    removed: list[Path] = []
    kept: list[Path] = []
    for copy in {one.path: one for one in copies}.values():
        path = Path(copy.path)
        if not os.path.lexists(path):
            continue
        try:
            same = hashlib.sha256(read_private(path)).hexdigest() == copy.sha256
        except DataError:
            same = False
        if same:
            path.unlink()
        (removed if same else kept).append(path)
    return removed, kept


def _files(path: Path) -> list[Path]:
    """A link itself, or all files in a folder."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    return [Path(at, file) for at, _, names in os.walk(path) for file in sorted(names)] or [path]
