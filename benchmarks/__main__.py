"""``python -m benchmarks``: the home of every benchmark."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.app import main


def bench(
    name: Annotated[str | None, typer.Argument(help="Which; none lists them.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the data sets; drawn faces without it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Bundle: a name or a folder.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Images at most.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 0,
    peer: Annotated[
        Path | None,
        typer.Option(
            help="To measure beside ours: for emotions a Keras HDF5 file, for identity dlib."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the JSON record and nothing else.")
    ] = False,
) -> None:
    """Run a benchmark; without a name, list them."""
    from benchmarks.registry import BENCHMARKS, BenchOptions
    from facekit.cli.arguments import require_choice
    from facekit.cli.output import print_json, print_pairs, print_table

    if name is None:
        print_table(("benchmark", "what it measures"), [(n, b.help) for n, b in BENCHMARKS.items()])
        return
    require_choice("benchmark", name, BENCHMARKS)
    benchmark = BENCHMARKS[name]
    with redirect_stdout(sys.stderr):  # whatever a library prints stays out of the answer
        record = benchmark.run(BenchOptions(data, model, limit, seed, peer))
    if as_json:
        print_json(record)
        return
    text = benchmark.render(record)
    if text is None:
        print_pairs(record, title=name)
    else:
        typer.echo(text)


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(bench)

if __name__ == "__main__":
    main(app)
