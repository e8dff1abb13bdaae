"""One neuron that tells one person from strangers."""

from __future__ import annotations

from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Float32, Float64
from facekit.errors import DataError
from facekit.heads.kinds import LinearHead
from facekit.heads.logistic import fit_logistic
from facekit.recipe.enroll import EnrollHeadSpec

#: The part of the embedding that it reads unless told otherwise.
_IDENTITY: Final = "identity"


def fit_neuron(
    own: Float32,
    own_weight: AnyArray,
    strangers: Float32,
    *,
    strength: float,
    share: float,
    stranger_weight: AnyArray | None = None,
    name: str = "me",
    part: str = _IDENTITY,
) -> LinearHead:
    """Logistic regression of one person against strangers.

    Inputs lose the strangers' mean and are divided by one number, their standard
    deviation over all columns: dividing each column by its own would blow up
    those that say nothing.

    Args:
        own: float32 array of shape (m, d), views of the person's photos.
        own_weight: float array of shape (m,) in (0, inf): how much each counts.
        strangers: float32 array of shape (k, d).
        strength: Weight of the squared weights, as a share of the rows, in (0, inf).
        share: Weight of the person's views among all, in (0, 1).
        stranger_weight: float array of shape (k,) in (0, inf); None for ones.
        name: The label of its output.
        part: The part of the embedding that the vectors are of.

    Returns:
        A head that reads that part and gives the logit as it is.

    Raises:
        DataError: There are no photos or no strangers, or they do not fit.
    """
    if own.ndim != 2 or strangers.shape[1:] != own.shape[1:] or not len(own) or not len(strangers):
        raise DataError(
            f"vectors of shape {own.shape} and strangers of shape {strangers.shape} make no neuron"
        )
    mean = strangers.mean(0, dtype=np.float64)
    scale = float(np.sqrt(strangers.var(0, dtype=np.float64).mean())) or 1.0
    x = np.concatenate([strangers, own])
    y = np.zeros((len(x), 1), np.int8)
    y[len(strangers) :] = 1
    others = np.ones(len(strangers)) if stranger_weight is None else np.asarray(stranger_weight)
    weight = np.concatenate(
        [others * ((1 - share) / others.sum()), own_weight * (share / np.sum(own_weight))]
    )
    from threadpoolctl import threadpool_limits  # late, like SciPy

    # NumPy and SciPy bring a BLAS each; when threads of both wait for such small
    # products on the same cores, a fit takes ten to twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        matrix, bias = fit_logistic(
            ((x - mean) / scale).astype(np.float32), y, l2=strength, sample_weight=weight
        )
    return LinearHead(
        parts=(part,),
        labels=(name,),
        activation="none",
        weight=matrix,
        bias=bias,
        mean=mean,
        scale=np.full(len(mean), scale),
    )


# The nearest centroid as a head: the baseline of the neuron.

_SHORTEST: Final = 1e-12


def fit_centroid(
    own: Float32,
    own_weight: AnyArray,
    strangers: Float32,
    *,
    name: str = "me",
    part: str = _IDENTITY,
) -> LinearHead:
    """Cosine to the mean of one person's vectors, in strangers' standard deviations.

    Args:
        own: float32 array of shape (m, d), rows of length 1.
        own_weight: float array of shape (m,) in (0, inf): how much each counts.
        strangers: float32 array of shape (k, d), rows of length 1.
        name: The label of its output.
        part: The part of the embedding that the vectors are of.

    Returns:
        A head that reads that part; strangers' scores have mean 0 and standard
        deviation 1.

    Raises:
        DataError: There are no photos or no strangers, or they do not fit.
    """
    if own.ndim != 2 or strangers.shape[1:] != own.shape[1:] or not len(own) or not len(strangers):
        raise DataError(
            f"vectors of shape {own.shape} and strangers of shape {strangers.shape} make no "
            "centroid"
        )
    mean = np.average(own.astype(np.float64), axis=0, weights=own_weight)
    mean /= max(float(np.linalg.norm(mean)), _SHORTEST)
    scores = strangers @ mean
    spread = float(scores.std()) or 1.0
    return LinearHead(
        parts=(part,),
        labels=(name,),
        activation="none",
        weight=(mean / spread)[:, None].astype(np.float32),
        bias=np.array([-float(scores.mean()) / spread], np.float32),
    )


# What gives a vector its score: fitted as the recipe says, read the same everywhere.


def fit_scorer(
    own: Float32,
    own_weight: AnyArray,
    strangers: Float32,
    spec: EnrollHeadSpec,
    *,
    stranger_weight: AnyArray | None = None,
    name: str = "me",
) -> LinearHead:
    """A neuron, or its baseline, of some views and some strangers.

    Args:
        own: float32 array of shape (m, d), rows of length 1.
        own_weight: float array of shape (m,) in (0, inf).
        strangers: float32 array of shape (k, d), rows of length 1.
        spec: Which head, and the part of the embedding that the vectors are of.
        stranger_weight: float array of shape (k,) in (0, inf), or None for ones; the
            baseline weighs all strangers alike.
        name: The label of its output.

    Raises:
        DataError: There are no views or no strangers, or they do not fit.
    """
    if spec.kind == "centroid":
        return fit_centroid(own, own_weight, strangers, name=name, part=spec.part)
    return fit_neuron(
        own,
        own_weight,
        strangers,
        strength=spec.strength,
        share=spec.share,
        stranger_weight=stranger_weight,
        name=name,
        part=spec.part,
    )


def score(head: LinearHead, vectors: Float32) -> Float64:
    """Scores of vectors of the part that the head reads, float64 of shape (n,)."""
    return head.logits({head.parts[0]: vectors})[:, 0].astype(np.float64)
