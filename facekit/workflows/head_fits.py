"""Fit the head of a recipe: a linear probe or MLPs, chosen and scored on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.heads.fit import fit_logistic
from facekit.heads.fit_mlp import MlpFit, fit_mlp
from facekit.heads.head import Floats, Head
from facekit.heads.linear import LinearHead
from facekit.heads.mlp import MlpHead
from facekit.heads.reduce import fit_components
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.class_data import class_weights
from facekit.workflows.head_inputs import HeadInputs

__all__ = ["fit_linear_head", "fit_mlp_head", "mean_logits", "score"]

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
    start = None
    for trial, strength in enumerate(sorted(recipe.head.strengths, reverse=True), 1):
        start = fit_logistic(
            x,
            goal,
            softmax=True,
            l2=strength * len(x),
            sample_weight=weights,
            start=start,
            max_iter=_FEW_ITERATIONS if x.size > _LARGE else _ITERATIONS,
            condition=len(x) > x.shape[1],
        )
        head = LinearHead(weight=start[0], bias=start[1], **inputs.frame)
        measured = score(mean_logits(head, inputs.seen), inputs.answers)
        report({"epoch": trial, "strength": strength, **measured})
        value = sign * measured[f"val_{recipe.best}"]
        if best is None or value > best[0]:
            best = value, head
    assert best is not None  # the schema wants at least one strength
    return best[1]


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
            logits = _mean([fit.logits(view) for view in seen])
            done = member * spec.epochs + epoch
            report({"epoch": done, "loss": loss, **score(logits, inputs.answers)})

        seed = recipe.training.seed + member
        members.append(fit_mlp(views, shares, spec, seed=seed, chance=chance, report=tell))
    return MlpHead(layers=_joined(members, back), **inputs.frame)


def mean_logits(head: Any, views: Sequence[Floats]) -> Floats:
    """Mean logits (m, k) of a head over views of standardised rows (m, d)."""
    return _mean([head.forward(view) for view in views])


def score(logits: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """``val_loss``, ``val_accuracy``, ``val_macro_f1`` (over the labels' classes)."""
    from sklearn.metrics import f1_score

    found, shown = logits.argmax(1), np.unique(labels)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    f1 = f1_score(labels, found, labels=shown, average="macro", zero_division=0)
    return {
        "val_loss": float(-log_p[np.arange(len(labels)), labels].mean()),
        "val_accuracy": float((found == labels).mean()),
        "val_macro_f1": float(f1),
    }


def _mean(logits: Sequence[Floats]) -> Floats:
    return np.asarray(np.mean(logits, axis=0), np.float32)


def _components(
    inputs: HeadInputs, recipe: TransferRecipe
) -> tuple[Sequence[NDArray[Any]], list[Floats], Floats | None]:
    """The views in fewer dimensions, which train several times faster."""
    keep = recipe.features.components
    if not keep or keep >= inputs.views[0].shape[1]:
        return inputs.views, inputs.seen, None
    back = fit_components(inputs.views[0], keep, seed=recipe.training.seed)

    def project(view: NDArray[Any]) -> Floats:
        blocks = range(0, len(view), _BLOCK)
        return np.concatenate([view[i : i + _BLOCK].astype(np.float32) @ back for i in blocks])

    return [project(view) for view in inputs.views], [project(v) for v in inputs.seen], back


def _joined(members: list[MlpFit], back: Floats | None) -> tuple[tuple[Floats, Floats], ...]:
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
