"""Climb from rung to rung while validation gains more than chance explains."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.evaluation.difference import paired_difference
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import Rung, TransferRecipe
from facekit.report.record import write_json

if TYPE_CHECKING:
    from facekit.workflows.transfer import Sources, TransferResult

__all__ = ["climb"]

#: The rungs in order; training of the later ones is that of these recipes.
_LADDER: Final[tuple[tuple[Rung, str], ...]] = (
    ("frozen", ""),
    ("last", "fer-last-stage"),
    ("full", "fer-full"),
)

Learn = Callable[..., "TransferResult"]


def climb(
    run: Path, recipe: TransferRecipe, source: Sources, learn: Learn, *, resume: bool = False
) -> TransferResult:
    """Train frozen, then last, then full; keep the last rung that paid.

    A rung pays when the 95 % interval of its gain in accuracy over the rung below,
    on the same validation images, lies above zero.

    Args:
        run: Run folder; each rung has a folder of its own in it, ``bundle/`` and the
            report of the rung that was kept are copied up, ``climb.json`` says why.
        recipe: Its rung is ``auto``.
        source: Where the images are.
        learn: ``transfer.learn``.
        resume: Go on: rungs that are finished are not trained again.

    Returns:
        The result of the rung that was kept.

    Raises:
        FacekitError: With one line for the user.
    """
    kept: TransferResult | None = None
    steps: list[dict[str, Any]] = []
    for rung, training in _LADDER:
        folder = run / rung
        result = _result(folder, rung)
        if result is None:
            begun = resume and (folder / "checkpoint.npz").exists()
            result = learn(folder, _on_rung(recipe, rung, training), source, resume=begun)
        step: dict[str, Any] = {"rung": rung, "metrics": result.metrics}
        if kept is not None:
            step |= _gain(folder, run / kept.rung)
        steps.append(step)
        if kept is not None and step["interval"][0] <= 0:
            break
        kept = result
    assert kept is not None  # the ladder has rungs
    for name in ("bundle", "card.md", "report.json", "report.html", "predictions.csv"):
        _copy(run / kept.rung / name, run / name)
    write_json(run / "climb.json", {"kept": kept.rung, "steps": steps})
    return replace(kept, run=run, bundle=run / "bundle")


def _on_rung(recipe: TransferRecipe, rung: Rung, training: str) -> TransferRecipe:
    """The user's data and head on this rung, with the training of its recipe."""
    if not training:
        return recipe.model_copy(update={"rung": rung})
    usual = load_recipe(training, (), TransferRecipe)
    kept = {"name": f"{recipe.name}-{rung}"[:64], "data": recipe.data, "model": recipe.model}
    return usual.model_copy(update=kept)


def _result(folder: Path, rung: str) -> TransferResult | None:
    """A rung that an earlier sitting has finished."""
    if not (folder / "report.json").exists():
        return None
    from facekit.bundle.manifest import read_manifest
    from facekit.workflows.transfer import TransferResult

    metrics = dict(read_manifest(folder / "bundle").metrics)
    return TransferResult(folder, rung, folder / "bundle", metrics, True)


def _gain(new: Path, old: Path) -> dict[str, Any]:
    """How much better the new rung answers the same validation images."""
    labels, first = _read(new / "validation.csv")
    _, second = _read(old / "validation.csv")
    found = paired_difference(labels, first, second)
    return {"gain": found.accuracy, "interval": list(found.accuracy_interval)}


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (n,) and probabilities (n, k) of a predictions file, ordered by id."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    names = [name for name in rows[0] if name not in ("id", "label", "answer")]
    chances = np.array([[float(row[name]) for name in names] for row in rows])
    return np.array([names.index(row["label"]) for row in rows]), chances


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copyfile(source, target)
