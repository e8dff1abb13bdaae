"""Transfer: classes from a folder, a head on the frozen backbone or more, evaluated."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facekit.bundle.bundle import Bundle
from facekit.bundle.zoo import load_bundle
from facekit.errors import RecipeError
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.class_data import ClassData, crop_classes
from facekit.workflows.class_results import write_results
from facekit.workflows.class_sources import open_classes
from facekit.workflows.learned import Learned
from facekit.workflows.run_folder import (
    choose_folder,
    hash_arrays,
    resolve_recipe,
    start_folder,
)

__all__ = ["TransferResult", "transfer"]

#: The recipe of each data set and rung; the rung ``scratch`` is that of ``full``
#: without the pretrained weights.
_RECIPES = {
    "frozen": {"fer": "fer-frozen-mlp", "folder": "folder-frozen", "ckplus": "ckplus-frozen"},
    "last": {"fer": "fer-last-stage"},
    "full": {"fer": "fer-full"},
}


@dataclass(frozen=True)
class TransferResult:
    """What a sitting left behind.

    Attributes:
        run: The run folder.
        rung: Which rung was trained; for ``auto`` the one that was kept.
        bundle: The bundle in it, None while the run is not finished.
        metrics: The last epoch's row, or the measures of the finished run.
        finished: Whether training reached its end.
    """

    run: Path
    rung: str
    bundle: Path | None
    metrics: dict[str, Any]
    finished: bool


def transfer(
    dataset: str = "fer",
    data: Path | str | None = None,
    *,
    rung: str | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    resume: bool = False,
    epochs: int | None = None,
    labels: str | None = None,
    people: Path | None = None,
    exclude: Path | None = None,
    allow_missing: bool = False,
    cache_root: Path | None = None,
) -> TransferResult:
    """Learn classes on the shared backbone; the same as ``facekit transfer``.

    Args:
        dataset: ``fer``, ``folder``, ``ckplus`` or ``tfrecord``.
        data: Its folder or file.
        rung: ``frozen``, ``last``, ``full``, ``scratch`` or ``auto``; None takes
            the recipe's.
        recipe: Name of a shipped recipe or path of a TOML file; None takes the one
            for data set and rung. A resumed run goes on with its own.
        overrides: ``key=value`` texts that change single keys.
        out: Run folder; None makes one under ``runs/``.
        resume: Go on from the run folder's checkpoint.
        epochs: Train this many more epochs of a fine-tuning, save and stop.
        labels: ``fer`` or ``ferplus``; None takes the recipe's.
        people: For ``folder``: a csv that says who is in each picture.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        allow_missing: Leave out images that cannot be used.
        cache_root: Folder of all caches; None for the one in the user's home.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    chosen = recipe or recipe_for(dataset, rung)
    run = choose_folder(out, chosen, resume)
    changes = [*overrides, f"data.source={dataset}"]
    changes += [f"rung={rung}"] if rung else []
    changes += [f"data.labels={labels}"] if labels else []
    resolved = resolve_recipe(run, chosen, changes, resume, TransferRecipe)
    source = Sources(data, people, exclude, allow_missing, cache_root)
    if resolved.rung == "auto":
        from facekit.workflows.climb import climb

        return climb(run, resolved, source, learn, resume=resume)
    return learn(run, resolved, source, resume=resume, epochs=epochs)


@dataclass(frozen=True)
class Sources:
    """Where the images are, as the user gave it."""

    data: Path | str | None
    people: Path | None = None
    exclude: Path | None = None
    allow_missing: bool = False
    cache_root: Path | None = None


def recipe_for(dataset: str, rung: str | None) -> str:
    """The shipped recipe for a data set and a rung."""
    family = _RECIPES["full" if rung == "scratch" else rung if rung in _RECIPES else "frozen"]
    return family.get(dataset, family["fer"])


def learn(
    run: Path,
    recipe: TransferRecipe,
    source: Sources,
    *,
    resume: bool = False,
    epochs: int | None = None,
) -> TransferResult:
    """One rung, from the images to the report.

    Args:
        run: Run folder, which may not exist yet.
        recipe: Its rung is not ``auto``.
        source: Where the images are.
        resume: Go on from the checkpoint.
        epochs: As for ``transfer``.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    trains = recipe.rung != "frozen"
    if trains:
        from facekit.training.backend import require_backend

        require_backend()
    elif resume or epochs is not None:
        raise RecipeError("a frozen head takes seconds: leave --resume and --epochs out")
    bundle = None if recipe.rung == "scratch" else load_bundle(recipe.model)
    data = open_data(recipe, source, bundle)
    start_folder(run, recipe, _fed(recipe, data), resume=resume)
    learned = _fine_tuned(run, recipe, bundle, data, resume, epochs) if trains else None
    if trains and learned is None:
        from facekit.report.record import read_history

        last = (read_history(run / "metrics.jsonl") or [{}])[-1]
        return TransferResult(run, recipe.rung, None, last, False)
    if learned is None:
        learned = _frozen(run, recipe, bundle, data, source.cache_root)
    folder, metrics = write_results(run, recipe, learned, data)
    return TransferResult(run, recipe.rung, folder, metrics, True)


def open_data(recipe: TransferRecipe, source: Sources, bundle: Bundle | None) -> ClassData:
    """Read, crop and split the images of a recipe."""
    table = open_classes(
        recipe.data.source,
        None if source.data is None else Path(source.data),
        labels=recipe.data.labels,
        votes=recipe.data.votes > 0,
        people=source.people,
        exclude=source.exclude,
        limit=recipe.data.limit,
        aligned=recipe.data.aligned or None,
        first_label=recipe.data.first_label,
        image_key=recipe.data.image_key,
        label_key=recipe.data.label_key,
    )
    return crop_classes(
        table,
        recipe.frame.build() if bundle is None else bundle.frame,
        recipe.data,
        bundle=bundle,
        seed=recipe.training.seed,
        allow_missing=source.allow_missing,
        cache_root=source.cache_root,
    )


def _fed(recipe: TransferRecipe, data: ClassData) -> dict[str, Any]:
    """What the run is fed, as facts to compare when it goes on."""
    return {
        "source": data.source.table.name,
        "images": {"train": len(data.train), "val": len(data.val), "test": len(data.test)},
        "labels": hash_arrays(data.train, data.val, data.labels, data.shares),
        "crops": data.source.cache.key,
        "backend": os.environ.get("KERAS_BACKEND") or "tensorflow",
    }


def _frozen(
    run: Path, recipe: TransferRecipe, bundle: Bundle | None, data: ClassData, root: Path | None
) -> Learned:
    from facekit.workflows.frozen import fit_frozen

    assert bundle is not None  # only scratch has none

    def add(row: dict[str, Any]) -> None:
        with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    return fit_frozen(bundle, data, recipe, cache_root=root, report=add)


def _fine_tuned(
    run: Path,
    recipe: TransferRecipe,
    bundle: Bundle | None,
    data: ClassData,
    resume: bool,
    epochs: int | None,
) -> Learned | None:
    """The finished network, None while epochs are left."""
    from facekit.training.backend import start_keras
    from facekit.workflows.finetune import export_tuned, finetune

    start_keras(seed=recipe.training.seed, precision=recipe.training.precision)
    tuned = finetune(run, recipe, bundle, data, resume=resume, epochs=epochs)
    if not tuned.sitting.finished:
        return None
    return export_tuned(run, recipe, tuned, data)
