"""``facekit transfer``: learn classes on the shared backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.arguments import (
    AllowMissing,
    Cross,
    Data,
    Epochs,
    Exclude,
    Overrides,
    People,
    Recipe,
    Resume,
    RunFolder,
    require_choice,
)


def transfer(
    dataset: Annotated[str, typer.Argument(help="fer, folder (class folders), ckplus, tfrecord.")],
    data: Data = None,
    rung: Annotated[
        str | None,
        typer.Option(
            help="frozen (the default), last (stage), full, scratch, or auto: climbs while it pays."
        ),
    ] = None,
    recipe: Recipe = None,
    overrides: Overrides = None,
    out: RunFolder = None,
    resume: Resume = False,
    epochs: Epochs = None,
    labels: Annotated[
        str | None, typer.Option(help="fer (its own) or ferplus (most votes of ten people).")
    ] = None,
    people: People = None,
    exclude: Exclude = None,
    cross: Cross = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Learn classes on the frozen backbone, or train it on."""
    from facekit.cli.output import print_pairs
    from facekit.datasets.registry import names
    from facekit.recipe.transfer import RUNGS

    require_choice("data set", dataset, names("classes"))
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
