"""``facekit enrolled`` and ``facekit forget``: who is known, and no longer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from facekit.errors import UsageError

__all__ = ["enrolled", "forget", "show_photos", "show_words"]


def enrolled(
    name: Annotated[str | None, typer.Argument(help="Whom to show; none lists everybody.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List who is enrolled, or show one person.

    Exit code: 0 when all can be used, 1 when somebody must be enrolled again.
    """
    from facekit.cli.tables import print_json

    if name is not None:
        _show_one(name, as_json)
        return
    from facekit.enrollment.listing import OK, list_enrolled, state_in_words

    rows: list[dict[str, Any]] = []
    for entry in list_enrolled():
        facts = entry.enrollment.record() if entry.enrollment else {}
        kept = {key: facts.get(key) for key in ("photos_used", "sessions", "created", "model")}
        rows.append({"name": entry.name, **kept, "state": state_in_words(entry)})
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("nobody is enrolled: `facekit enroll myphotos/` does it")
    else:
        _table(rows)
    if any(row["state"] != OK for row in rows):
        raise typer.Exit(1)


def _table(rows: list[dict[str, Any]]) -> None:
    from facekit.cli.tables import print_table
    from facekit.home import enrolled_folder

    columns = [key.replace("_", " ") for key in rows[0]]
    cells = [["-" if value is None else value for value in row.values()] for row in rows]
    print_table(columns, cells, title=str(enrolled_folder()))


def _show_one(name: str, as_json: bool) -> None:
    from facekit.cli.tables import print_json, print_pairs
    from facekit.enrollment.listing import Listing, state_in_words
    from facekit.enrollment.reader import check_files, read_enrollment

    one = read_enrollment(name)
    check_files(name)
    record = {**one.record(), "state": state_in_words(Listing(name, one, None))}
    if as_json:
        print_json(record)
        return
    shown = ("name", "created", "model", "folder", "state", "threshold", "reject")
    print_pairs({key: record[key] for key in shown})
    typer.echo()
    show_photos(record)
    typer.echo()
    show_words(record)


def show_photos(record: Mapping[str, Any]) -> None:
    """Print which photos were used and which were refused, with reasons."""
    from facekit.cli.tables import print_table

    photos = record.get("photos", ())
    rows = []
    for one in photos:
        state = ("used", one["session"] + 1) if one["used"] else ("refused", "")
        rows.append((one["file"], *state, one["reason"]))
    used = sum(one["used"] for one in photos)
    title = f"{record['name']}: {used} of {len(photos)} photos used"
    print_table(("photo", "", "session", "reason"), rows, title)


def show_words(record: Mapping[str, Any]) -> None:
    """Print what is claimed and what cannot be, a sentence a line."""
    for line in record.get("words", ()):
        typer.echo(line)


def forget(
    name: Annotated[str, typer.Argument(help="Whom to forget.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every trace of an enrolled person.

    The photos themselves are never touched.
    """
    from facekit.enrollment.forget import forget as run
    from facekit.enrollment.names import check_name

    check_name(name)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"forgetting {name!r} cannot be undone: say --yes")
        with redirect_stdout(sys.stderr):
            typer.confirm(f"Forget {name!r}? This cannot be undone.", abort=True)
    done = run(name)
    for path in done.removed:
        typer.echo(f"removed  {path}")
    for path in done.kept:
        typer.echo(f"facekit: {path} was changed since, so it is still there", err=True)
    if done.kept:
        raise typer.Exit(1)
