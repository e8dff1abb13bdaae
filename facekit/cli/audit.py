"""``facekit audit``: what is wrong with a data set."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from facekit.cli.arguments import Json, Model, People
from facekit.cli.output import say

_EXCLUDE = "duplicates,conflicts,broken"
_PROBED = ("accuracy", "unseen")


def audit(
    dataset: Annotated[str, typer.Argument(help="What to look at: fer, celeba or folder.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set; it is not changed.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for audit.html, findings.csv and audit.json.")
    ] = Path("facekit-audit"),
    model: Model = None,
    people: People = None,
    exclude_out: Annotated[
        Path | None,
        typer.Option(help="Write the ids to leave out; training and evaluation --exclude it."),
    ] = None,
    exclude: Annotated[
        str,
        typer.Option(
            help="What that list holds: duplicates (same pixels in an earlier split), conflicts "
            "(same pixels, other label), broken (or blank), near-duplicates, near-conflicts "
            "(changed copies), suspects (likely wrong labels)."
        ),
    ] = _EXCLUDE,
    keep: Annotated[
        str, typer.Option(help="Split that keeps a picture which several have: train or test.")
    ] = "train",
    as_json: Json = False,
) -> None:
    """Find copies, bad pictures and likely wrong labels."""
    from facekit.cli.output import print_json
    from facekit.workflows.audit import run as workflow

    choices = [word.strip() for word in exclude.split(",") if word.strip()]
    with redirect_stdout(sys.stderr):  # whatever a library prints stays out of the answer
        done = workflow.audit(
            dataset,
            data,
            out=out,
            model=model,
            people=people,
            exclude_out=exclude_out,
            exclude=choices,
            keep=keep,
        )
    if as_json:
        print_json(done.record)
        return
    _show(done.record)
    say(f"\npage  {done.folder / 'audit.html'}\nlist  {done.folder / 'findings.csv'}")
    if exclude_out is not None:
        say(f"{len(done.excluded):,} ids to leave out  {exclude_out}")


def _show(record: Mapping[str, Any]) -> None:
    from facekit.cli.output import print_table
    from facekit.workflows.audit.findings import FINDINGS

    splits = list(record["splits"])
    title = f"{record['dataset']}: {record['n']:,} pictures"
    rows = [
        (kind, by["all"], *(by.get(split, 0) for split in splits), FINDINGS[kind])
        for kind, by in record["findings"].items()
    ]
    print_table(("finding", "all", *splits, "meaning"), rows, title)
    probe = [
        (one["split"], one["pictures"], one["n"], *(f"{one[k]:.4f}" for k in _PROBED))
        for one in record["probe"]
        if one["n"]
    ]
    if probe:
        say()
        head = "what copies are worth: a linear head fitted on train, or on train without copies"
        print_table(("split", "pictures", "n", "on train", "without"), probe, head)
    wrong = [one for one in record["counts"] if one["agrees"] is False]
    if wrong:
        say()
        columns = [(o["what"], o["found"], " or ".join(map(str, o["expected"]))) for o in wrong]
        print_table(("count", "found", "dataset card"), columns)
