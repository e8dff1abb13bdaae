"""The nearest centroid as a head: the plain rival of the neuron."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.heads.linear import LinearHead

__all__ = ["fit_centroid"]

Floats = NDArray[np.float32]

_IDENTITY: Final = "identity"
_SHORTEST: Final = 1e-12


def fit_centroid(
    own: Floats,
    own_weight: NDArray[Any],
    strangers: Floats,
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
