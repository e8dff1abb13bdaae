"""``facekit pretrain``: train the shared backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facekit.cli.arguments import (
    AllowMissing,
    Epochs,
    Exclude,
    Overrides,
    Resume,
    RunFolder,
    TeacherTable,
    require_choice,
)


def pretrain(
    dataset: Annotated[str, typer.Argument(help="What to train on: celeba.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data set; with --source tfds its TFDS data folder."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="celeba (a folder, the default) or tfds (TensorFlow Datasets)."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Name (see `facekit recipes`) or TOML file.")
    ] = "celeba-compact",
    overrides: Overrides = None,
    out: RunFolder = None,
    resume: Resume = False,
    epochs: Epochs = None,
    allow_missing: AllowMissing = False,
    exclude: Exclude = None,
    teacher_table: TeacherTable = None,
) -> None:
    """Train the shared backbone; needs the extra `train`."""
    from facekit.cli.output import print_pairs
    from facekit.datasets.registry import names

    require_choice("data set", dataset, ("celeba",))
    if source is not None:
        require_choice("--source", source, names("attributes"))
    from facekit.workflows.pretrain.run import pretrain as run

    result = run(
        data,
        source=source,
        recipe=recipe,
        overrides=overrides or (),
        out=out,
        resume=resume,
        epochs=epochs,
        allow_missing=allow_missing,
        exclude=exclude,
        teacher_table=teacher_table,
    )
    state = "finished" if result.finished else "stopped: go on with --resume"
    pairs: dict[str, object] = {"run": result.run, "state": state, "bundle": result.bundle or "-"}
    print_pairs(pairs | dict(result.metrics))
