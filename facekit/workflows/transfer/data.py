"""Classes to learn: crops, labels, targets and the split, ready for any rung."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, Float64, Int64, UInt8
from facekit.bundle.bundle import Bundle
from facekit.datasets.registry import find_source
from facekit.datasets.sources import open_classes
from facekit.datasets.splits import hold_out, joined_groups
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.recipe.transfer import TransferDataSpec, TransferRecipe
from facekit.system.terminal import tell
from facekit.workflows.run_folder import hash_arrays
from facekit.workflows.sources import (
    Source,
    copy_groups,
    crop_source,
    listed_ids,
    tell_conflicts,
    tell_left_out,
)

#: Training images below which a tenth of them says too little: cross-validation.
SMALL: Final = 1000
#: Validation images below which that is told: of 30, two thirds right are 47 to 83 %.
_FEW: Final = 30


@dataclass(frozen=True)
class ClassData:
    """Everything by row of the crop cache.

    Attributes:
        source: Table and crops.
        labels: int64 array of shape (m,); -1 where unknown.
        shares: float32 array of shape (m, k): what is learned; rows sum to 1, or
            to 0 where the row teaches nothing.
        train: int64 array: rows to learn from.
        val: int64 array: rows to choose by; empty where the data is so small that
            it is cross-validated.
        test: int64 array: rows to measure on once, at the end.
        groups: int64 array of shape (m,): rows that belong together (a person's,
            near duplicates); -1 where there is no crop.
    """

    source: Source
    labels: Int64
    shares: Float32
    train: Int64
    val: Int64
    test: Int64
    groups: Int64

    @property
    def crops(self) -> UInt8:
        """uint8 RGB crops of shape (m, side, side, 3)."""
        return self.source.cache.crops

    @property
    def names(self) -> tuple[str, ...]:
        """The k classes."""
        return self.source.table.label_names


def crop_classes(
    table: Table,
    frame: FaceFrame,
    spec: TransferDataSpec,
    *,
    bundle: Bundle | None = None,
    seed: int = 0,
    excluded: frozenset[str] = frozenset(),
    cross_validated: bool = True,
    allow_missing: bool = False,
) -> ClassData:
    """Crop a table of classes and say which rows are learned from and chosen by.

    Args:
        table: Labels of shape (n,); with ``soft`` where votes are wanted.
        frame: The backbone's face frame.
        spec: The recipe's ``data``: validation and votes.
        bundle: Refines faces that are found by their box alone; may be None.
        seed: Of the rows that are held out.
        excluded: Ids that are cropped, so that every list shares one cache, but
            neither learned from nor measured on.
        cross_validated: Whether few training images may stay without validation
            rows; False holds some out of any number.
        allow_missing: Leave out images that cannot be used.

    Returns:
        The classes by row of the crop cache.

    Raises:
        DataError: Nothing can be learned or measured, or images cannot be read.
    """
    source = crop_source(
        table, frame, allow_missing=allow_missing, excluded=excluded, bundle=bundle
    )
    if excluded:
        kept = ~np.isin(source.table.ids, list(excluded))
        labels = np.where(kept, source.table.labels, -1).astype(np.int64)
        source = replace(source, table=replace(source.table, labels=labels))
    _require_classes(table, source, spec)
    table, groups = _split(source, spec, seed, cross_validated)
    source = replace(source, table=table)
    m, k = len(source.cache.ids), len(table.label_names)
    labels, group_of = np.full(m, -1, np.int64), np.full(m, -1, np.int64)
    labels[source.rows], group_of[source.rows] = table.labels, groups
    rows = {split: _known(source, labels, split) for split in ("train", "val", "test")}
    if not cross_validated and not len(rows["val"]):
        raise DataError(f"{table.name} has too few images to hold any out: add some, or a val/")
    if 0 < len(rows["val"]) < _FEW:
        tell(f"{table.name}: {len(rows['val'])} images alone validate: the numbers say little")
    shares = _shares(source, labels, k, spec.votes)
    return ClassData(source, labels, shares, rows["train"], rows["val"], rows["test"], group_of)


def _require_classes(table: Table, source: Source, spec: TransferDataSpec) -> None:
    """Refuse what teaches fewer than two classes, loses one or is measured on one untaught."""
    listed = np.unique(table.labels[(table.split == "train") & (table.labels >= 0)])
    if len(listed) < 2:
        raise DataError(
            f"{table.name} has training images of {len(listed)} class(es): two are needed at least"
        )
    taught = np.isin(table.split, ["train", "val"] if spec.validation == "holdout" else ["train"])
    for label in np.setdiff1d(table.labels[~taught & (table.labels >= 0)], table.labels[taught]):
        ids = table.ids[table.labels == label]
        raise DataError(
            f"class {table.label_names[label]!r} has {len(ids):,} images to measure on "
            f"({ids[0]}) and none to learn from: add training images, or take the class out"
        )
    untaught = np.setdiff1d(np.arange(len(table.label_names)), table.labels[taught])
    if len(untaught):
        names = ", ".join(table.label_names[label] for label in untaught)
        tell(f"{table.name} has no training image of {names}: a possible answer, never taught")
    usable = source.table.labels[source.table.split == "train"]
    for label in np.setdiff1d(listed, usable).tolist():
        ids = table.ids[(table.split == "train") & (table.labels == label)].tolist()
        why = source.cache.errors.get(ids[0], "is on the list to leave out")
        raise DataError(
            f"none of the {len(ids):,} training images of class {table.label_names[label]!r} "
            f"is left ({ids[0]}: {why}): add others, or remove the class"
        )


def _shares(source: Source, labels: Int64, k: int, votes: float) -> Float32:
    shares = np.zeros((len(labels), k), np.float32)
    shares[labels >= 0] = np.eye(k, dtype=np.float32)[labels[labels >= 0]]
    if votes and source.table.soft is not None:
        soft = np.zeros_like(shares)
        soft[source.rows] = source.table.soft
        voted = (soft.sum(1) > 0) & (labels >= 0)
        shares[voted] = (1 - votes) * shares[voted] + votes * soft[voted]
    return shares


def _split(
    source: Source, spec: TransferDataSpec, seed: int, cross_validated: bool
) -> tuple[Table, Int64]:
    """The table with a validation split, and what belongs together in it."""
    table = source.table
    known = table.labels >= 0
    given = spec.validation == "auto" and (known & (table.split == "val")).any()
    if spec.validation == "test" or given:
        tell_conflicts(source)  # changed copies are looked for among the held rows alone
    if spec.validation == "test":
        if not (known & (table.split == "test")).any():
            raise DataError(f"data.validation is 'test', and {table.name} has no test images")
        split = np.where(table.split == "test", "val", table.split)
        return replace(table, split=split), joined_groups(table, copy_groups(source, held=True))
    if spec.validation == "holdout":
        table = replace(table, split=np.where(table.split == "val", "train", table.split))
    elif given:
        return table, joined_groups(table, copy_groups(source, held=True))
    copies = copy_groups(source)
    tell_conflicts(source, copies)
    groups = joined_groups(table, copies)
    few = (known & (table.split == "train")).sum() < SMALL
    if few and cross_validated and spec.validation == "auto":
        return table, groups
    return hold_out(table, spec.holdout, seed=seed, groups=copies), groups


def class_weights(labels: Int64, classes: int) -> Float64:
    """Weights that make every class count the same, 1 on average over the rows.

    Args:
        labels: int array of shape (n,) in [0, classes).
        classes: k.

    Returns:
        float64 array of shape (k,); 0 for a class without rows.
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    shown = counts > 0
    out = np.zeros(classes)
    out[shown] = len(labels) / (shown.sum() * counts[shown])
    return out


def prior_shift(data: ClassData, strength: float) -> Float32:
    """What is added to logits so that a class is not answered for being common.

    Logit adjustment: Menon et al., "Long-tail learning via logit adjustment", 2021.

    Args:
        data: The classes; how common each is, its training rows say.
        strength: In [0, 1]: 0 keeps the shares of the training data, 1 takes all
            classes as equally likely.

    Returns:
        float32 array of shape (k,), 0 on average.
    """
    counts = np.bincount(data.labels[data.train], minlength=len(data.names)) + 1.0
    shift = -strength * np.log(counts)
    centred: Float32 = (shift - shift.mean()).astype(np.float32)
    return centred


def row_weights(data: ClassData, balance: str) -> ClassData:
    """Targets weighted so that rare classes count as much as common ones.

    Args:
        data: The classes.
        balance: ``weights`` scales the targets; anything else leaves them.

    Returns:
        The classes, their training rows' shares scaled.
    """
    if balance != "weights":
        return data
    weights = class_weights(data.labels[data.train], len(data.names))
    shares = data.shares.copy()
    shares[data.train] *= weights[data.labels[data.train]].astype(np.float32)[:, None]
    return replace(data, shares=shares)


def _known(source: Source, labels: Int64, split: str) -> Int64:
    rows: Int64 = source.rows[source.table.split == split]
    return rows[labels[rows] >= 0]


# Where the images of a transfer come from, and what is told of them.


@dataclass(frozen=True)
class Sources:
    """Where the images are, as the user gave it."""

    data: Path | str | None
    people: Path | None = None
    exclude: Path | None = None
    cross: Path | None = None
    allow_missing: bool = False


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
    entry = find_source(spec.source, "classes")
    if entry.teaches:  # read as a test of heads from elsewhere
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
        allow_missing=source.allow_missing or entry.lenient,
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
