"""``facekit compare``: finished runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.arguments import Json
from facekit.cli.output import say
from facekit.errors import UsageError
from facekit.system.terminal import tell


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of `facekit transfer`.")
    ],
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table in Markdown.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file, too.")] = None,
    as_json: Json = False,
) -> None:
    """Put runs side by side: accuracy, size, time."""
    from dataclasses import asdict

    from facekit.cli.output import print_json, print_table
    from facekit.report.compare import SHORT_COLUMNS, markdown_table, short_rows
    from facekit.workflows.compare import compare_notes, read_runs, write_comparison

    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other: choose one")
    found = read_runs(runs)
    notes = compare_notes(found)
    if html is not None:
        write_comparison(html, found)
    if as_json:
        print_json({"runs": [asdict(run) for run in found], "notes": notes})
        return
    if markdown:
        say(markdown_table(found).rstrip("\n"))
    else:
        print_table(SHORT_COLUMNS, short_rows(found))
    for note in notes:
        tell(note)
