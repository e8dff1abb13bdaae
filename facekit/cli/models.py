"""``facekit models``: what is shipped, what was added, where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.arguments import Json, group
from facekit.cli.output import say

app = group("List, show, add and fetch models.")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List bundles and detector files with their provenance."""
    from facekit.cli.output import print_json, print_pairs, print_table
    from facekit.system.home import home
    from facekit.workflows.models import cache_sizes, model_rows

    rows = model_rows()
    if as_json:
        print_json(rows)
        return
    columns = ("name", "kind", "where", "version", "graphs", "state")
    print_table(columns, [[row[column] for column in columns] for row in rows])
    print_pairs({f"from {r['name']}": f"{r['origin']} ({r['licence']})" for r in rows})
    sizes = {f"cache {name}": f"{size / 1e6:.1f} MB" for name, size in cache_sizes().items()}
    print_pairs({"folder": home(), **sizes})


@app.command("show")
def show(
    model: Annotated[
        str | None, typer.Argument(help="Name or folder; none shows the default.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Print the card for people instead.")
    ] = False,
) -> None:
    """Check a bundle's hashes and print its manifest, or its card."""
    from facekit.bundle.load import load_bundle
    from facekit.bundle.manifest import MANIFEST

    folder = load_bundle(model).folder
    text = (folder / ("card.md" if card else MANIFEST)).read_text(encoding="utf-8")
    say(text.rstrip("\n"))


@app.command("add")
def add(
    source: Annotated[Path, typer.Argument(help="Folder of a bundle, or a detector's file.")],
) -> None:
    """Copy a bundle or a known detector file into facekit's models folder."""
    from facekit.workflows.models import add_model

    say(add_model(source))


@app.command("fetch")
def fetch(name: Annotated[str, typer.Argument(help="yunet.")]) -> None:
    """Download a detector from its public home; its sha256 is pinned."""
    from facekit.workflows.models import fetch_model

    say(fetch_model(name))


@app.command("quantize")
def quantize(
    model: Annotated[str, typer.Argument(help="Name or folder of a model with its own backbone.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the data set.")],
    source: Annotated[
        str, typer.Option("--source", help="celeba, or where the classes are from: fer, folder.")
    ] = "celeba",
) -> None:
    """Put an int8 graph into a model: prediction in less time, with the loss measured.

    Training images calibrate it, the others measure it. It predicts by default where it
    loses less than 0.1 points of each answer and of FNMR.
    """
    from facekit.workflows.quantize import quantize

    bundle = quantize(model, data, dataset=source)
    made = bundle.manifest.int8
    if made is not None:
        lost = ", ".join(f"{name} {points:z.2f}" for name, points in made.loss.items())
        used = "by default" if made.default else "with --precision int8"
        say(f"{bundle.folder / made.file}: points lost: {lost}; predicts {used}")


@app.command("strangers")
def strangers(
    model: Annotated[str, typer.Argument(help="Name or folder of a model with its own backbone.")],
    data: Annotated[Path, typer.Option("--data", help="CelebA folder with identity_CelebA.txt.")],
    people: Annotated[int, typer.Option("--people", min=2, help="Most people.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every draw.")] = 0,
    part: Annotated[
        str | None,
        typer.Option("--part", help="Of the embedding; identity, or pooled where there is none."),
    ] = None,
) -> None:
    """Put vectors of strangers into a model, which `facekit enroll` needs; no pictures."""
    from facekit.bundle.load import find_bundle, load_bundle
    from facekit.workflows.pretrain.strangers import add_strangers, make_strangers

    folder = find_bundle(model)
    made = make_strangers(load_bundle(folder), data, part=part, people_limit=people, seed=seed)
    add_strangers(folder, made)
    told = f"{len(made):,} people, {int(made.calibration.sum()):,} to calibrate"
    say(f"{folder}: {told} (part {made.part})")
