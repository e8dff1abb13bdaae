"""The frozen rung: features from the store, a head on them, calibrated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facekit.arrays import Float32
from facekit.bundle.bundle import Bundle
from facekit.errors import RecipeError
from facekit.heads.head import Head
from facekit.heads.kinds import calibrate_head
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer.data import ClassData
from facekit.workflows.transfer.fits import HEAD_FITS, mean_logits
from facekit.workflows.transfer.inputs import HeadInputs, read_inputs
from facekit.workflows.transfer.results import Learned


def fit_frozen(
    bundle: Bundle,
    data: ClassData,
    recipe: TransferRecipe,
    *,
    cache_root: Path | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Learned:
    """Fit the recipe's head on the frozen backbone.

    Args:
        bundle: Whose backbone is read.
        data: The classes; without validation rows the head is cross-validated, and
            its ``logits`` have ``cv`` in place of ``val``.
        recipe: Its ``features`` and ``head``.
        cache_root: Folder of all caches; None for the one in the user's home.
        report: Called with every row of the history.

    Returns:
        The head, calibrated on rows that it has not learned from.

    Raises:
        RecipeError: The backbone has none of the recipe's parts, or an MLP is
            wanted of data that is cross-validated.
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
    inputs = read_inputs(bundle, data, recipe, cache_root)
    if small and kind.cross_fit is not None:
        head, out = kind.cross_fit(inputs, recipe, report)
        calibrated = calibrate_head(head, out, inputs.labels)
        return _learned(bundle, calibrated, recipe, begun, {"cv": out}, inputs)
    chosen = kind.fit(inputs, recipe, report)
    seen = mean_logits(chosen, inputs.seen)
    calibrated = calibrate_head(chosen, seen, inputs.answers)
    return _learned(bundle, calibrated, recipe, begun, {"val": seen}, inputs)


def _learned(
    bundle: Bundle,
    head: Head,
    recipe: TransferRecipe,
    begun: float,
    logits: dict[str, Float32],
    inputs: HeadInputs,
) -> Learned:
    seconds = time.perf_counter() - begun
    if inputs.tested:
        logits = {**logits, "test": mean_logits(head, inputs.tested)}
    return Learned(bundle, head, recipe.model, seconds, head.parameters, logits)
