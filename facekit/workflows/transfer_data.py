"""Where the images of a transfer come from, and what is told of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.class_data import ClassData, crop_classes
from facekit.workflows.class_sources import open_classes
from facekit.workflows.exclusion import listed_ids, tell_left_out
from facekit.workflows.run_folder import hash_arrays

__all__ = ["Sources", "facts_of", "open_data"]


@dataclass(frozen=True)
class Sources:
    """Where the images are, as the user gave it."""

    data: Path | str | None
    people: Path | None = None
    exclude: Path | None = None
    cross: Path | None = None
    allow_missing: bool = False
    cache_root: Path | None = None


def open_data(
    recipe: TransferRecipe, source: Sources, bundle: Bundle | None, *, cross_validated: bool
) -> ClassData:
    """Read, crop and split the images of a recipe.

    Images of a folder that cannot be used are left out: in somebody's own pictures
    some always show no face. Other sources are complete, or something is wrong.

    Args:
        recipe: Its ``data``; its ``frame`` where there is no bundle.
        source: Where the images are.
        bundle: Whose frame they are cropped in; None for the recipe's.
        cross_validated: As for ``crop_classes``.

    Returns:
        The classes.

    Raises:
        FacekitError: The images cannot be used.
    """
    spec = recipe.data
    table = open_classes(
        spec.source,
        None if source.data is None else Path(source.data),
        labels=spec.labels,
        votes=spec.votes > 0,
        people=source.people,
        limit=spec.limit,
        aligned=spec.aligned or None,
        first_label=spec.first_label,
        classes=spec.classes,
        image_key=spec.image_key,
        label_key=spec.label_key,
    )
    if spec.source == "ckplus":  # read as a test of heads from elsewhere: here it teaches
        table = replace(table, split=np.full(len(table), "train", "<U5"))
    gone = frozenset[str]() if source.exclude is None else listed_ids(table, source.exclude)
    data = crop_classes(
        table,
        recipe.frame.build() if bundle is None else bundle.frame,
        spec,
        bundle=bundle,
        seed=recipe.training.seed,
        excluded=gone,
        cross_validated=cross_validated,
        allow_missing=source.allow_missing or spec.source == "folder",
        cache_root=source.cache_root,
    )
    there = data.source.table
    excluded = len(gone.intersection(there.ids.tolist()))
    unlabelled = int((there.labels < 0).sum()) - excluded  # what is listed has lost its label
    tell_left_out(there.name, len(there), excluded, unlabelled)
    return data


def facts_of(data: ClassData) -> dict[str, Any]:
    """What a run is fed, as facts to compare when it goes on."""
    return {
        "source": data.source.table.name,
        "images": {"train": len(data.train), "val": len(data.val), "test": len(data.test)},
        "labels": hash_arrays(data.train, data.val, data.labels, data.shares),
        "crops": data.source.cache.key,
        "pixels": data.source.cache.pixels,
        "backend": os.environ.get("KERAS_BACKEND") or "tensorflow",
    }
