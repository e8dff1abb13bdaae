"""What the user named, photos by file, folder or pattern, as one list of files and failures."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from facekit.system.files import PICTURE_SUFFIXES
from facekit.system.terminal import tell

#: What systems keep beside photos and show to nobody, though no dot says so: waste
#: bins, thumbnails and snapshots of Windows, macOS archives, Synology and QNAP.
_HIDDEN: Final = frozenset(
    ("$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db")
    + ("desktop.ini", "__macosx", "network trash folder", "temporary items", "lost+found")
    + ("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@synoresource", "@__thumb")
    + ("#recycle", "#snapshot")
)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over where a folder is walked."""
    return name.startswith(".") or name.casefold() in _HIDDEN


@dataclass(frozen=True)
class Failure:
    """An input that gave no picture.

    Attributes:
        path: What the user wrote, or the folder inside it.
        error: One clear line.
    """

    path: str
    error: str


def expand(inputs: Sequence[str]) -> Iterator[Path | Failure]:
    """Files, folders and globs to pictures, in the order given.

    Folders are walked to any depth, names sorted, links to folders not followed.
    Nothing is lost: a folder without a picture, a folder that cannot be read and
    a glob without a match each give a Failure. What is hidden in a folder, or that
    a glob did not ask for, is passed over, and told at the end; see ``is_hidden``.

    Args:
        inputs: What the user wrote.

    Yields:
        A file to decode, or a Failure.
    """
    hidden = _Hidden()
    for text in inputs:
        path = Path(text)
        if os.path.lexists(path):
            yield from _existing(path, hidden)
        elif glob.has_magic(text):
            text = os.path.expanduser(text)
            matches = sorted(glob.glob(text, recursive=True))
            wanted = [match for match in matches if not _unasked(match, text)]
            for match in wanted:
                yield from _existing(Path(match), hidden)
            hidden.files += len(matches) - len(wanted)
            if not wanted:
                yield Failure(text, "no file matches this pattern")
        else:
            yield Failure(text, "no such file or folder")
    hidden.tell()


@dataclass
class _Hidden:
    """What was passed over."""

    files: int = 0
    folders: list[str] = field(default_factory=list)

    def tell(self) -> None:
        """Say it once."""
        if self.files or self.folders:
            names = ", ".join(sorted(set(self.folders)))
            tell(
                f"facekit: hidden things were passed over: {self.files} picture files and "
                f"{len(self.folders)} folders{f' ({names})' if names else ''}; name one to have it "
                "looked at"
            )


def _unasked(match: str, pattern: str) -> bool:
    """Whether a glob found something hidden that none of its parts speaks of."""
    parts = Path(pattern).parts
    return any(
        is_hidden(part)
        and not any(p == part or (p[0] == part[0] and fnmatch(part, p)) for p in parts)
        for part in Path(match).parts
    )


def _existing(path: Path, hidden: _Hidden) -> Iterator[Path | Failure]:
    try:
        if path.is_dir():
            yield from _walk(path, hidden)
        elif path.is_file():
            yield path
        elif path.exists():
            yield Failure(str(path), "neither a file nor a folder")
        else:
            yield Failure(str(path), "a link whose target does not exist")
    except OSError as error:
        yield Failure(str(path), f"cannot be read: {error.strerror}")


def _walk(folder: Path, hidden: _Hidden) -> Iterator[Path | Failure]:
    failures: list[OSError] = []
    empty = True
    for place, folders, names in os.walk(folder, onerror=failures.append):
        hidden.folders += filter(is_hidden, folders)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() not in PICTURE_SUFFIXES:
                continue
            if is_hidden(name):
                hidden.files += 1
                continue
            empty = False
            found = Path(place, name)
            yield found if found.is_file() else Failure(str(found), "not a regular file")
    for error in failures:
        empty = False
        yield Failure(os.fsdecode(error.filename), f"cannot be read: {error.strerror}")
    if empty:
        yield Failure(str(folder), "no picture in this folder")
