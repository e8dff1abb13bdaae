"""``facekit transfer``: learn classes on the shared backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

_DATASETS: Final = ("fer", "folder", "ckplus", "tfrecord")


def transfer(
    dataset: Annotated[str, typer.Argument(help="fer, folder (class folders), ckplus, tfrecord.")],
    data: Annotated[Path | None, typer.Option(help="Folder or file of the data set.")] = None,
    rung: Annotated[
        str | None,
        typer.Option(
            help="frozen (the default), last (stage), full, scratch, or auto: climbs while it pays."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Name (see `facekit recipes`) or TOML file.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Train N more epochs, save everything and stop.", metavar="N"),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="fer (its own) or ferplus (most votes of ten people).")
    ] = None,
    people: Annotated[
        Path | None, typer.Option(help="CSV with the columns file and person, for a folder.")
    ] = None,
    exclude: Annotated[
        Path | None, typer.Option(help="Images to leave out, such as `facekit audit` lists.")
    ] = None,
    cross: Annotated[
        Path | None,
        typer.Option(help="Folder of another data set to try the result on (recipe ckplus-cross)."),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out images that cannot be used.")
    ] = False,
) -> None:
    """Learn classes on the frozen backbone, or train it on."""
    from facekit.cli.options import require_choice
    from facekit.cli.output import print_pairs
    from facekit.recipe.transfer import RUNGS

    require_choice("data set", dataset, _DATASETS)
    if rung is not None:
        require_choice("--rung", rung, RUNGS)
    if labels is not None:
        require_choice("--labels", labels, ("fer", "ferplus"))
    from facekit.workflows.transfer.run import transfer as run

    result = run(
        dataset,
        data,
        rung=rung,
        recipe=recipe,
        overrides=overrides or (),
        out=out,
        resume=resume,
        epochs=epochs,
        labels=labels,
        people=people,
        exclude=exclude,
        cross=cross,
        allow_missing=allow_missing,
    )
    state = "finished" if result.finished else "stopped: go on with --resume"
    pairs: dict[str, object] = {
        "run": result.run,
        "rung": result.rung,
        "state": state,
        "bundle": result.bundle or "-",
    }
    if result.finished:
        pairs["accuracy"] = _how_sure(result.run / "report.json")
    print_pairs(pairs | dict(result.metrics))


def _how_sure(report: Path) -> str:
    """The accuracy with its interval, as the report has it."""
    record = json.loads(report.read_text(encoding="utf-8"))
    low, high = (100 * end for end in record["intervals"]["accuracy"])
    return (
        f"{100 * record['metrics']['accuracy']:.1f} %, 95 % interval {low:.1f} to {high:.1f} % "
        f"({record['n']:,} images, {record['split']})"
    )
