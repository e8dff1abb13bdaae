"""``facekit evaluate``: measure a bundle on a partition."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from facekit.cli.arguments import AllowMissing, Exclude, Json, Model, People, require_choice
from facekit.cli.output import say
from facekit.errors import UsageError

#: Column heads that let the table of attributes fit 80 characters.
_SHORT: Final = {
    "balanced_accuracy": "balanced",
    "average_precision": "av. prec.",
    "majority_accuracy": "majority",
}
#: Ways in which images are shown again.
_SHOWN: Final = {"mirror": "mirrored", "shift": "moved by 5 %", "jpeg": "at JPEG quality 30"}
#: Classes up to which the confusion matrix fits a terminal.
_MOST_COLUMNS: Final = 9


def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="What to measure on: celeba, fer, ckplus, folder or tfrecord.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set; one partition is enough.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    model: Model = None,
    source: Annotated[
        str, typer.Option(help="CelebA from celeba (a folder) or tfds (TensorFlow Datasets).")
    ] = "celeba",
    labels: Annotated[
        str, typer.Option(help="FER-2013 by fer (its labels) or ferplus (most votes).")
    ] = "fer",
    exclude: Exclude = None,
    people: People = None,
    aligned: Annotated[
        str | None, typer.Option(help="A folder's faces lie as in fer or celeba: not detected.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="So many images of classes, even over classes and people."),
    ] = None,
    allow_missing: AllowMissing = False,
    as_json: Json = False,
) -> None:
    """Measure a bundle beside the majority baseline."""
    from facekit.cli.output import print_json
    from facekit.datasets.registry import names

    require_choice("data set", dataset, ("celeba", *names("classes")))
    require_choice("--split", split, ("train", "val", "test"))
    require_choice("--source", source, names("attributes"))
    require_choice("--labels", labels, ("fer", "ferplus"))
    given = {"--source tfds": source != "celeba", "--labels ferplus": labels != "fer"}
    given |= {"--people": people is not None, "--aligned": aligned is not None}
    _refuse_unused(dataset, {**given, "--sample": sample is not None})
    with redirect_stdout(sys.stderr):  # whatever a library prints stays out of the answer
        from facekit.workflows.evaluate.run import evaluate as run

        record = run(
            dataset,
            data,
            split=split,
            source=source,
            model=model,
            allow_missing=allow_missing,
            labels=labels,
            exclude=exclude,
            people=people,
            aligned=aligned,
            sample=sample or 0,
        ).record()
    if as_json:
        print_json(record)
    else:
        _show(record)


def _refuse_unused(dataset: str, given: Mapping[str, bool]) -> None:
    """Each option goes with some data sets alone."""
    from facekit.datasets.registry import names

    owners = {
        "--source tfds": ("celeba",),
        "--labels ferplus": ("fer",),
        "--sample": names("classes"),
    }
    for name, there in given.items():
        known = owners.get(name, ("folder",))
        if there and dataset not in known:
            raise UsageError(f"{name} goes with {' or '.join(known)}, not with {dataset}")


def _show(record: Mapping[str, Any]) -> None:
    from facekit.cli.output import print_table

    title = "{task} on {dataset}/{split}, {n} images, model {model}".format(**record)
    rows = []
    for name, value in record["metrics"].items():
        between = record["intervals"].get(name)
        shown = f"{between[0]:.4f} to {between[1]:.4f}" if between else ""
        rows.append((name, _number(value), shown))
    print_table(("metric", "value", "95 % interval"), rows, title)
    say()
    what = "attribute" if "per_attribute" in record else "class"
    names = record[f"per_{what}"]
    columns = [_SHORT.get(name, name) for name in next(iter(names.values()), {})]
    cells = [(name, *map(_number, row.values())) for name, row in names.items()]
    print_table((what, *columns), cells)
    if "confusion" in record:
        _show_confusion(list(names), record["confusion"])
    if "flips" in record:
        say()
        rates = ", ".join(f"{100 * v:.1f} % {_SHOWN[k]}" for k, v in record["flips"].items())
        say(f"another answer for {rates}")


def _show_confusion(names: list[str], confusion: list[list[int]]) -> None:
    """Rows are labels, columns answers; left out where it would not fit."""
    from facekit.cli.output import print_table

    if len(names) > _MOST_COLUMNS:
        return
    say()
    rows = [(name, *row) for name, row in zip(names, confusion, strict=True)]
    print_table(("label, answered:", *names), rows)


def _number(value: object) -> object:
    """Four decimals; a measure that cannot be taken is a dash."""
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else value
