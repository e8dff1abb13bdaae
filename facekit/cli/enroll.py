"""``facekit enroll``: a few photos become "is this me?"."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facekit.cli.arguments import Detector, Json, Model, Overrides, Recipe
from facekit.cli.output import say
from facekit.errors import FacekitError, UsageError
from facekit.system.inputs import Failure, expand
from facekit.system.terminal import tell

if TYPE_CHECKING:
    from facekit.enrollment.person import Enrollment
    from facekit.results import Face


_Negatives = Annotated[
    Path | None, typer.Option(help="Folder of photos of others: family, colleagues.")
]
_Fmr = Annotated[float | None, typer.Option(help="Strangers that may pass, such as 0.01 or 0.001.")]
_Augment = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Augmented copies of each photo.")
]


def enroll(
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO|FOLDER|GLOB...", help="5 to 50 photos; others may be in it."),
    ],
    name: Annotated[str, typer.Option(help="What to call the person.")] = "me",
    negatives: _Negatives = None,
    fmr: _Fmr = None,
    augment: _Augment = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add photos to the person; the old ones still count.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the page and contact sheet here too.")
    ] = None,
    recipe: Recipe = None,
    overrides: Overrides = None,
    model: Model = None,
    detector: Detector = "auto",
    keep_crops: Annotated[
        bool, typer.Option("--keep-crops", help="Keep the faces cut out of the photos, too.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: replace, skip ambiguous photos.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn to tell one person from strangers.

    What is kept is biometric data: it stays in a folder that only you can read,
    and `facekit forget` removes it.
    """
    from facekit.cli.output import print_json
    from facekit.enrollment.layout import check_name

    check_name(name)
    paths = _photos(photos)
    with redirect_stdout(sys.stderr):  # questions, and what a library prints, are no answer
        _may_write(name, add, yes)
        from facekit.workflows.enroll import enroll as run

        done = run(
            paths,
            name=name,
            negatives=negatives,
            fmr=fmr,
            augment=augment,
            add=add,
            out=out,
            recipe=recipe,
            overrides=overrides or (),
            model=model,
            detector=detector,
            keep_crops=keep_crops,
            ask=None if yes or not sys.stdin.isatty() else _ask,
        )
    if as_json:
        print_json(done.record())
    else:
        _show(done)


def _photos(inputs: Sequence[str]) -> list[Path]:
    """The files named; what is none is told, and is no reason to stop."""
    items = list(expand(inputs))
    for item in items:
        if isinstance(item, Failure):
            tell(f"facekit: {item.path}: {item.error}")
    paths = [item for item in items if isinstance(item, Path)]
    if not paths:
        raise UsageError("there is no photo to enrol from: name a folder of 5 to 50 photos")
    return paths


def _may_write(name: str, add: bool, yes: bool) -> None:
    """Refuse, or ask, before an enrolment is replaced."""
    from facekit.enrollment.store import NOBODY, state_of

    there = state_of(name) != NOBODY
    if add and not there:
        raise UsageError(f"nobody is enrolled as {name!r} yet: leave --add out")
    if add or yes or not there:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{name!r} is enrolled already: --add adds photos, --yes replaces the enrolment, "
            "--name enrols somebody else"
        )
    typer.confirm(f"{name!r} is enrolled already. Replace it?", abort=True)


def _ask(path: Path, faces: list[Face]) -> int | None:
    """Let the user pick a face of an ambiguous photo; None skips the photo."""
    order = sorted(range(len(faces)), key=lambda i: faces[i].box[0])
    tell(f"{path}: which face is it, from left to right?")
    for number, i in enumerate(order, 1):
        x, y, width, height = faces[i].box
        tell(f"  {number}: {width} x {height} pixels at {x}, {y}")
    while True:
        said = typer.prompt("number, or nothing to skip", default="", show_default=False)
        if not said.strip():
            return None
        if said.strip().isdecimal() and 1 <= int(said) <= len(order):
            return order[int(said) - 1]


def _show(done: Enrollment) -> None:
    from facekit.enrollment.layout import REPORT

    record: dict[str, Any] = done.record()
    show_photos(record)
    say()
    show_words(record)
    say(f"\npage     {done.folder / REPORT}")
    say(f"kept in  {done.folder} (only you can read it; `facekit forget` removes it)")


# ``facekit enrolled`` and ``facekit forget``: who is known, and no longer.


def enrolled(
    name: Annotated[str | None, typer.Argument(help="Whom to show; none lists everybody.")] = None,
    as_json: Json = False,
) -> None:
    """List who is enrolled, or show one person.

    Exit code: 0 when all can be used, 1 when somebody must be enrolled again.
    """
    from facekit.cli.output import print_json

    if name is not None:
        _show_one(name, as_json)
        return
    from facekit.enrollment.read import OK, list_enrolled, state_in_words

    rows: list[dict[str, Any]] = []
    for entry in list_enrolled():
        facts = entry.enrollment.record() if entry.enrollment else {}
        kept = {key: facts.get(key) for key in ("photos_used", "sessions", "created", "model")}
        rows.append({"name": entry.name, **kept, "state": state_in_words(entry)})
    if as_json:
        print_json(rows)
    elif not rows:
        say("nobody is enrolled: `facekit enroll myphotos/` does it")
    else:
        _table(rows)
    if any(row["state"] != OK for row in rows):
        raise typer.Exit(1)


def _table(rows: list[dict[str, Any]]) -> None:
    from facekit.cli.output import print_table
    from facekit.system.home import enrolled_folder

    columns = [key.replace("_", " ") for key in rows[0]]
    cells = [["-" if value is None else value for value in row.values()] for row in rows]
    print_table(columns, cells, title=str(enrolled_folder()))


def _show_one(name: str, as_json: bool) -> None:
    from facekit.cli.output import print_json, print_pairs
    from facekit.enrollment.read import Listing, check_files, read_enrollment, state_in_words

    one = read_enrollment(name)
    check_files(name)
    record = {**one.record(), "state": state_in_words(Listing(name, one, None))}
    if as_json:
        print_json(record)
        return
    shown = ("name", "created", "model", "folder", "state", "threshold", "reject")
    print_pairs({key: record[key] for key in shown})
    say()
    show_photos(record)
    say()
    show_words(record)
    if others := _others(record):
        say(others)


def _others(record: Mapping[str, Any]) -> str:
    """Whose vectors are kept beside the person's, in a line; "" for nobody's."""
    kept = record.get("negatives", {})
    if not kept.get("faces"):
        return ""
    whose = ", ".join(f"{name} ({n})" for name, n in kept.get("whose", {}).items())
    line = f"also kept, for --add: vectors of {kept['faces']} faces of {kept['people']} others"
    return f"{line} from --negatives{f': {whose}' if whose else ''}"


def show_photos(record: Mapping[str, Any]) -> None:
    """Print which photos were used and which were refused, with reasons."""
    from facekit.cli.output import print_table

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
        say(line)


def forget(
    name: Annotated[str, typer.Argument(help="Whom to forget.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every trace of an enrolled person.

    The photos themselves are never touched.
    """
    from facekit.enrollment.layout import check_name
    from facekit.enrollment.read import read_enrollment
    from facekit.enrollment.store import forget as run

    check_name(name)
    try:
        others = _others(read_enrollment(name).record())
    except FacekitError:  # nobody, or damaged: what is there goes all the same
        others = ""
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"forgetting {name!r} cannot be undone: say --yes")
        with redirect_stdout(sys.stderr):
            typer.confirm(f"Forget {name!r}? This cannot be undone.", abort=True)
    done = run(name)
    for path in done.removed:
        say(f"removed  {path}")
    if others:
        say(f"gone with it: {others.removeprefix('also kept, for --add: ')}")
    for path in done.kept:
        ours = f"is no page of {name} that facekit wrote, or was changed since"
        tell(f"facekit: {path} {ours}, so it is still there")
    if done.kept:
        raise typer.Exit(1)
