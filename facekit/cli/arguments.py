"""What verbs are given: the options that several share, and photos by file, folder or pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from facekit.errors import UsageError
from facekit.system.files import PICTURE_SUFFIXES

AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Leave out images that cannot be used.")
]
Cross = Annotated[
    Path | None,
    typer.Option(help="Folder of another data set to try the result on (recipe ckplus-cross)."),
]
Data = Annotated[Path | None, typer.Option(help="Folder or file of the data set.")]
Detector = Annotated[
    str, typer.Option(help="auto, yunet, haar, none (the photo is one face) or a model file.")
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Train N more epochs, save everything and stop.", metavar="N"),
]
Exclude = Annotated[
    Path | None, typer.Option(help="Images to leave out, such as `facekit audit` lists.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the JSON record and nothing else.")]
Model = Annotated[
    str | None, typer.Option(help="Bundle: a name (see `facekit models`) or a folder.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated."),
]
People = Annotated[
    Path | None, typer.Option(help="CSV with the columns file and person, for a folder.")
]
Recipe = Annotated[str | None, typer.Option(help="Name (see `facekit recipes`) or TOML file.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
]
RunFolder = Annotated[Path | None, typer.Option(help="Run folder.")]
TeacherTable = Annotated[
    Path | None,
    typer.Option(help="NPZ with `names` and `vectors` in place of running the teacher."),
]


def require_choice(what: str, given: str, allowed: Iterable[str]) -> None:
    """Refuse a name that is not in the list.

    Args:
        what: What is picked, for the message.
        given: The user's word.
        allowed: The words that exist.

    Raises:
        UsageError: With the nearest name.
    """
    names = tuple(allowed)
    if given not in names:
        from facekit.errors import nearest

        raise UsageError(f"{what} {given!r} is not known{nearest(given, names)}")


# What the user named on the command line, as one list of files and failures.


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


def group(about: str) -> typer.Typer:
    """A verb with verbs of its own, which lists when none is given.

    Args:
        about: For ``--help``.
    """
    app = typer.Typer(help=about, rich_markup_mode=None, invoke_without_command=True)

    @app.callback()
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            shown = next(one.callback for one in app.registered_commands if one.name == "list")
            assert shown is not None
            shown()

    return app
