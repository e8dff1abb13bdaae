"""``facekit data``: the dataset cards."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Show dataset cards: home page, licence, layout, known faults.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


@app.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_() -> None:
    """List the data sets that facekit knows."""
    from facekit.cli.tables import print_table
    from facekit.datasets.cards import card_files, read_card

    cards = {name: read_card(path) for name, path in card_files().items()}
    rows = [(name, card.get("title", ""), card.get("licence", "")) for name, card in cards.items()]
    print_table(("data set", "title", "licence"), rows)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the data set.")]) -> None:
    """Print the card of a data set."""
    from facekit.cli.choices import require_choice
    from facekit.datasets.cards import card_files

    files = card_files()
    require_choice("data set", name, files)
    typer.echo(files[name].read_text(encoding="utf-8").rstrip("\n"))
