"""What gives a vector its score: fitted as the recipe says, read the same everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.heads.centroid import fit_centroid
from facekit.heads.linear import LinearHead
from facekit.heads.neuron import fit_neuron
from facekit.recipe.enroll import EnrollHeadSpec

__all__ = ["fit_scorer", "score"]

Floats = NDArray[np.float32]


def fit_scorer(
    own: Floats,
    own_weight: NDArray[Any],
    strangers: Floats,
    spec: EnrollHeadSpec,
    *,
    stranger_weight: NDArray[Any] | None = None,
    name: str = "me",
) -> LinearHead:
    """A neuron, or its rival, of some views and some strangers.

    Args:
        own: float32 array of shape (m, d), rows of length 1.
        own_weight: float array of shape (m,) in (0, inf).
        strangers: float32 array of shape (k, d), rows of length 1.
        spec: Which head, and the part of the embedding that the vectors are of.
        stranger_weight: float array of shape (k,) in (0, inf), or None for ones; the
            rival hears all strangers alike.
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


def score(head: LinearHead, vectors: Floats) -> NDArray[np.float64]:
    """Scores of vectors of the part that the head reads, float64 of shape (n,)."""
    return head.logits({head.parts[0]: vectors})[:, 0].astype(np.float64)
