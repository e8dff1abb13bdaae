"""``facekit recipes``: list, show and check recipes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facekit.cli.arguments import Json, Overrides, group
from facekit.cli.output import say
from facekit.system.terminal import tell

app = group("List, show and check recipes.")


@app.command("list")
def list_() -> None:
    """List the shipped recipes."""
    from facekit.cli.output import print_table
    from facekit.recipe.load import list_recipes

    rows = [(recipe.name, recipe.kind, recipe.summary) for recipe in list_recipes()]
    print_table(("recipe", "kind", "what it is"), rows)


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="Name or TOML file.")],
    overrides: Overrides = None,
    source: Annotated[
        bool, typer.Option("--file", help="Print the file itself, comments and all.")
    ] = False,
    params: Annotated[
        bool, typer.Option("--params", help="Build its network; print layers and parameters.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a recipe with every key: what it extends, defaults and overrides resolved."""
    from facekit.cli.output import print_json
    from facekit.errors import UsageError
    from facekit.recipe.load import base_recipes, find_recipe, load_recipe, to_toml

    if source and (params or as_json):
        raise UsageError("--file prints the file as it is: leave --params and --json out")
    if source:
        say(find_recipe(recipe).read_text(encoding="utf-8").rstrip("\n"))
        return
    resolved = load_recipe(recipe, overrides or ())
    if params:
        from facekit.workflows.describe import describe_network

        _print_network(describe_network(resolved), as_json)
    elif as_json:
        print_json(resolved.model_dump(mode="json", exclude_none=True))
    else:
        bases = base_recipes(recipe)
        if bases:
            names = " extends ".join(path.stem for path in (find_recipe(recipe), *bases))
            say(f"# {names}")
        say(to_toml(resolved).rstrip("\n"))


def _print_network(told: dict[str, Any], as_json: bool) -> None:
    from facekit.cli.output import print_json, print_pairs, print_table

    if as_json:
        print_json(told)
        return
    rows = [
        (row["name"], row["kind"], " x ".join(map(str, row["shape"])), f"{row['parameters']:,}")
        for row in told["summary"]
    ]
    print_table(("layer", "kind", "output", "parameters"), rows)
    numbers = {key: f"{told[key]:,}" for key in ("parameters", "trainable")}
    counts = {key: told[key] for key in ("layers", "convolutions", "outputs")}
    read = " x ".join(map(str, told["input"]))
    print_pairs({"name": told["name"], **numbers, **counts, "input": read})


@app.command("check")
def check(
    recipes: Annotated[
        list[str] | None, typer.Argument(help="Names or TOML files; none checks all shipped.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Check recipes against the schema; exit code 1 when one does not fit."""
    from facekit.backbones.catalog import check_backbone
    from facekit.errors import RecipeError
    from facekit.recipe.enroll import EnrollRecipe
    from facekit.recipe.load import list_recipes, load_recipe

    faulty = 0
    for name in recipes or [recipe.name for recipe in list_recipes()]:
        try:
            recipe = load_recipe(name, overrides or ())
            if not isinstance(recipe, EnrollRecipe):  # it has no backbone to build
                check_backbone(recipe.backbone)
        except RecipeError as error:
            faulty += 1
            tell(f"{name}: {error}")
        else:
            say(f"{name}: ok")
    if faulty:
        raise typer.Exit(1)
