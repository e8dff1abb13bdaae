"""One neuron that tells one person from strangers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Float32, Float64, Int64
from facekit.errors import DataError
from facekit.heads.head import Head
from facekit.heads.kinds import LinearHead
from facekit.heads.logistic import fit_logistic
from facekit.recipe.enroll import EnrollHeadSpec

#: Shorter vectors have no direction.
_SHORTEST: Final = 1e-12
#: Weight, bias, and what is taken from the inputs and divides them first.
Fit = tuple[Float32, Float32, Float64 | None, Float64 | None]


def fit_scorer(
    own: Float32,
    own_weight: AnyArray,
    strangers: Float32,
    spec: EnrollHeadSpec,
    *,
    stranger_weight: AnyArray | None = None,
    name: str = "me",
) -> LinearHead:
    """What gives a vector its score: a neuron, or the nearest centroid, its baseline.

    Args:
        own: float32 array of shape (m, d), views of the person's photos; rows of
            length 1 for a centroid.
        own_weight: float array of shape (m,) in (0, inf): how much each counts.
        strangers: float32 array of shape (k, d).
        spec: Which head, and the part of the embedding that the vectors are of.
        stranger_weight: float array of shape (k,) in (0, inf), or None for ones; the
            baseline weighs all strangers alike.
        name: The label of its output.

    Returns:
        A head that reads that part and gives the score as it is: a neuron's logit,
        or the cosine to the centroid, where strangers have mean 0 and deviation 1.

    Raises:
        DataError: There are no views or no strangers, or they do not fit.
    """
    if own.ndim != 2 or strangers.shape[1:] != own.shape[1:] or not len(own) or not len(strangers):
        raise DataError(
            f"vectors of shape {own.shape} and strangers of shape {strangers.shape} make no "
            f"{spec.kind}"
        )
    if spec.kind == "centroid":
        weight, bias, mean, scale = _centroid(own, own_weight, strangers)
    else:
        others = np.ones(len(strangers)) if stranger_weight is None else np.asarray(stranger_weight)
        weight, bias, mean, scale = _neuron(own, own_weight, strangers, others, spec)
    return LinearHead(
        parts=(spec.part,),
        labels=(name,),
        activation="none",
        weight=weight,
        bias=bias,
        mean=mean,  # type: ignore[arg-type]
        scale=scale,  # type: ignore[arg-type]
    )


def _neuron(
    own: Float32, own_weight: AnyArray, strangers: Float32, others: AnyArray, spec: EnrollHeadSpec
) -> Fit:
    """Logistic regression of one person against strangers.

    Inputs lose the strangers' mean and are divided by one number, their standard
    deviation over all columns: dividing each column by its own would blow up
    those that say nothing.
    """
    mean = strangers.mean(0, dtype=np.float64)
    scale = float(np.sqrt(strangers.var(0, dtype=np.float64).mean())) or 1.0
    x = np.concatenate([strangers, own])
    y = np.zeros((len(x), 1), np.int8)
    y[len(strangers) :] = 1
    mine = own_weight * (spec.share / np.sum(own_weight))
    weight = np.concatenate([others * ((1 - spec.share) / others.sum()), mine])
    from threadpoolctl import threadpool_limits  # late, like SciPy

    # NumPy and SciPy bring a BLAS each; when threads of both wait for such small
    # products on the same cores, a fit takes ten to twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        matrix, bias = fit_logistic(
            ((x - mean) / scale).astype(np.float32), y, l2=spec.strength, sample_weight=weight
        )
    return matrix, bias, mean, np.full(len(mean), scale)


def _centroid(own: Float32, own_weight: AnyArray, strangers: Float32) -> Fit:
    """Cosine to the mean of one person's vectors, in strangers' standard deviations."""
    mean = np.average(own.astype(np.float64), axis=0, weights=own_weight)
    mean /= max(float(np.linalg.norm(mean)), _SHORTEST)
    scores = strangers @ mean
    spread = float(scores.std()) or 1.0
    bias = np.array([-float(scores.mean()) / spread], np.float32)
    return (mean / spread)[:, None].astype(np.float32), bias, None, None


def stack_neurons(heads: Sequence[Head | None]) -> tuple[Int64, Float64, Float64]:
    """Many neurons on one part as one matrix; what is taken from their inputs is folded in.

    Args:
        heads: Of one output; those that are no plain neuron are left out, and None.

    Returns:
        int64 positions (k,) of the neurons, weight (d, k) and bias (k,), float64: the
        scores of vectors (n, d) are ``vectors @ weight + bias``.
    """
    plain = [
        (place, head)
        for place, head in enumerate(heads)
        if isinstance(head, LinearHead) and not head.channels and head.calibration is None
    ]
    sizes = {head.sizes[0] for _, head in plain}
    if len(sizes) != 1:
        return np.empty(0, np.int64), np.empty((0, 0)), np.empty(0)
    columns, biases = [], []
    for _, head in plain:
        column = head.weight[:, 0].astype(np.float64)
        column = column if head.scale is None else column / head.scale
        columns.append(column)
        biases.append(float(head.bias[0]) - (0 if head.mean is None else head.mean @ column))
    places = np.array([place for place, _ in plain], np.int64)
    return places, np.stack(columns, axis=1), np.array(biases)


def score(head: LinearHead, vectors: Float32) -> Float64:
    """Scores of vectors of the part that the head reads, float64 of shape (n,)."""
    return head.logits({head.parts[0]: vectors})[:, 0].astype(np.float64)
