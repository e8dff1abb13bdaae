"""Fit the attribute head of a trained trunk, and calibrate it.

The layer that was trained with the trunk saw augmented crops only. On the frozen
embedding of the crops as they are, and of their mirror images, the same linear
head gains a little (see data/trials.md), in seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from facekit.arrays import Bool, Floating, Int8, Str
from facekit.bundle.bundle import Bundle
from facekit.cache.extract import extract
from facekit.evaluation.calibration import calibrate, fit_platt
from facekit.heads.head import read_parts
from facekit.heads.kinds import LinearHead
from facekit.heads.logistic import fit_logistic, standardise
from facekit.workflows.evaluate.answers import Answers
from facekit.workflows.sources import Source

#: Parts that the head reads, where the backbone has them.
_PARTS: Final = ("pooled", "identity")
#: Weight of the squared weights on standardised inputs: accuracy on validation
#: was the same within 0.02 points from 300 to 1000 (data/trials.md).
_L2: Final = 500.0


def fit_attributes(bundle: Bundle, source: Source) -> tuple[LinearHead, Answers, bool]:
    """Fit on the training images, calibrate on the validation images.

    Each half of the validation people is answered with the calibration of the
    other half, so that the reported numbers are not those that were fitted.

    Args:
        bundle: The trained backbone.
        source: Crops and labels of both splits.

    Returns:
        The calibrated head, the answers to report, and whether averaging over
        the mirror image lowers the validation loss.
    """
    plain = _fit(bundle, source)
    rows = np.flatnonzero(source.table.split == "val")
    labels = np.asarray(source.table.labels[rows], np.int8)
    one, other = (
        plain.logits(
            extract(source.cache, bundle, parts=plain.parts, rows=source.places("val"), mirror=m)
        )
        for m in (False, True)
    )
    both = (one + other) / 2
    mirror = bool(_cross_entropy(labels, both) < _cross_entropy(labels, one))
    logits = both if mirror else one
    persons = None if source.table.person is None else source.table.person[rows]
    probabilities = np.empty(logits.shape, np.float32)
    half = _halves(persons, len(rows))
    for mine in (half, ~half):
        fitted = fit_platt(labels[~mine], logits[~mine])
        probabilities[mine] = calibrate(logits[mine], fitted)
    head = replace(plain, calibration=fit_platt(labels, logits).astype(np.float32))
    known = np.asarray(majority(source), np.int8)
    return head, Answers(plain.labels, labels, probabilities, known, persons), mirror


def _fit(bundle: Bundle, source: Source) -> LinearHead:
    """Regularised logistic regression on both mirror views of the training crops."""
    parts = tuple(part for part in _PARTS if part in bundle.manifest.parts)
    places = source.places("train")
    labels = np.asarray(source.table.labels[source.table.split == "train"], np.int8)
    views = [
        read_parts(extract(source.cache, bundle, parts=parts, rows=places, mirror=m), parts)
        for m in (False, True)
    ]
    x = np.concatenate(views)
    mean, scale = standardise(x)
    x -= mean
    x /= scale
    weight, bias = fit_logistic(x, np.concatenate([labels, labels]), l2=_L2)
    return LinearHead(
        parts=parts,
        labels=source.table.label_names,
        weight=weight,
        bias=bias,
        mean=mean,
        scale=scale,
    )


def _halves(persons: Str | None, n: int) -> Bool:
    """A random half of the people (or images)."""
    rng = np.random.default_rng(0)
    if persons is None:
        return rng.random(n) < 0.5
    names, number = np.unique(persons, return_inverse=True)
    return np.asarray((rng.random(len(names)) < 0.5)[number])


def _cross_entropy(labels: Int8, logits: Floating) -> float:
    known = labels >= 0
    loss = np.logaddexp(0, logits) - logits * (labels > 0)
    return float(loss[known].mean())


def majority(source: Source) -> list[int]:
    """The more frequent answer of every attribute among the training images.

    Args:
        source: Table of the training images.

    Returns:
        One number an attribute, 1 or 0.
    """
    labels = source.table.labels[source.table.split == "train"]
    return [int((column == 1).sum() * 2 > (column >= 0).sum()) for column in labels.T]
