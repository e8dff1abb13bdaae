"""Cross-validation for data too small to hold some of it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.heads.fit import fit_logistic
from facekit.heads.head import Floats
from facekit.heads.linear import LinearHead
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.class_data import class_weights
from facekit.workflows.head_fits import score
from facekit.workflows.head_inputs import HeadInputs

__all__ = ["cross_fit"]

#: Folds; fewer where a class has fewer groups.
_FOLDS: Final = 5

Report = Callable[[dict[str, Any]], None]


def cross_fit(
    inputs: HeadInputs, recipe: TransferRecipe, report: Report
) -> tuple[LinearHead, Floats]:
    """A linear head on every row, and answers that each row had no part in.

    The strength is chosen inside every fold, by a cross-validation of its own, so
    the answers are those of the whole procedure. People and copies of a picture
    never lie on both sides.

    Args:
        inputs: Features and labels of few rows.
        recipe: Its ``head.strengths``, which here are shares of the number of
            rows, and ``head.balance``.
        report: Called with a row a strength.

    Returns:
        The head, not calibrated, and float32 logits of shape (n, k).

    Raises:
        DataError: A class has a single group: nothing can be held out of it.
    """
    x = np.stack(inputs.views).astype(np.float32)
    folds = _folds(inputs.labels, inputs.groups, inputs.frame["labels"], recipe.training.seed)
    out = np.zeros_like(inputs.shares)
    for fold in np.unique(folds):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        strength = _choose(x[:, train], inputs, train, folds[train], recipe)[0]
        out[held] = _logits(_fit(x[:, train], inputs, train, strength, recipe), x[:, held])
    every = np.arange(len(inputs.labels))
    strength, rows = _choose(x, inputs, every, folds, recipe)
    for trial, row in enumerate(rows, 1):
        report({"epoch": trial, **row})
    weight, bias = _fit(x, inputs, every, strength, recipe)
    return LinearHead(weight=weight, bias=bias, **inputs.frame), out


def _folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], names: tuple[str, ...], seed: int
) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedGroupKFold

    each = [len(np.unique(groups[labels == c])) for c in np.unique(labels)]
    if min(each) < 2:
        lone = names[int(np.unique(labels)[int(np.argmin(each))])]
        raise DataError(
            f"class {lone!r} has a single picture, or pictures of one person or burst alone: "
            "give it two at least, so that one can be held out"
        )
    splitter = StratifiedGroupKFold(min(_FOLDS, *each), shuffle=True, random_state=seed)
    out = np.zeros(len(labels), np.int64)
    for fold, (_, held) in enumerate(splitter.split(labels, labels, groups)):
        out[held] = fold
    return out


def _choose(
    x: Floats,
    inputs: HeadInputs,
    rows: NDArray[np.int64],
    folds: NDArray[np.int64],
    recipe: TransferRecipe,
) -> tuple[float, list[dict[str, Any]]]:
    """The strength whose held-out answers are likeliest; the strongest of equals."""
    tried = []
    for strength in sorted(recipe.head.strengths, reverse=True):
        logits = np.zeros((len(rows), inputs.shares.shape[1]), np.float32)
        for fold in np.unique(folds):
            train, held = folds != fold, folds == fold
            fitted = _fit(x[:, train], inputs, rows[train], strength, recipe)
            logits[held] = _logits(fitted, x[:, held])
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        loss = float(-(inputs.shares[rows] * log_p).sum(1).mean())
        measured = score(logits, inputs.labels[rows])
        tried.append({"strength": strength, "val_loss": loss, **measured})
    return min(tried, key=lambda row: row["val_loss"])["strength"], tried


def _fit(
    x: Floats,
    inputs: HeadInputs,
    rows: NDArray[np.int64],
    strength: float,
    recipe: TransferRecipe,
) -> tuple[Floats, Floats]:
    """Fit on views (v, n, d); a strength of 1 weighs like one of each row's."""
    views, n, d = x.shape
    k = inputs.shares.shape[1]
    weights = None
    if recipe.head.balance != "none":
        weights = np.tile(class_weights(inputs.labels[rows], k)[inputs.labels[rows]], views)
    return fit_logistic(
        x.reshape(views * n, d),
        np.tile(inputs.shares[rows], (views, 1)),
        softmax=True,
        l2=strength * views * n,
        sample_weight=weights,
    )


def _logits(fitted: tuple[Floats, Floats], x: Floats) -> Floats:
    weight, bias = fitted
    return np.asarray(np.mean(x @ weight + bias, axis=0), np.float32)
