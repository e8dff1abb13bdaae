"""What the user named on the command line, as one list of files and failures."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facekit.system.files import PICTURE_SUFFIXES


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
    a glob without a match each give a Failure.

    Args:
        inputs: What the user wrote.

    Yields:
        A file to decode, or a Failure.
    """
    for text in inputs:
        path = Path(text)
        if os.path.lexists(path):
            yield from _existing(path)
        elif glob.has_magic(text):
            matches = sorted(glob.glob(os.path.expanduser(text), recursive=True))
            for match in matches:
                yield from _existing(Path(match))
            if not matches:
                yield Failure(text, "no file matches this pattern")
        else:
            yield Failure(text, "no such file or folder")


def _existing(path: Path) -> Iterator[Path | Failure]:
    try:
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path
        elif path.exists():
            yield Failure(str(path), "neither a file nor a folder")
        else:
            yield Failure(str(path), "a link whose target does not exist")
    except OSError as error:
        yield Failure(str(path), f"cannot be read: {error.strerror}")


def _walk(folder: Path) -> Iterator[Path | Failure]:
    failures: list[OSError] = []
    empty = True
    for place, folders, names in os.walk(folder, onerror=failures.append):
        folders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:
                empty = False
                found = Path(place, name)
                yield found if found.is_file() else Failure(str(found), "not a regular file")
    for error in failures:
        empty = False
        yield Failure(os.fsdecode(error.filename), f"cannot be read: {error.strerror}")
    if empty:
        yield Failure(str(folder), "no picture in this folder")
