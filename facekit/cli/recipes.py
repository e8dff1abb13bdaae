"""``facekit recipes``: list, show and check recipes."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="List, show and check recipes.", rich_markup_mode=None, invoke_without_command=True
)

_Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated."),
]


@app.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_() -> None:
    """List the shipped recipes."""
    from facekit.cli.tables import print_table
    from facekit.recipe.load import list_recipes

    rows = [(recipe.name, recipe.kind, recipe.summary) for recipe in list_recipes()]
    print_table(("recipe", "kind", "what it is"), rows)


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="Name or TOML file.")],
    overrides: _Overrides = None,
    source: Annotated[
        bool, typer.Option("--file", help="Print the file itself, comments and all.")
    ] = False,
) -> None:
    """Print a recipe with every key: defaults and overrides resolved."""
    from facekit.recipe.load import find_recipe, load_recipe, to_toml

    if source:
        text = find_recipe(recipe).read_text(encoding="utf-8")
    else:
        text = to_toml(load_recipe(recipe, overrides or ()))
    typer.echo(text.rstrip("\n"))


@app.command("check")
def check(
    recipes: Annotated[
        list[str] | None, typer.Argument(help="Names or TOML files; none checks all shipped.")
    ] = None,
    overrides: _Overrides = None,
) -> None:
    """Check recipes against the schema; exit code 1 when one does not fit."""
    from facekit.backbones.catalog import check_family
    from facekit.errors import RecipeError
    from facekit.recipe.enroll import EnrollRecipe
    from facekit.recipe.load import list_recipes, load_recipe

    faulty = 0
    for name in recipes or [recipe.name for recipe in list_recipes()]:
        try:
            recipe = load_recipe(name, overrides or ())
            if not isinstance(recipe, EnrollRecipe):  # it has no backbone to build
                check_family(recipe.backbone.family)
        except RecipeError as error:
            faulty += 1
            typer.echo(f"{name}: {error}", err=True)
        else:
            typer.echo(f"{name}: ok")
    if faulty:
        raise typer.Exit(1)
