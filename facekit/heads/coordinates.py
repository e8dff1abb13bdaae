"""Coordinates in which a linear head is found in few steps.

Cached embeddings have columns that go together, so plain gradients point along
the few strongest directions. With ``L @ L.T`` about the curvature of the mean
loss, the head ``V = L.T @ W`` has about the same curvature in every direction
(preconditioning; Nocedal and Wright, "Numerical Optimization", 2006, ch. 5).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coordinates"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Rows the curvature is estimated from: it only sets the coordinates, never the answer.
_ROWS: Final = 16_384


class Coordinates:
    """Weights W of shape (d, k) seen as ``V = L.T @ W``."""

    def __init__(self, x: NDArray[Any], *, curvature: float, strength: float) -> None:
        """Estimate the curvature.

        Args:
            x: float array of shape (n, d), about centred.
            curvature: Second derivative of the loss of one row by one logit.
            strength: L2 strength of the mean loss, in (0, inf).
        """
        from scipy.linalg import cholesky

        step = -(-len(x) // _ROWS)
        rows = np.asarray(x[::step], np.float32)
        gram = (rows.T @ rows) * np.float32(curvature / len(rows))
        # A few rows span only a few directions: the diagonal keeps the others apart.
        gram[np.diag_indices_from(gram)] += strength + 1e-4 * float(np.trace(gram)) / len(gram)
        self._factor: Floats = cholesky(gram, lower=True, overwrite_a=True)

    def enter(self, weight: Doubles) -> Doubles:
        """V of W."""
        return np.asarray(self._factor.T @ weight, np.float64)

    def leave(self, moved: Doubles) -> Doubles:
        """W of V."""
        return self._solve(moved, transposed=True)

    def gradient(self, gradient: Doubles) -> Doubles:
        """The gradient by V, from that by W."""
        return self._solve(gradient, transposed=False)

    def _solve(self, right: Doubles, *, transposed: bool) -> Doubles:
        from scipy.linalg import solve_triangular

        right = right.astype(np.float32)
        out = solve_triangular(self._factor, right, lower=True, trans=int(transposed))
        return np.asarray(out, np.float64)
