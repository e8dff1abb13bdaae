"""Scores for an audit: what a quick head makes of pictures it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, Int64
from facekit.bundle.bundle import Bundle
from facekit.cache.features import FeatureStore
from facekit.datasets.splits import joined_groups
from facekit.evaluation.intervals import wilson
from facekit.evaluation.mistakes import FOLDS, fold_numbers
from facekit.heads.head import activate
from facekit.heads.logistic import fit_logistic, standardise
from facekit.photos.copies import ORDER, overlaps
from facekit.system.home import cache_folder
from facekit.system.terminal import progress_bar
from facekit.workflows.sources import Source

#: Small parts, so that FER-2013 takes seconds; the grids gained one point there.
_PARTS: Final = ("pooled", "identity")
#: Strength of the penalty for each picture: 300 for FER-2013.
_L2: Final = 0.01
#: Fewer pictures of known label tell nothing.
_FEWEST: Final = 20


@dataclass(frozen=True)
class ProbeRow:
    """Accuracy on some pictures of a split.

    Attributes:
        split: Which split.
        pictures: "all", "no exact copy", "no copy" (of a picture that an earlier
            split has) or "copies".
        n: How many.
        accuracy: In [0, 1]; NaN for none.
        interval: Its 95 % interval.
        unseen: The accuracy of a head fitted without the training pictures that a
            later split has: the difference is what it remembered.
    """

    split: str
    pictures: str
    n: int
    accuracy: float
    interval: tuple[float, float]
    unseen: float


def read_embedding(bundle: Bundle, source: Source) -> Float32:
    """Standardised features of every row of the source, from the feature store.

    Returns:
        float32 array of shape (n, d).
    """
    parts: list[str] = [part for part in _PARTS if part in bundle.parts] or list(bundle.parts)
    store = FeatureStore(cache_folder() / "features")
    with progress_bar("features", len(source.rows)) as tick:
        found = store.features(source.cache, source.rows, bundle, parts=parts, progress=tick)
    x: Float32 = found.matrix(dtype=np.float32)
    mean, scale = standardise(x)
    x -= mean
    x /= scale
    return x


def cross_scores(x: Float32, source: Source, groups: Int64) -> Float32 | None:
    """Score every picture by a linear head that was fitted without it.

    Neither copies of a picture nor pictures of one person are on both sides.

    Args:
        x: float32 array of shape (n, d), standardised.
        source: Its table has the labels.
        groups: int64 array of shape (n,): copies of one picture.

    Returns:
        float32 probabilities of shape (n, k); None where too few labels are known.
    """
    table = source.table
    labels = np.asarray(table.labels, np.int64)
    dealt = labels if labels.ndim == 1 else np.zeros(len(labels), np.int64)
    folds = fold_numbers(dealt, joined_groups(table, groups))
    known = labels >= 0 if labels.ndim == 1 else (labels >= 0).any(1)
    if known.sum() < _FEWEST or len(np.unique(folds[known])) < FOLDS:
        return None
    scores = np.zeros((len(labels), len(table.label_names)), np.float32)
    with progress_bar("cross-validation", FOLDS) as tick:
        for fold in range(FOLDS):  # each from scratch: a start would have seen this fold
            fitted = _fit(x, labels, (folds != fold) & known, scores.shape[1])
            scores[folds == fold] = _scores(x[folds == fold], fitted, labels.ndim)
            tick(fold + 1, FOLDS)
    return scores


def probe_splits(x: Float32, source: Source, exact: Int64, near: Int64) -> list[ProbeRow]:
    """What copies are worth: fit on train, measure the later splits with and without.

    Args:
        x: As for ``cross_scores``.
        source: Its table has one label a row.
        exact: int64 array of shape (n,), from ``exact_groups``.
        near: The same from ``near_copies``.

    Returns:
        Four rows for each of val and test; none where there is nothing to fit or
        to measure, or where rows have several labels.
    """
    table = source.table
    labels = np.asarray(table.labels, np.int64)
    if labels.ndim != 1:
        return []
    train = (table.split == "train") & (labels >= 0)
    apart = train & (overlaps(near, table.split, order=ORDER[::-1]) < 0)
    later = [s for s in ("val", "test") if ((table.split == s) & (labels >= 0)).any()]
    if not later or len(np.unique(labels[apart])) < 2:
        return []
    k = len(table.label_names)
    right, unseen = (
        _scores(x, _fit(x, labels, rows, k), 1).argmax(1) == labels for rows in (train, apart)
    )
    same, like = (overlaps(groups, table.split) >= 0 for groups in (exact, near))
    chosen = {"all": like | ~like, "no exact copy": ~same, "no copy": ~like, "copies": like}
    return [
        _probe(split, name, mask & (table.split == split) & (labels >= 0), right, unseen)
        for split in later
        for name, mask in chosen.items()
    ]


def _probe(split: str, pictures: str, rows: Bool, right: Bool, unseen: Bool) -> ProbeRow:
    n, hits = int(rows.sum()), int((right & rows).sum())
    share, other = (float(answers[rows].mean()) if n else np.nan for answers in (right, unseen))
    return ProbeRow(split, pictures, n, share, wilson(hits, n), other)


def _fit(x: Float32, labels: AnyArray, rows: Bool, k: int) -> tuple[Float32, Float32]:
    classes = k if labels.ndim == 1 else None
    strength = _L2 * float(rows.sum())
    # More steps move the accuracy on FER-2013 by 0.1 points.
    return fit_logistic(
        x[rows], labels[rows], l2=strength, classes=classes, max_iter=50, tolerance=1e-3
    )


def _scores(x: Float32, fitted: tuple[Float32, Float32], axes: int) -> Float32:
    logits: Float32 = x @ fitted[0] + fitted[1]
    return activate(logits, "softmax" if axes == 1 else "sigmoid")
