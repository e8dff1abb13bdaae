"""Fit the head of a recipe: a linear probe or MLPs, chosen and scored on validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, Float64, Int64
from facekit.cache.kept import Made
from facekit.errors import DataError, RecipeError
from facekit.evaluation.calibration import fit_temperature
from facekit.heads.head import Head
from facekit.heads.kinds import KINDS, LinearHead, MlpHead
from facekit.heads.logistic import fit_logistic, second_moments
from facekit.heads.mlp_fit import MlpFit, fit_mlp
from facekit.recipe.transfer import HEAD_KINDS, HeadSpec, TransferRecipe
from facekit.system.pool import cores
from facekit.workflows.transfer.data import class_weights
from facekit.workflows.transfer.inputs import HeadInputs, fit_components

#: Steps of L-BFGS, and of those on a table so large that each takes a fifth of a
#: second. On FER-2013 (57,418 x 3,008) eight have validation 0.1 points from fifteen.
_ITERATIONS, _FEW_ITERATIONS, _LARGE = 60, 8, 50_000_000
_BLOCK: Final = 4096

Report = Callable[[dict[str, Any]], None]


def fit_linear_head(inputs: HeadInputs, recipe: TransferRecipe, report: Report) -> Head:
    """One head a strength, from strong to weak; validation picks by ``best``.

    Args:
        inputs: Features and labels.
        recipe: Its ``head`` and ``best``. A full batch has no sampling:
            ``sampling`` weighs.
        report: Called with the row of each strength.

    Returns:
        A linear head, not calibrated.
    """
    x = np.concatenate(inputs.views).astype(np.float32)
    views, k = len(inputs.views), inputs.shares.shape[1]
    weights = None
    if recipe.head.balance != "none":
        weights = np.tile(class_weights(inputs.labels, k)[inputs.labels], views)
    goal = np.tile(inputs.shares, (views, 1))
    best: tuple[float, LinearHead] | None = None
    sign = -1 if recipe.best == "loss" else 1
    strengths = sorted(recipe.head.strengths, reverse=True)
    few = _FEW_ITERATIONS if x.size > _LARGE else _ITERATIONS
    moments = second_moments(x) if len(x) > x.shape[1] else None  # one for all strengths
    fits = _path(x, goal, strengths, sample_weight=weights, max_iter=few, condition=moments)
    for trial, (strength, (weight, bias)) in enumerate(zip(strengths, fits, strict=True), 1):
        head = LinearHead(weight=weight, bias=bias, **inputs.frame)
        measured = score(mean_logits(head, inputs.seen), inputs.answers)
        report({"epoch": trial, "strength": strength, **measured})
        value = sign * measured[f"val_{recipe.best}"]
        if best is None or value > best[0]:
            best = value, head
    assert best is not None  # the schema wants at least one strength
    return best[1]


def _path(
    x: Float32, goal: Float32, strengths: Sequence[float], **options: Any
) -> Iterator[tuple[Float32, Float32]]:
    """A fit for each strength, every one begun from the one before; see ``fit_logistic``."""
    start = None
    for strength in strengths:
        l2 = strength * len(x)
        start = fit_logistic(x, goal, softmax=True, l2=l2, start=start, **options)
        yield start


def fit_mlp_head(inputs: HeadInputs, recipe: TransferRecipe, report: Report) -> Head:
    """MLPs of several seeds, joined into one whose logits are their mean.

    Args:
        inputs: Features and labels.
        recipe: Its ``head`` and ``features.components``.
        report: Called with a row an epoch.

    Returns:
        An MLP head, not calibrated.
    """
    spec, shares, k = recipe.head, inputs.shares, inputs.shares.shape[1]
    weights = class_weights(inputs.labels, k)[inputs.labels]
    chance = weights / weights.sum() if spec.balance == "sampling" else None
    if spec.balance == "weights":
        shares = shares * weights[:, None].astype(np.float32)
    views, seen, back = _components(inputs, recipe)
    members = []
    for member in range(spec.members):

        def tell(epoch: int, loss: float, fit: MlpFit, member: int = member) -> None:
            with ThreadPoolExecutor(cores()) as pool:  # BLAS has one thread at that time
                logits = _mean(list(pool.map(fit.logits, seen)))
            done = member * spec.epochs + epoch
            report({"epoch": done, "loss": loss, **score(logits, inputs.answers)})

        seed = recipe.training.seed + member
        members.append(fit_mlp(views, shares, spec, seed=seed, chance=chance, report=tell))
    return MlpHead(layers=_joined(members, back), **inputs.frame)


def mean_logits(head: Any, views: Sequence[Float32]) -> Float32:
    """Mean logits (m, k) of a head over views of standardised rows (m, d)."""
    return _mean([head.forward(view) for view in views])


def score(logits: Float32, labels: Int64) -> dict[str, float]:
    """``val_loss``, ``val_accuracy``, ``val_macro_f1`` (over the labels' classes)."""
    found, k = logits.argmax(1), logits.shape[1]
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    right, here, said = (
        np.bincount(each, minlength=k) for each in (labels[found == labels], labels, found)
    )
    shown = here > 0
    f1 = (2 * right[shown] / (here + said)[shown]).mean()
    return {
        "val_loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "val_accuracy": float((found == labels).mean()),
        "val_macro_f1": float(f1),
    }


def _mean(logits: Sequence[Float32]) -> Float32:
    return np.asarray(np.mean(logits, axis=0), np.float32)


def _components(
    inputs: HeadInputs, recipe: TransferRecipe
) -> tuple[Sequence[AnyArray], list[Float32], Float32 | None]:
    """The views in fewer dimensions, which train several times faster."""
    keep = recipe.features.components
    if not keep or keep >= inputs.views[0].shape[1]:
        return inputs.views, inputs.seen, None
    seed = recipe.training.seed

    def make() -> Made:
        back = fit_components(inputs.views[0], keep, seed=seed)
        return {
            "back": back,
            **{f"view {i}": _projected(v, back) for i, v in enumerate(inputs.views)},
        }

    made = inputs.kept.arrays(make, components=keep, seed=seed)
    back = made.pop("back")
    return list(made.values()), [view @ back for view in inputs.seen], back


def _projected(view: AnyArray, back: Float32) -> Float32:
    blocks = range(0, len(view), _BLOCK)
    return np.concatenate([view[i : i + _BLOCK].astype(np.float32) @ back for i in blocks])


def _joined(members: list[MlpFit], back: Float32 | None) -> tuple[tuple[Float32, Float32], ...]:
    """The members side by side as one network; its logits are the mean of theirs."""
    from scipy.linalg import block_diag

    depth, share = len(members[0].layers), np.float32(1 / len(members))
    layers = []
    for i in range(depth):
        weights = [member.layers[i][0] for member in members]
        biases = [member.layers[i][1] for member in members]
        if i == 0:
            first = np.concatenate(weights, axis=1)
            layers.append((first if back is None else back @ first, np.concatenate(biases)))
        elif i < depth - 1:
            layers.append((np.asarray(block_diag(*weights), np.float32), np.concatenate(biases)))
        else:
            layers.append((np.concatenate(weights) * share, np.sum(biases, axis=0) * share))
    return tuple(layers)


# Cross-validation for data too small to hold some of it out.

#: Folds; fewer where a class has fewer groups.
_FOLDS: Final = 5
#: When L-BFGS ends, each strength going on from the one before: more changes nothing.
_FOLD_ITERATIONS, _TOLERANCE = 60, 1e-4

Fitted = tuple[Float32, Float32]


def cross_fit(
    inputs: HeadInputs, recipe: TransferRecipe, report: Report
) -> tuple[LinearHead, Float32]:
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


def cross_fit_mlp(
    inputs: HeadInputs, recipe: TransferRecipe, report: Report
) -> tuple[Head, Float32]:
    """MLPs on every row, and answers of others that each row's group had no part in.

    Args:
        inputs: Features and labels of few rows.
        recipe: As for ``fit_mlp_head``, which chooses nothing: no fold within a fold.
        report: Called with a row a fold.

    Returns:
        The head, not calibrated, and float32 logits of shape (n, k).

    Raises:
        DataError: A class has a single group: nothing can be held out of it.
    """
    fold_of = _folds(inputs.labels, inputs.groups, inputs.frame["labels"], recipe.training.seed)
    out = np.zeros_like(inputs.shares)
    for trial, fold in enumerate(np.unique(fold_of), 1):
        held = fold_of == fold
        part = replace(
            inputs,
            views=[view[~held] for view in inputs.views],
            shares=inputs.shares[~held],
            labels=inputs.labels[~held],
            groups=inputs.groups[~held],
            seen=[view[held] for view in inputs.seen],
            answers=inputs.labels[held],
        )
        out[held] = mean_logits(fit_mlp_head(part, recipe, lambda row: None), part.seen)
        report({"epoch": trial, **score(out[held], part.answers)})
    return fit_mlp_head(inputs, recipe, lambda row: None), out


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

    def weights(self, rows: Bool) -> Float64 | None:
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
            fits = _path(
                x.reshape(views * n, d),
                np.tile(self.inputs.shares[rows], (views, 1)),
                self.strengths,
                sample_weight=None if weights is None else np.tile(weights, views),
                max_iter=_FOLD_ITERATIONS,
                tolerance=_TOLERANCE,
            )
            self._made[key] = list(fits)
        return self._made[key]

    def logits(self, fitted: Fitted, fold: int) -> Float32:
        """Logits of a fold's rows, averaged over the views that prediction averages."""
        weight, bias = fitted
        each = [view[self.held == fold] @ weight + bias for view in self.inputs.seen]
        return np.asarray(np.mean(each, axis=0), np.float32)


def _folds(labels: Int64, groups: Int64, names: tuple[str, ...], seed: int) -> Int64:
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


Fit = Callable[[HeadInputs, TransferRecipe, Report], Head]
CrossFit = Callable[[HeadInputs, TransferRecipe, Report], tuple[Head, Float32]]


@dataclass(frozen=True)
class HeadFit:
    """How a kind of head is learned.

    Attributes:
        fit: From features and labels to a head, not calibrated.
        cross_fit: The same of few rows, with answers that each row had no part in;
            None where that is not offered.
        hidden: Widths of its hidden layers, to describe a network before it is fitted.
    """

    fit: Fit
    cross_fit: CrossFit | None = None
    hidden: Callable[[HeadSpec], Sequence[int]] = lambda spec: ()


#: Every kind of head that a recipe may name; ``add_head_kind`` adds another.
HEAD_FITS: dict[str, HeadFit] = {
    "linear": HeadFit(fit_linear_head, cross_fit),
    "mlp": HeadFit(  # members stand side by side
        fit_mlp_head, cross_fit_mlp, lambda spec: [width * spec.members for width in spec.widths]
    ),
}


def add_head_kind(head: type[Head], how: HeadFit) -> None:
    """Let recipes name another kind of head, and its files be read.

    Args:
        head: Its class; ``kind`` is its name.
        how: How it is learned.

    Raises:
        RecipeError: The name is taken.
    """
    if head.kind in KINDS or head.kind in HEAD_FITS:
        raise RecipeError(f"a kind of head is called {head.kind!r} already: take another name")
    KINDS[head.kind] = head
    HEAD_FITS[head.kind] = how
    HEAD_KINDS.append(head.kind)
