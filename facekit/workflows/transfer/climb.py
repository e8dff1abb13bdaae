"""Climb from rung to rung while validation gains more than chance explains."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facekit.arrays import Float64, Int64, Str
from facekit.errors import FacekitError, InterruptedRunError
from facekit.evaluation.intervals import paired_difference
from facekit.recipe.load import load_recipe, to_toml
from facekit.recipe.transfer import Rung, TransferRecipe
from facekit.report.record import write_json
from facekit.system.files import draft_folder, write_atomically
from facekit.workflows.transfer.results import PREDICTION_COLUMNS, TransferResult
from facekit.workflows.transfer.rung import train_rung

if TYPE_CHECKING:
    from facekit.workflows.transfer.data import Sources


#: Whose training a rung takes; the user's recipe is for the first one, the frozen.
_TRAINING: Final[dict[Rung, str]] = {"last": "fer-last-stage", "full": "fer-full"}
#: Keys that every rung has of its own.
_OWN: Final = ("rung", "name")
#: What is copied up from the rung that is kept.
_RESULTS: Final = ("bundle", "card.md", "predictions.csv", "report.json", "report.html")


def climb(
    run: Path,
    recipe: TransferRecipe,
    source: Sources,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
) -> TransferResult:
    """Train frozen, then last, then full; keep the last rung that paid.

    A rung pays when the 95 % interval of its gain in accuracy over the rung below,
    on the same validation images, lies above zero.

    Args:
        run: Run folder; each rung has a folder of its own in it, ``bundle/`` and the
            report of the rung that was kept are copied up, ``climb.json`` says why.
        recipe: Its rung is ``auto``. The higher rungs take its data, model and seed,
            and the training of ``fer-last-stage`` and ``fer-full``.
        source: Where the images are.
        overrides: ``key=value`` texts that change single keys on every rung.
        resume: Go on: rungs that are finished are not trained again.

    Returns:
        The result of the rung that was kept.

    Raises:
        FacekitError: With one line for the user.
    """
    recipes = _recipes(run, recipe, overrides, resume)
    kept: TransferResult | None = None
    steps: list[dict[str, Any]] = []
    why = "every rung paid"
    with _written(run, recipe, recipes):
        for rung, tried in recipes.items():
            folder = run / rung
            result = _finished(folder, rung)
            if result is None:
                begun = resume and (folder / "checkpoint.npz").exists()
                result = train_rung(folder, tried, source, resume=begun, climbs=True)
            steps.append({"rung": rung, "metrics": result.metrics})
            if kept is not None:
                steps[-1] |= _gain(folder, run / kept.rung)
                if not steps[-1]["paid"]:
                    why = f"what {rung} gains over {kept.rung} may be chance"
                    break
            kept = result
    assert kept is not None  # the ladder has rungs
    for name in _RESULTS:
        _copy(run / kept.rung / name, run / name)
    write_json(run / "climb.json", {"kept": kept.rung, "why": why, "steps": steps})
    return replace(kept, run=run, bundle=run / "bundle")


def _recipes(
    run: Path, recipe: TransferRecipe, overrides: Sequence[str], resume: bool
) -> dict[Rung, TransferRecipe]:
    """The user's data on every rung, with the training of that rung's recipe."""
    found: dict[Rung, TransferRecipe] = {"frozen": recipe.model_copy(update={"rung": "frozen"})}
    changes = [text for text in overrides if text.partition("=")[0].strip() not in _OWN]
    for rung, usual in _TRAINING.items():
        saved = run / _file(rung)
        made = load_recipe(saved if resume and saved.exists() else usual, changes, TransferRecipe)
        # The seed says which images are held out: every rung is tried on the same ones.
        training = made.training.model_copy(update={"seed": recipe.training.seed})
        kept = {"name": f"{recipe.name}-{rung}"[:64], "data": recipe.data, "model": recipe.model}
        found[rung] = made.model_copy(update={**kept, "rung": rung, "training": training})
    return found


def _file(rung: Rung) -> str:
    return f"recipe-{rung}.toml"


@contextmanager
def _written(
    run: Path, recipe: TransferRecipe, recipes: dict[Rung, TransferRecipe]
) -> Iterator[None]:
    """Write what ``--resume`` goes on with; what is refused at once leaves nothing behind."""
    there = run.exists()
    run.mkdir(parents=True, exist_ok=True)
    files = {"recipe.toml": recipe} | {_file(rung): recipes[rung] for rung in _TRAINING}
    for name, one in files.items():
        write_atomically(run / name, to_toml(one))
    try:
        yield
    except FacekitError:
        if not (run / "frozen").exists():
            for name in files:
                (run / name).unlink()
            if not there:
                run.rmdir()
        raise


def _finished(folder: Path, rung: Rung) -> TransferResult | None:
    """A rung that an earlier sitting has finished: the page is written last."""
    if not (folder / "report.html").exists():
        return None
    from facekit.bundle.manifest import read_manifest

    metrics = dict(read_manifest(folder / "bundle").metrics)
    return TransferResult(folder, rung, folder / "bundle", metrics, True)


def _gain(new: Path, old: Path) -> dict[str, Any]:
    """How much better the new rung answers the same validation images."""
    (ids, labels, groups, first), (others, *_, second) = _read(new), _read(old)
    if ids != others:
        raise InterruptedRunError(
            f"{new} and {old} were validated on other images: start a new run with another --out"
        )
    found = paired_difference(labels, first, second, groups=groups)
    low, high = found.accuracy_interval
    # Centring moves an interval that ends at 0 by a trifle: half an image is no gain yet.
    paid = low > 0.5 / len(labels)
    return {"gain": found.accuracy, "interval": [low, high], "paid": paid}


def _read(folder: Path) -> tuple[list[str], Int64, Str, Float64]:
    """Ids, labels (n,), groups (n,) and probabilities (n, k) on validation, ordered by id."""
    with (folder / "validation.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    rows.sort()
    first = len(PREDICTION_COLUMNS)
    label, group = (PREDICTION_COLUMNS.index(name) for name in ("label", "group"))
    names = header[first:]
    labels = np.array([names.index(row[label]) for row in rows])
    chances = np.array([[float(text) for text in row[first:]] for row in rows])
    return [row[0] for row in rows], labels, np.array([row[group] for row in rows]), chances


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, which appears whole."""
    if source.is_file():
        write_atomically(target, source.read_bytes())
    elif source.is_dir():
        with draft_folder(target) as draft:
            shutil.copytree(source, draft, dirs_exist_ok=True)
