"""``facekit pretrain``: train the shared backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SOURCES = ("celeba", "tfds")


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
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Train N more epochs, save everything and stop.", metavar="N"),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out missing and unreadable images.")
    ] = False,
    exclude: Annotated[
        Path | None, typer.Option(help="Images to leave out, such as `facekit audit` lists.")
    ] = None,
    teacher_table: Annotated[
        Path | None,
        typer.Option(help="NPZ with `names` and `vectors` in place of running the teacher."),
    ] = None,
) -> None:
    """Train the shared backbone; needs the extra `train`."""
    from facekit.cli.options import require_choice
    from facekit.cli.output import print_pairs

    require_choice("data set", dataset, ("celeba",))
    if source is not None:
        require_choice("--source", source, _SOURCES)
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
