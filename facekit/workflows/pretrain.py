"""Pretrain the shared backbone: table, crops, teacher, training, bundle, report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.atomic import write_atomically
from facekit.errors import InterruptedRunError, RecipeError, UsageError
from facekit.recipe.load import load_recipe, to_toml
from facekit.recipe.schema import PretrainRecipe
from facekit.workflows.sources import Source, crop_source, open_table

if TYPE_CHECKING:
    from facekit.training.loop import Sitting, TrainingRun
    from facekit.training.multitask import Targets

__all__ = ["PretrainResult", "pretrain"]

#: Parts of a recipe that a resumed run may not change: they shape its arrays.
_FIXED = ("data", "frame", "backbone", "targets")


@dataclass(frozen=True)
class PretrainResult:
    """What a sitting left behind.

    Attributes:
        run: The run folder.
        bundle: The bundle in it, None while the run is not finished.
        metrics: The last epoch's row, or the bundle's metrics when finished.
        finished: Whether training reached its end.
    """

    run: Path
    bundle: Path | None
    metrics: dict[str, Any]
    finished: bool


def pretrain(
    data: Path | str | None = None,
    *,
    source: str | None = None,
    recipe: str | Path = "celeba-compact",
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    resume: bool = False,
    epochs: int | None = None,
    allow_missing: bool = False,
    teacher_table: Path | str | None = None,
) -> PretrainResult:
    """Train a backbone on CelebA's 40 attributes and the recipe's other targets.

    Args:
        data: CelebA folder; with ``source="tfds"`` the TFDS data folder.
        source: ``celeba`` or ``tfds``; None takes the recipe's.
        recipe: Name of a shipped recipe or path of a TOML file.
        overrides: ``key=value`` texts that change single keys.
        out: Run folder; None makes one under ``runs/``.
        resume: Go on from the run folder's checkpoint.
        epochs: Train this many more epochs, save everything and stop.
        allow_missing: Leave out images that are missing or unreadable.
        teacher_table: Teacher vectors made elsewhere.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    run = Path(out) if out is not None else _new_run(recipe, resume)
    resolved = _resolve(run, recipe, overrides, source, resume)
    if epochs is not None and epochs < 1:
        raise UsageError(f"--epochs is {epochs}: give 1 or more")
    _refuse_used(run, resume)
    table = open_table(
        Path(data) if data is not None else None,
        resolved.data.source,
        ("train", "val"),
        allow_missing=allow_missing,
        limit=resolved.data.limit,
    )
    opened = crop_source(table, resolved.frame.build())
    from facekit.training.backend import start_keras

    backend = start_keras(seed=resolved.training.seed, precision=resolved.training.precision)
    targets = _targets(resolved, opened, Path(teacher_table) if teacher_table else None)
    _start_folder(run, resolved, opened, backend)
    training, backbone, sitting = _train(run, resolved, opened, targets, resume, epochs)
    if not sitting.finished:
        last = sitting.history[-1] if sitting.history else {}
        return PretrainResult(run, None, last, False)
    training.restore_best()
    from facekit.workflows.package import package

    trained = (backbone, training.model)
    bundle, metrics = package(run, resolved, trained, opened, targets, backend)
    return PretrainResult(run, bundle, metrics, True)


def _resolve(
    run: Path, recipe: str | Path, overrides: Sequence[str], source: str | None, resume: bool
) -> PretrainRecipe:
    """The recipe of this sitting; a resumed run goes on with its own."""
    changes = [*overrides, *([f"data.source={source}"] if source else [])]
    saved = run / "recipe.toml"
    if not resume or not saved.exists():
        return load_recipe(recipe, changes)
    before = load_recipe(saved)
    resolved = load_recipe(saved, changes)
    for part in _FIXED:
        if getattr(before, part) != getattr(resolved, part):
            raise RecipeError(
                f"--set changes {part} of the run in {run}, which has been trained with another: "
                "a resumed run may change augment, optimizer, schedule and training; "
                "start a new run for the rest"
            )
    return resolved


def _new_run(recipe: str | Path, resume: bool) -> Path:
    if resume:
        raise UsageError("--resume needs --out: name the run folder to go on with")
    return Path("runs") / f"{Path(recipe).stem}-{time.strftime('%Y%m%d-%H%M%S')}"


def _refuse_used(run: Path, resume: bool) -> None:
    if (run / "checkpoint.npz").exists() and not resume:
        raise InterruptedRunError(
            f"{run} holds a run already: go on with --resume, or name another folder with --out"
        )
    if run.exists() and not run.is_dir():
        raise UsageError(f"--out {run} is a file: name a folder")


def _targets(recipe: PretrainRecipe, source: Source, teacher_table: Path | None) -> Targets:
    """Labels and teacher vectors in the order of the crop cache."""
    from facekit.training.multitask import Targets

    n = len(source.cache.ids)
    attributes = np.full((n, source.table.labels.shape[1]), -1, np.int8)
    attributes[source.rows] = source.table.labels
    spec = recipe.targets.get("identity")
    if spec is None or spec.weight == 0:
        return Targets(attributes)
    if recipe.backbone.identity_size == 0:
        raise RecipeError(
            "targets.identity has a weight but backbone.identity_size is 0: "
            "give the part a size (dlib's teacher has 128), or the target weight 0"
        )
    from facekit.teachers.table import to_targets

    vectors = _teacher_vectors(source, teacher_table)
    if vectors.shape[1] != recipe.backbone.identity_size:
        raise RecipeError(
            f"the teacher has {vectors.shape[1]} numbers, backbone.identity_size is "
            f"{recipe.backbone.identity_size}: --set backbone.identity_size={vectors.shape[1]}"
        )
    unit, _ = to_targets(vectors, source.places("train"))
    return Targets(attributes, unit)


def _teacher_vectors(source: Source, table: Path | None) -> Any:
    from facekit.teachers.table import read_teacher_table

    if table is not None:
        return read_teacher_table(table, source.cache.ids)
    from facekit.crops.decode import decode
    from facekit.home import cache_folder
    from facekit.report.progress import progress_bar
    from facekit.teachers.dlib import teach

    vectors = np.full((len(source.cache.ids), 128), np.nan, np.float32)
    with progress_bar("identity teacher", len(source.table)) as tick:
        vectors[source.rows] = teach(
            source.table, decode, root=cache_folder() / "teachers", tick=tick
        )
    return vectors


def _start_folder(run: Path, recipe: PretrainRecipe, source: Source, backend: str) -> None:
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(run / "recipe.toml", to_toml(recipe))
    facts = {
        "source": source.table.name,
        "images": {s: int((source.table.split == s).sum()) for s in ("train", "val")},
        "crops": source.cache.key,
        "backend": backend,
        "command": " ".join(sys.argv),
    }
    write_atomically(run / "data.json", json.dumps(facts, indent=1) + "\n")


def _train(
    run: Path,
    recipe: PretrainRecipe,
    source: Source,
    targets: Targets,
    resume: bool,
    epochs: int | None,
) -> tuple[TrainingRun, Any, Sitting]:
    from facekit.backbones.catalog import build_backbone
    from facekit.training.batches import Batches
    from facekit.training.journal import Journal
    from facekit.training.loop import TrainingRun
    from facekit.training.multitask import build_trainer

    backbone = build_backbone(recipe.backbone, recipe.frame.side)
    batches = Batches(
        source.cache.crops,
        source.places("train"),
        targets,
        recipe.augment,
        recipe.training.batch_size,
        recipe.training.seed,
    )
    with Journal(run, recipe.training.epochs) as journal:
        training = TrainingRun(
            run,
            recipe,
            build_trainer(backbone, recipe, targets),
            batches,
            source.cache.crops,
            targets,
            source.places("val"),
            journal.report,
            journal.progress,
        )
        if resume:
            training.resume()
        return training, backbone, training.sit(epochs)
