"""Cross-validation for data too small to hold some of it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.evaluation.calibration import fit_temperature
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
#: When L-BFGS ends, each strength going on from the one before: more changes nothing.
_ITERATIONS, _TOLERANCE = 60, 1e-4

Report = Callable[[dict[str, Any]], None]
Fitted = tuple[Floats, Floats]


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
    fits = _Fits(inputs, recipe)
    out = np.zeros_like(inputs.shares)
    for fold in fits.folds:
        place, _ = _choose(fits, [other for other in fits.folds if other != fold], fold)
        out[fits.held == fold] = fits.logits(fits.without(fold)[place], fold)
    place, rows = _choose(fits, fits.folds)
    for trial, row in enumerate(rows, 1):
        report({"epoch": trial, **row})
    weight, bias = fits.without()[place]
    return LinearHead(weight=weight, bias=bias, **inputs.frame), out


class _Fits:
    """Heads that have not seen some folds, each fitted once.

    Attributes:
        inputs: Features and labels.
        strengths: From strong to weak.
        held: int64 array of shape (n,), the fold that each row is held out in.
        folds: Their numbers.
    """

    def __init__(self, inputs: HeadInputs, recipe: TransferRecipe) -> None:
        self.inputs = inputs
        self.strengths = sorted(recipe.head.strengths, reverse=True)
        names, seed = inputs.frame["labels"], recipe.training.seed
        self.held = _folds(inputs.labels, inputs.groups, names, seed)
        self.folds: list[int] = np.unique(self.held).tolist()
        self._x = np.stack(inputs.views).astype(np.float32)
        self._balanced = recipe.head.balance != "none"
        self._made: dict[frozenset[int], list[Fitted]] = {}

    def weights(self, rows: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """What each of the rows counts; None where all count the same."""
        labels = self.inputs.labels[rows]
        k = self.inputs.shares.shape[1]
        return class_weights(labels, k)[labels] if self._balanced else None

    def without(self, *gone: int) -> list[Fitted]:
        """Weight (d, k) and bias (k,) for every strength, some folds left out."""
        key = frozenset(gone)
        if key not in self._made:
            rows = ~np.isin(self.held, gone)
            x = self._x[:, rows]
            views, n, d = x.shape
            weights = self.weights(rows)
            fitted: list[Fitted] = []
            for strength in self.strengths:
                fitted.append(
                    fit_logistic(
                        x.reshape(views * n, d),
                        np.tile(self.inputs.shares[rows], (views, 1)),
                        softmax=True,
                        l2=strength * views * n,
                        sample_weight=None if weights is None else np.tile(weights, views),
                        start=fitted[-1] if fitted else None,
                        max_iter=_ITERATIONS,
                        tolerance=_TOLERANCE,
                    )
                )
            self._made[key] = fitted
        return self._made[key]

    def logits(self, fitted: Fitted, fold: int) -> Floats:
        """Logits of a fold's rows, averaged over the views that prediction averages."""
        weight, bias = fitted
        each = [view[self.held == fold] @ weight + bias for view in self.inputs.seen]
        return np.asarray(np.mean(each, axis=0), np.float32)


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


def _choose(fits: _Fits, folds: Sequence[int], *gone: int) -> tuple[int, list[dict[str, Any]]]:
    """Which strength's held-out answers are likeliest, calibrated; the strongest of equals.

    It is the strongest, too, where there is one fold and nothing to choose by.
    """
    if len(folds) < 2:
        return 0, []
    rows = np.isin(fits.held, folds)
    labels, shares = fits.inputs.labels[rows], fits.inputs.shares[rows]
    tried = []
    for place, strength in enumerate(fits.strengths):
        logits = np.zeros_like(fits.inputs.shares)
        for fold in folds:
            logits[fits.held == fold] = fits.logits(fits.without(fold, *gone)[place], fold)
        out = logits[rows] / np.float32(fit_temperature(labels, logits[rows]))
        log_p = out - np.logaddexp.reduce(out, axis=1, keepdims=True)
        loss = np.average(-(shares * log_p).sum(1), weights=fits.weights(rows))
        tried.append({"strength": strength, **score(out, labels), "val_loss": float(loss)})
    losses = [row["val_loss"] for row in tried]
    return losses.index(min(losses)), tried
