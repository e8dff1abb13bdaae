"""``facekit data``: the dataset cards, the features that are kept, and TFRecords."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.arguments import Json, group, require_choice
from facekit.cli.output import say

app = group("Show dataset cards and kept features; write TFRecords.")


@app.command("list")
def list_() -> None:
    """List the data sets that facekit knows."""
    from facekit.cli.output import print_table
    from facekit.datasets.cards import card_files, read_card

    cards = {name: read_card(path) for name, path in card_files().items()}
    rows = [(name, card.get("title", ""), card.get("licence", "")) for name, card in cards.items()]
    print_table(("data set", "title", "licence"), rows)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the data set.")]) -> None:
    """Print the card of a data set."""
    from facekit.datasets.cards import card_files

    files = card_files()
    require_choice("data set", name, files)
    say(files[name].read_text(encoding="utf-8").rstrip("\n"))


@app.command("features")
def features(
    clear: Annotated[bool, typer.Option("--clear", help="Delete them.")] = False,
    keys: Annotated[list[str] | None, typer.Argument(help="Which, by key; none for all.")] = None,
) -> None:
    """List what is kept of frozen backbones (features, inputs of heads), or delete it."""
    from facekit.cache.features import clear_sets, list_sets
    from facekit.cli.output import print_table
    from facekit.system.home import cache_folder

    root = cache_folder() / "features"
    if clear:
        freed = clear_sets(root, tuple(keys) if keys else None)
        say(f"{freed / 1e6:,.1f} MB freed in {root}")
        return
    rows = [
        (one.key, one.model, f"{one.rows:,}", one.views, f"{one.size / 1e6:,.1f}")
        for one in list_sets(root)
        if not keys or one.key in keys
    ]
    print_table(("key", "model", "crops", "views", "MB"), rows, title=str(root))


@app.command("export-tfrecord")
def export_tfrecord(
    data: Annotated[Path, typer.Option(help="FER-2013 as class folders, or fer2013.csv.")],
    out: Annotated[
        Path, typer.Option(help="fer.tfrecord makes fer-train.tfrecord, fer-test.tfrecord, ….")
    ],
    classes: Annotated[
        str,
        typer.Option(
            help="six (no fear, neutral is natural), seven, or emotion=class,emotion=class,…"
        ),
    ] = "six",
    first_label: Annotated[
        int, typer.Option(min=0, max=1, help="Number of the first class: 0 or 1.")
    ] = 0,
    image_key: Annotated[str, typer.Option(help="Feature for the picture.")] = "image/encoded",
    label_key: Annotated[
        str, typer.Option(help="Feature for the class's number.")
    ] = "image/class/label",
    as_json: Json = False,
) -> None:
    """Write FER-2013 as TFRecord files; needs the extra `train`."""
    from facekit.cli.output import print_json, print_table
    from facekit.workflows.export_tfrecord import export_tfrecord as export

    keys = {"image_key": image_key, "label_key": label_key}
    files = export(data, out, classes=classes, first_label=first_label, **keys)
    if as_json:
        rows = [
            {"path": str(one.path), "split": one.split, "classes": one.counts,
             "left_out": one.left_out}
            for one in files
        ]  # fmt: skip
        print_json({"files": rows})
        return
    print_table(
        ("file", *files[0].counts, "left out"),
        [
            (
                one.path.name,
                *(f"{count:,}" for count in one.counts.values()),
                ", ".join(f"{name} {count:,}" for name, count in one.left_out.items()) or "-",
            )
            for one in files
        ],
        title=str(out.parent),
    )
