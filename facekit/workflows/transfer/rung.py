"""One rung of a transfer, from the images to the report."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facekit.bundle.bundle import Bundle
from facekit.datasets.sources import open_classes
from facekit.datasets.table import Table, tell_issues
from facekit.errors import RecipeError, UsageError
from facekit.heads.kinds import calibrate_head
from facekit.recipe.transfer import TransferRecipe
from facekit.report.record import read_history
from facekit.system.files import write_atomically
from facekit.workflows.evaluate.answers import known_emotions
from facekit.workflows.evaluate.run import crop_classes, measure_classes
from facekit.workflows.run_folder import start_folder
from facekit.workflows.teachers import choose_heads, open_teachers, who_taught
from facekit.workflows.transfer.backbone import open_model
from facekit.workflows.transfer.data import ClassData, Sources, facts_of, open_data, prior_shift
from facekit.workflows.transfer.fits import HEAD_FITS, mean_logits
from facekit.workflows.transfer.inputs import read_inputs
from facekit.workflows.transfer.results import (
    Learned,
    TransferResult,
    measure_results,
    write_results,
)

if TYPE_CHECKING:
    from facekit.training.teachers import Teacher


def train_rung(
    run: Path,
    recipe: TransferRecipe,
    source: Sources,
    *,
    resume: bool = False,
    epochs: int | None = None,
    climbs: bool = False,
) -> TransferResult:
    """One rung, from the images to the report.

    Args:
        run: Run folder, which may not exist yet.
        recipe: Its rung is not ``auto``.
        source: Where the images are.
        resume: Go on from the checkpoint.
        epochs: As for ``transfer``.
        climbs: Other rungs are compared with this one, on the same validation images.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    cross = _open_cross(recipe.data.cross, source.cross, recipe.data.cross_sample)
    trains = recipe.rung != "frozen"
    if trains:
        from facekit.workflows.transfer.tune import require_training

        require_training(recipe, resume=resume)
    elif resume or epochs is not None:
        raise RecipeError("a frozen head takes seconds: leave --resume and --epochs out")
    bundle = open_model(recipe)
    teachers = open_teachers(recipe.distill)
    quick = not (trains or climbs) and HEAD_FITS[recipe.head.kind].cross_fit is not None
    data = open_data(recipe, source, bundle, cross_validated=quick)
    _require_shared(recipe.data.cross, data.names)
    if trains or bundle is None:
        chosen = choose_heads(recipe.distill, teachers, data.names, "softmax")
        facts = {**facts_of(data), "teachers": who_taught(teachers)}
        start_folder(run, recipe, facts, resume=resume)
        tuned = _fine_tuned(run, recipe, bundle, data, chosen, resume, epochs)
        if tuned is None:
            last = (read_history(run / "metrics.jsonl") or [{}])[-1]
            return TransferResult(run, recipe.rung, None, last, False)
        learned = tuned
    else:
        learned = _frozen(run, recipe, bundle, data)
    results = measure_results(recipe, learned, data)
    metrics, records = results.metrics, {}
    if cross is not None:
        records = _try_on(recipe, results.draft, source, cross)
        told = records["cross"]["metrics"].items()
        metrics = metrics | {f"{recipe.data.cross}_{key}": value for key, value in told}
    folder = write_results(run, recipe, learned, data, results, records)
    shutil.rmtree(run / "backbone", ignore_errors=True)  # a tuned one: it is in the bundle now
    return TransferResult(run, recipe.rung, folder, metrics, True)


def _open_cross(name: str, folder: Path | None, sample: int) -> Table | None:
    """List the other data set once, and refuse now what would only show at the end."""
    if sample and not name:
        raise RecipeError(
            f"data.cross_sample={sample} samples nothing: --set data.cross=ckplus (or fer)"
        )
    if name and folder is None:
        raise UsageError(f"the recipe tries the result on {name}: name its folder with --cross")
    if folder is not None and not name:
        raise UsageError(
            "--cross needs a recipe that says what is in it: --recipe ckplus-cross, or "
            "--set data.cross=ckplus (or fer)"
        )
    return open_classes(name, folder, splits=("test",), tell=False) if name else None


def _require_shared(cross: str, names: tuple[str, ...]) -> None:
    """Refuse before training that the result cannot be tried on the other data."""
    if cross and len(known_emotions(names)) < 2:
        raise UsageError(
            f"the recipe tries the result on {cross}, which has emotions, and the classes are "
            f"{', '.join(names[:8])}: --set data.cross=''"
        )


def _try_on(
    recipe: TransferRecipe, bundle: Bundle, source: Sources, table: Table
) -> dict[str, dict[str, Any]]:
    """Records of the result on another data set: on all of it, and on a sample."""
    name, size = recipe.data.cross, recipe.data.cross_sample
    tell_issues(table, source.cross)
    other = crop_classes(bundle, name, table, allow_missing=source.allow_missing)
    records = {"cross": measure_classes(bundle, name, other)}
    if size:
        records["cross_sample"] = measure_classes(bundle, name, other, sample=size)
    return records


def _frozen(run: Path, recipe: TransferRecipe, bundle: Bundle, data: ClassData) -> Learned:
    """Fit first, then make the folder: what cannot be fitted leaves nothing behind."""
    rows: list[dict[str, Any]] = []
    learned = fit_frozen(bundle, data, recipe, report=rows.append)
    start_folder(run, recipe, facts_of(data), resume=False)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(run / "metrics.jsonl", lines)
    return learned


def _fine_tuned(
    run: Path,
    recipe: TransferRecipe,
    bundle: Bundle | None,
    data: ClassData,
    teachers: Sequence[Teacher],
    resume: bool,
    epochs: int | None,
) -> Learned | None:
    """The finished network, None while epochs are left."""
    from facekit.training.engine import start_training
    from facekit.workflows.transfer.tune import export_tuned, finetune

    start_training(recipe)
    tuned = finetune(run, recipe, bundle, data, teachers, resume=resume, epochs=epochs)
    if not tuned.sitting.finished:
        return None
    return export_tuned(run, recipe, tuned, data, bundle, [one for one, _ in teachers])


# The frozen rung: features from the store, a head on them, calibrated.


def fit_frozen(
    bundle: Bundle,
    data: ClassData,
    recipe: TransferRecipe,
    *,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Learned:
    """Fit the recipe's head on the frozen backbone.

    Args:
        bundle: Whose backbone is read.
        data: The classes; without validation rows the head is cross-validated, and
            its ``logits`` have ``cv`` in place of ``val``.
        recipe: Its ``features`` and ``head``.
        report: Called with every row of the history.

    Returns:
        The head, calibrated on rows that it has not learned from.

    Raises:
        RecipeError: The backbone has none of the recipe's parts, or the kind of head
            cannot be cross-validated and the data are.
    """
    begun = time.perf_counter()
    small = not len(data.val)
    kind = HEAD_FITS[recipe.head.kind]
    if small and kind.cross_fit is None:
        raise RecipeError(
            f"{len(data.train):,} training images are cross-validated, which "
            f"head.kind={recipe.head.kind!r} is not: --set head.kind=linear, or "
            "--set data.validation=holdout"
        )
    inputs = read_inputs(bundle, data, recipe)
    if small and kind.cross_fit is not None:
        head, out = kind.cross_fit(inputs, recipe, report)
        logits, labels = {"cv": out}, inputs.labels
    else:
        head = kind.fit(inputs, recipe, report)
        out = mean_logits(head, inputs.seen)
        logits, labels = {"val": out}, inputs.answers
    head = calibrate_head(head, out, labels, prior_shift(data, recipe.head.logit_adjustment))
    if inputs.tested:
        logits["test"] = mean_logits(head, inputs.tested)
    seconds = time.perf_counter() - begun
    return Learned(bundle, head, recipe.model, seconds, head.parameters, logits)
