"""Pretrain the shared backbone: table, crops, teacher, training, bundle, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.arrays import Float32
from facekit.augment.mixing import Mixer, require_layers
from facekit.backbones.catalog import build_backbone, check_backbone
from facekit.backbones.weights import check_weights, load_weights, require_file
from facekit.cache.teacher import read_teacher_table, to_targets
from facekit.datasets.sources import open_attributes
from facekit.errors import RecipeError, UsageError
from facekit.labels import ATTRIBUTES
from facekit.recipe.schema import PretrainRecipe
from facekit.training.backend import require_backend
from facekit.training.engine import predictor, require_engine, run_type, start_training
from facekit.workflows.pretrain.identity import (
    identity_spec,
    learns_identity,
    name_teachers,
    require_identity,
    teach_identity,
)
from facekit.workflows.run_folder import hash_arrays, occupied, resolve_recipe, start_folder
from facekit.workflows.sources import Source, crop_source, listed_attributes, tell_left_out, without
from facekit.workflows.teachers import (
    choose_heads,
    open_teachers,
    teachers_licences,
    teaching,
    who_taught,
)

if TYPE_CHECKING:
    from facekit.training.loop import Sitting, TrainingRun
    from facekit.training.teachers import Teaching
    from facekit.training.trunk import Targets


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
    exclude: Path | str | None = None,
    teacher_table: Path | str | None = None,
) -> PretrainResult:
    """Train a backbone on CelebA's 40 attributes and the recipe's other targets.

    Args:
        data: CelebA folder; with ``source="tfds"`` the TFDS data folder.
        source: ``celeba`` or ``tfds``; None takes the recipe's.
        recipe: Name of a shipped recipe or path of a TOML file; a resumed run
            goes on with its own.
        overrides: ``key=value`` texts that change single keys.
        out: Run folder; None makes one under ``runs/``.
        resume: Go on from the run folder's checkpoint.
        epochs: Train this many more epochs, save everything and stop.
        allow_missing: Leave out images that are missing or unreadable.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        teacher_table: Teacher vectors made elsewhere.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    if epochs is not None and epochs < 1:
        raise UsageError(f"--epochs is {epochs}: give 1 or more")
    with occupied(out, recipe, resume) as run:
        changes = [*overrides, *([f"data.source={source}"] if source else [])]
        resolved = resolve_recipe(run, recipe, changes, resume, PretrainRecipe)
        _require(resolved, teacher_table is not None, resume=resume)
        published = resolved.training.epochs == 0  # its identity part is somebody's own
        if not (learns_identity(resolved) or published):  # an untrained one would mislead
            backbone_spec = resolved.backbone.model_copy(update={"identity_size": 0})
            resolved = resolved.model_copy(update={"backbone": backbone_spec})
        bundles = () if published else open_teachers(resolved.distill)
        size = resolved.backbone.identity_size
        chosen = choose_heads(resolved.distill, bundles, ATTRIBUTES, "sigmoid", size)
        folder, listed, taught = (
            None if one is None else Path(one) for one in (data, exclude, teacher_table)
        )
        opened, vectors, backend = _open(resolved, folder, listed, taught, allow_missing)
        targets = _targets(resolved, opened, vectors)
        fed = {**_fed(opened, vectors, backend), "teachers": who_taught(bundles)}
        start_folder(run, resolved, fed, resume=resume)
        done = 0
        if published:
            backbone = build_backbone(resolved.backbone, resolved.frame.side)
            load_weights(backbone, resolved.backbone)
        else:
            teach = teaching(resolved.distill, chosen, resolved.frame.build(), ATTRIBUTES)
            training, backbone, sitting = _train(
                run, resolved, opened, targets, teach, resume, epochs
            )
            if not sitting.finished:
                last = sitting.history[-1] if sitting.history else {}
                return PretrainResult(run, None, last, False)
            training.restore_best()
            done = sitting.epoch
        from facekit.workflows.pretrain.package import Trained, package

        teachers = name_teachers(resolved, teacher_table)
        if bundles:
            teachers["distill"] = "; ".join(who_taught(bundles))
        trained = Trained(backbone, done, backend, teachers, teachers_licences(bundles))
        bundle, metrics = package(run, resolved, trained, opened, targets)
        return PretrainResult(run, bundle, metrics, True)


def _open(
    recipe: PretrainRecipe,
    data: Path | None,
    exclude: Path | None,
    teacher_table: Path | None,
    allow_missing: bool,
) -> tuple[Source, Float32 | None, str]:
    """The images, the teacher's vectors of them, and the backend, which is started."""
    source, splits, frame = recipe.data.source, ("train", "val"), recipe.frame.build()
    table = open_attributes(
        source, data, splits, allow_missing=allow_missing, limit=recipe.data.limit
    )
    gone = listed_attributes(table, data, source, exclude)
    vectors = None if teacher_table is None else read_teacher_table(teacher_table, table.ids)
    opened = crop_source(table, frame, allow_missing=allow_missing, excluded=gone)
    backend = start_training(recipe)
    if identity_spec(recipe) is None:
        vectors = None
    elif vectors is None:  # of all images: lists to leave out share them, like the crops
        vectors = teach_identity(opened, recipe.targets["identity"].views)
    left = without(opened, gone)
    tell_left_out(table.name, len(opened.table), len(opened.table) - len(left.table))
    return left, vectors, backend


def _fed(source: Source, vectors: Float32 | None, backend: str) -> dict[str, Any]:
    """What the run is fed, as facts to compare when it goes on."""
    table = source.table
    named = np.char.encode(table.ids), np.char.encode(table.split)
    return {
        "source": table.name,
        "images": {split: len(source.places(split)) for split in ("train", "val")},
        "labels": hash_arrays(*named, table.labels),
        "crops": source.cache.key,
        "pixels": source.cache.pixels,
        "identity": None if vectors is None else hash_arrays(vectors),
        "backend": backend,
    }


def _require(recipe: PretrainRecipe, has_vectors: bool, *, resume: bool) -> None:
    """Refuse at once what would only show after the images have been read."""
    check_backbone(recipe.backbone)
    require_engine(recipe)
    require_layers(recipe.mix, require_backend())
    if not resume and recipe.backbone.weights != "none":  # a checkpoint has its own
        require_file(recipe.backbone)
        start_training(recipe)
        check_weights(recipe.backbone)
    require_identity(recipe, has_vectors=has_vectors)


def _targets(recipe: PretrainRecipe, source: Source, vectors: Float32 | None) -> Targets:
    """Labels and teacher vectors in the order of the crop cache."""
    from facekit.training.trunk import Targets

    n = len(source.cache.ids)
    attributes = np.full((n, source.table.labels.shape[1]), -1, np.int8)
    attributes[source.rows] = source.table.labels
    if vectors is None:
        return Targets(attributes)
    if vectors.shape[1] != recipe.backbone.identity_size:
        raise RecipeError(
            f"the teacher has {vectors.shape[1]} numbers, backbone.identity_size is "
            f"{recipe.backbone.identity_size}: --set backbone.identity_size={vectors.shape[1]}"
        )
    unit, _ = to_targets(vectors, source.places("train"))
    return Targets(attributes, unit)


def _train(
    run: Path,
    recipe: PretrainRecipe,
    source: Source,
    targets: Targets,
    teach: Teaching | None,
    resume: bool,
    epochs: int | None,
) -> tuple[TrainingRun, Any, Sitting]:
    from facekit.training.batches import Batches
    from facekit.training.journal import Journal
    from facekit.training.trunk import build_trainer, measure_pixel_mean, validate

    backbone = build_backbone(recipe.backbone, recipe.frame.side)
    if not resume:  # the checkpoint has both
        load_weights(backbone, recipe.backbone)
        measure_pixel_mean(backbone, source.cache.crops, source.places("train"))
    batches = Batches(
        source.cache.crops,
        source.places("train"),
        targets,
        recipe.augment,
        recipe.training.batch_size,
        recipe.training.seed,
        Mixer(recipe.mix, recipe.training.seed),
        teach=teach,
    )
    predict, val = predictor(recipe), source.places("val")
    with Journal(run, recipe.training.epochs) as journal:
        training = run_type(recipe)(
            run,
            recipe,
            build_trainer(backbone, recipe, targets),
            batches,
            lambda: validate(training.model, recipe, source.cache.crops, targets, val, predict),
            report=journal.report,
            progress=journal.progress,
        )
        if resume:
            training.resume()
        return training, backbone, training.sit(epochs)
