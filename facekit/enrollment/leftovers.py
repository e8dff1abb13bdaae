"""Order in the folder of enrolments: its lock, and what a killed run left behind.

A replaced enrolment steps aside under a hidden name while the new one takes its
place, and one that is forgotten is renamed before it is deleted, so that at any
moment a name finds a whole enrolment or none.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from facekit import home
from facekit.enrollment.names import NAME
from facekit.enrollment.private import check_folder
from facekit.lock import locked

__all__ = ["aside", "held", "leftovers", "remove", "settle"]

#: An unfinished new one, an older one that was being replaced, one to be deleted.
Kind = Literal["new", "old", "gone"]
_ASIDE: Final = re.compile(rf"\.(?P<name>{NAME.pattern})\.[0-9a-f]{{8}}\.(?P<kind>new|old|gone)")


@contextmanager
def held() -> Iterator[Path]:
    """Keep other processes from changing any enrolment; they wait for milliseconds.

    Yields:
        The folder of enrolments, which may not exist yet.

    Raises:
        DataError: A link or a file has its name.
        OSError: The home folder cannot be written.
    """
    root = home.enrolled_folder()
    root.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that forgetting the last person can remove the folder.
    with locked(root.with_name(f"{root.name}.lock")):
        if os.path.lexists(root):
            check_folder(root)
        yield root


def aside(folder: Path, kind: Kind) -> Path:
    """A hidden name beside an enrolment that nothing has yet."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.{kind}")


def leftovers(root: Path, name: str | None = None) -> list[tuple[Path, str, str]]:
    """What stands aside in the folder of enrolments.

    Args:
        root: The folder; it need not exist.
        name: Of this person alone, or None for all.

    Returns:
        Path, name and kind of each, sorted.
    """
    entries = sorted(root.iterdir()) if root.is_dir() else []
    found = [(path, _ASIDE.fullmatch(path.name)) for path in entries]
    every = [(path, match["name"], match["kind"]) for path, match in found if match]
    return [entry for entry in every if name in (None, entry[1])]


def settle(root: Path) -> None:
    """Finish or undo what killed runs began; only while ``held``.

    Args:
        root: The folder of enrolments; it need not exist.
    """
    for path, name, kind in leftovers(root):
        if kind == "old" and not os.path.lexists(root / name):
            path.rename(root / name)
        else:
            remove(path)


def remove(path: Path) -> None:
    """Delete a folder and all in it, or a link itself."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)
