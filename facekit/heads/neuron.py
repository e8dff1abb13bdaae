"""One neuron that tells one person from strangers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.heads.fit import fit_logistic
from facekit.heads.linear import LinearHead

__all__ = ["fit_neuron"]

Floats = NDArray[np.float32]

#: The part of the embedding that it reads unless told otherwise.
_IDENTITY: Final = "identity"


def fit_neuron(
    own: Floats,
    own_weight: NDArray[Any],
    strangers: Floats,
    *,
    strength: float,
    share: float,
    stranger_weight: NDArray[Any] | None = None,
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
