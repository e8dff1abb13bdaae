"""``facekit evaluate``: measure a bundle on a partition."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Final

import typer

__all__ = ["evaluate"]

#: Column heads that let the table of attributes fit 80 characters.
_SHORT: Final = {
    "balanced_accuracy": "balanced",
    "average_precision": "av. prec.",
    "majority_accuracy": "majority",
}


def evaluate(
    dataset: Annotated[str, typer.Argument(help="What to measure on: celeba.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set; one partition is enough.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    model: Annotated[
        str | None, typer.Option(help="Bundle: a name (see `facekit models`) or a folder.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="celeba (a folder) or tfds (TensorFlow Datasets).")
    ] = "celeba",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out missing and unreadable images.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the JSON record and nothing else.")
    ] = False,
) -> None:
    """Measure a bundle beside the majority baseline."""
    from facekit.cli.choices import require_choice
    from facekit.cli.tables import print_json

    require_choice("data set", dataset, ("celeba",))
    require_choice("--split", split, ("train", "val", "test"))
    require_choice("--source", source, ("celeba", "tfds"))
    from facekit.workflows.evaluate import evaluate_celeba

    with redirect_stdout(sys.stderr):  # whatever a library prints stays out of the answer
        record = evaluate_celeba(
            data, split=split, model=model, allow_missing=allow_missing, source=source
        )
    if as_json:
        print_json(record)
    else:
        _show(record)


def _show(record: Mapping[str, Any]) -> None:
    from facekit.cli.tables import print_table

    title = "{task} on {dataset}/{split}, {n} images, model {model}".format(**record)
    rows = []
    for name, value in record["metrics"].items():
        between = record["intervals"].get(name)
        shown = f"{between[0]:.4f} to {between[1]:.4f}" if between else ""
        rows.append((name, _number(value), shown))
    print_table(("metric", "value", "95 % interval"), rows, title)
    typer.echo()
    names = record["per_attribute"]
    columns = [_SHORT.get(name, name) for name in next(iter(names.values()), {})]
    cells = [(name, *map(_number, row.values())) for name, row in names.items()]
    print_table(("attribute", *columns), cells)


def _number(value: object) -> object:
    """Four decimals; a measure that cannot be taken is a dash."""
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else value
