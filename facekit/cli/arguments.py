"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from facekit.errors import UsageError

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
