"""``facekit sweep``: one recipe with every combination of some settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facekit.cli.arguments import AllowMissing, Cross, Data, Exclude, Json, People, TeacherTable
from facekit.errors import UsageError
from facekit.system.terminal import tell

if TYPE_CHECKING:
    from facekit.workflows.sweep.run import SweepResult


def sweep(
    recipe: Annotated[str, typer.Argument(help="Name (see `facekit recipes`) or TOML file.")],
    data: Data = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE,VALUE",
            help="A key and its values; several keys make every combination. "
            "A list is one value: [8,16],[16,32] has two.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on: what is finished is left alone.")
    ] = False,
    only: Annotated[
        int | None,
        typer.Option(min=0, help="Make this one run, by its number from 0.", metavar="N"),
    ] = None,
    slurm: Annotated[
        Path | None, typer.Option(help="Write a Slurm array script to this file; run nothing.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the runs and how far they are; run nothing.")
    ] = False,
    as_json: Json = False,
    exclude: Exclude = None,
    people: People = None,
    cross: Cross = None,
    teacher_table: TeacherTable = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Train a recipe with all combinations of some settings; compare.

    Every run has a folder of its own. Exit code 1 when one of them failed.
    """
    from facekit.workflows.sweep.run import SweepInputs, make_runs, open_sweep, survey

    if sum((slurm is not None, dry_run, only is not None)) > 1:
        raise UsageError("--slurm, --dry-run and --only exclude each other: choose one")
    inputs = SweepInputs(data, exclude, people, cross, teacher_table, allow_missing)
    looks = dry_run or slurm is not None
    goes_on = resume or (looks and out is not None)
    plan = open_sweep(recipe, sets or (), inputs, out=out, resume=goes_on)
    if slurm is not None:
        from facekit.workflows.sweep.output import write_script
        from facekit.workflows.sweep.run import arguments_of

        write_script(plan, arguments_of(plan, inputs), slurm)
    result = survey(plan) if looks else make_runs(plan, inputs, only=only, say=tell)
    _show(result, as_json=as_json, looks=looks)
    if slurm is not None:
        tell(f"sbatch {slurm}")
    if any(one.state == "failed" for one in result.outcomes):
        raise typer.Exit(1)


def _show(result: SweepResult, *, as_json: bool, looks: bool) -> None:
    """The table of what is finished; of a sweep that is only looked at, its runs."""
    from facekit.cli.output import print_json, print_table

    if as_json:
        print_json(result.record())
        return
    if looks:
        rows = [
            (one.run.index, one.run.name, one.state, " ".join(one.run.overrides))
            for one in result.outcomes
        ]
        print_table(("n", "run", "state", "settings"), rows, title=str(result.plan.folder))
        return
    for one in result.outcomes:
        if one.error:
            tell(f"{one.run.name} failed: {one.error}")
    if result.table is None:
        return
    print_table(result.table.columns, result.table.rows, title=str(result.plan.folder))
    for note in result.table.notes:
        tell(note)
