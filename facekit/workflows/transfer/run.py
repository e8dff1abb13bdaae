"""Transfer: classes from a folder, a head on the frozen backbone or more, evaluated."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from facekit.bundle.bundle import Bundle
from facekit.datasets.sources import open_classes
from facekit.errors import RecipeError, UsageError
from facekit.recipe.transfer import TransferRecipe
from facekit.report.record import read_history, write_json
from facekit.system.files import write_atomically
from facekit.workflows.evaluate.answers import known_emotions
from facekit.workflows.run_folder import occupied, resolve_recipe, start_folder
from facekit.workflows.transfer.backbone import open_model
from facekit.workflows.transfer.data import ClassData, Sources, facts_of, open_data
from facekit.workflows.transfer.frozen import fit_frozen
from facekit.workflows.transfer.results import Learned, TransferResult, write_results

#: The recipe of each data set and rung; the rung ``scratch`` is that of ``full``
#: without the pretrained weights.
_RECIPES = {
    "frozen": {"fer": "fer-frozen-mlp", "folder": "folder-frozen", "ckplus": "folder-frozen"},
    "last": {"fer": "fer-last-stage"},
    "full": {"fer": "fer-full"},
}


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
    people: Path | str | None = None,
    exclude: Path | str | None = None,
    cross: Path | str | None = None,
    allow_missing: bool = False,
    cache_root: Path | str | None = None,
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
        labels: ``fer`` or ``ferplus``: learned are the shares of the votes (less of
            them with ``data.votes``), measured is the emotion with most. None takes
            the recipe's.
        people: For ``folder``: a csv that says who is in each picture.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        cross: Folder of the recipe's ``data.cross``: another data set that the
            result is tried on.
        allow_missing: Leave out images that cannot be used; of a ``folder`` they
            always are. Standard error says which.
        cache_root: Folder of all caches; None for the one in the user's home.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    for name, given, owner in (("--labels", labels, "fer"), ("--people", people, "folder")):
        if given is not None and dataset != owner:
            raise UsageError(f"{name} goes with {owner}, not with {dataset}")
    if epochs is not None and epochs < 1:
        raise UsageError(f"--epochs is {epochs}: give 1 or more")
    chosen = recipe or recipe_for(dataset, rung)
    with occupied(out, chosen, resume) as run:
        soft = ["data.votes=1.0"] if labels == "ferplus" and not resume else []
        changes = [*soft, *overrides, f"data.source={dataset}"]
        changes += [f"rung={rung}"] if rung else []
        changes += [f"data.labels={labels}"] if labels else []
        resolved = resolve_recipe(run, chosen, changes, resume, TransferRecipe)
        paths = (None if one is None else Path(one) for one in (people, exclude, cross, cache_root))
        people, exclude, cross, cache_root = paths
        source = Sources(data, people, exclude, cross, allow_missing, cache_root)
        if resolved.rung != "auto":
            return learn(run, resolved, source, resume=resume, epochs=epochs)
        from facekit.workflows.transfer.climb import climb

        if epochs is not None:
            raise UsageError("--epochs counts those of one rung: leave it out with --rung auto")
        return climb(run, resolved, source, learn, overrides=changes, resume=resume)


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
    _require_cross(recipe.data.cross, source.cross, recipe.data.cross_sample)
    trains = recipe.rung != "frozen"
    if trains:
        from facekit.workflows.transfer.tune import require_training

        require_training(recipe, resume=resume)
    elif resume or epochs is not None:
        raise RecipeError("a frozen head takes seconds: leave --resume and --epochs out")
    bundle = open_model(recipe, source.cache_root)
    quick = not (trains or climbs) and recipe.head.kind == "linear"
    data = open_data(recipe, source, bundle, cross_validated=quick)
    _require_shared(recipe.data.cross, data.names)
    if trains or bundle is None:
        start_folder(run, recipe, facts_of(data), resume=resume)
        tuned = _fine_tuned(run, recipe, bundle, data, resume, epochs)
        if tuned is None:
            last = (read_history(run / "metrics.jsonl") or [{}])[-1]
            return TransferResult(run, recipe.rung, None, last, False)
        learned = tuned
    else:
        learned = _frozen(run, recipe, bundle, data, source.cache_root)
    folder, metrics = write_results(run, recipe, learned, data)
    shutil.rmtree(run / "backbone", ignore_errors=True)  # a tuned one: it is in the bundle now
    if recipe.data.cross:
        metrics = metrics | _try_on(run, recipe, folder, source)
    return TransferResult(run, recipe.rung, folder, metrics, True)


def _require_cross(name: str, folder: Path | None, sample: int) -> None:
    """Refuse at once what would only show when the result is tried on other data."""
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
    if name:
        with redirect_stderr(io.StringIO()):  # what is odd about it is told when it is measured
            open_classes(name, folder, splits=("test",))


def _require_shared(cross: str, names: tuple[str, ...]) -> None:
    """Refuse before training that the result cannot be tried on the other data."""
    if cross and len(known_emotions(names)) < 2:
        raise UsageError(
            f"the recipe tries the result on {cross}, which has emotions, and the classes are "
            f"{', '.join(names[:8])}: --set data.cross=''"
        )


def _try_on(
    run: Path, recipe: TransferRecipe, bundle: Path, source: Sources
) -> dict[str, float | None]:
    """Measure the result on another data set, and add that to the report."""
    from facekit.workflows.evaluate.run import evaluate_classes

    root = source.cache_root
    name, size = recipe.data.cross, recipe.data.cross_sample
    given: dict[str, Any] = {"model": bundle, "cache_root": root}
    given["allow_missing"] = source.allow_missing
    records = {"cross": evaluate_classes(name, source.cross, **given)}
    if size:
        with redirect_stderr(io.StringIO()):  # it has all been told
            records["cross_sample"] = evaluate_classes(name, source.cross, sample=size, **given)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    write_json(run / "report.json", {**report, **records})
    return {f"{name}_{key}": value for key, value in records["cross"]["metrics"].items()}


def _frozen(
    run: Path, recipe: TransferRecipe, bundle: Bundle, data: ClassData, root: Path | None
) -> Learned:
    """Fit first, then make the folder: what cannot be fitted leaves nothing behind."""
    rows: list[dict[str, Any]] = []
    learned = fit_frozen(bundle, data, recipe, cache_root=root, report=rows.append)
    start_folder(run, recipe, facts_of(data), resume=False)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomically(run / "metrics.jsonl", lines)
    return learned


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
    from facekit.workflows.transfer.tune import export_tuned, finetune

    start_keras(seed=recipe.training.seed, precision=recipe.training.precision)
    tuned = finetune(run, recipe, bundle, data, resume=resume, epochs=epochs)
    if not tuned.sitting.finished:
        return None
    return export_tuned(run, recipe, tuned, data, bundle)
