"""Fitting linear heads on cached embeddings: ridge and logistic regression.

Matrix products run in float32 (the BLAS of NumPy), sums and solvers in
float64. Standardise the inputs first: one strength then suits every column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import AnyArray, Float32, Float64, Int64

#: Rows a block: bounds the float32 copies that sums over many rows need.
_BLOCK: Final = 4096


def standardise(x: AnyArray) -> tuple[Float32, Float32]:
    """Mean and standard deviation of every column.

    Args:
        x: float array of shape (n, d), n >= 1.

    Returns:
        Two float32 arrays of shape (d,): the mean, and a scale in (0, inf) that
        is 1 for columns which hardly vary.
    """
    total, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for rows in _blocks(len(x)):
        total += x[rows].sum(0, dtype=np.float64)
    mean: Float64 = total / len(x)
    for rows in _blocks(len(x)):
        squares += ((x[rows] - mean) ** 2).sum(0)
    scale: Float64 = np.sqrt(squares / len(x))
    scale[scale <= 1e-6 * (1 + np.abs(mean))] = 1
    return mean.astype(np.float32), scale.astype(np.float32)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, n, _BLOCK))


def _sample_weight(given: ArrayLike | None, n: int) -> Float64:
    weight = np.ones(n) if given is None else np.asarray(given, np.float64)
    if weight.shape != (n,) or (weight < 0).any() or not weight.sum() > 0:
        raise ValueError(f"sample_weight must be {n} numbers of at least 0, not all 0")
    return weight


def fit_logistic(
    x: AnyArray,
    y: ArrayLike,
    *,
    l2: float = 1.0,
    classes: int | None = None,
    softmax: bool = False,
    sample_weight: ArrayLike | None = None,
    start: tuple[ArrayLike, ArrayLike] | None = None,
    max_iter: int = 200,
    tolerance: float = 1e-5,
    condition: Float32 | None = None,
) -> tuple[Float32, Float32]:
    """Logistic regression by L-BFGS (Liu and Nocedal, 1989).

    Minimises ``sum(w * cross_entropy) + l2 / 2 * sum(W**2)``; b is free, so l2
    is 1 / C of scikit-learn.

    Args:
        x: float array of shape (n, d).
        y: int array of shape (n,) with classes in [0, classes): softmax; or of
            shape (n, k) with 1, 0 and -1 for unknown (or shares in [0, 1]): k
            independent labels, one neuron when k is 1; with ``softmax`` shares of
            k classes instead, rows that sum to 1 or to 0.
        softmax: What a y with two axes means.
        l2: Strength in [0, inf).
        classes: How many classes a vector y has; by default its largest + 1.
        sample_weight: float array of shape (n,) in [0, inf), or None for ones.
        start: Weight and bias to start from, such as those of a nearby l2.
        max_iter: Most iterations, in [1, inf).
        tolerance: Ends when no part of the mean gradient is larger.
        condition: ``second_moments`` of the rows, to search in coordinates in which
            the columns are about independent: a fifth of the steps where columns are
            a few thousand and rows many more, for one factorisation of shape (d, d).
            Needs an l2 above 0.

    Returns:
        Weight, float32 array of shape (d, k), and bias, of shape (k,).

    Raises:
        ValueError: Shapes, labels or l2 do not fit.
    """
    from scipy.optimize import minimize  # late: half a second

    x = np.ascontiguousarray(x, np.float32)
    weight = _sample_weight(sample_weight, len(x))
    share = weight / weight.sum()
    loss, k = _share_loss(np.asarray(y), share) if softmax else _loss(np.asarray(y), share, classes)
    if not l2 >= 0:
        raise ValueError(f"l2 must be at least 0, not {l2}")
    strength = l2 / weight.sum()
    place = (
        None
        if condition is None
        else Coordinates(condition, curvature=(k - 1) / k**2 or 0.25, strength=strength)
    )

    def objective(theta: Float64) -> tuple[float, Float64]:
        moved, bias = theta[:-k].reshape(-1, k), theta[-k:]
        matrix = moved if place is None else place.leave(moved)
        value, error = loss(x @ matrix.astype(np.float32) + bias)
        value += strength / 2 * float((matrix**2).sum())
        gradient = x.T @ error.astype(np.float32) + strength * matrix
        if place is not None:
            gradient = place.gradient(gradient)
        return value, np.concatenate([gradient.ravel(), error.sum(0)])

    first = np.zeros((x.shape[1] + 1) * k)
    if start is not None:
        matrix, bias = (np.asarray(part, np.float64) for part in start)
        matrix = matrix if place is None else place.enter(matrix)
        first = np.concatenate([matrix.ravel(), bias.ravel()])
    options = {"maxiter": max_iter, "gtol": tolerance, "maxcor": 20, "maxfun": 4 * max_iter}
    with scipy_on_one_thread():
        found = minimize(objective, first, jac=True, method="L-BFGS-B", options=options).x
    matrix = found[:-k].reshape(-1, k)
    matrix = matrix if place is None else place.leave(matrix)
    return matrix.astype(np.float32), found[-k:].astype(np.float32)


Loss = Callable[[Float64], tuple[float, Float64]]


def _loss(y: AnyArray, share: Float64, classes: int | None) -> tuple[Loss, int]:
    """Weighted cross-entropy and its gradient by the logits; number of outputs."""
    if len(y) != len(share) or y.ndim not in (1, 2):
        raise ValueError(f"y has shape {y.shape}, needed is ({len(share)},) or ({len(share)}, k)")
    if y.ndim == 1:
        k = int(y.max()) + 1 if classes is None else classes
        if y.min() < 0 or y.max() >= k:
            raise ValueError(f"classes must lie in [0, {k}), found {y.min()} to {y.max()}")
        return _softmax_loss(y.astype(np.int64), share, k), k
    if y.max() > 1 or y.min() < -1:
        raise ValueError("labels must be 1, 0 or -1 for unknown")
    return _sigmoid_loss(y.astype(np.float64), share), y.shape[1]


def _softmax_loss(y: Int64, share: Float64, k: int) -> Loss:
    goal = np.eye(k)[y]

    def loss(logits: Float64) -> tuple[float, Float64]:
        logits = logits - logits.max(1, keepdims=True)
        norm = np.log(np.exp(logits).sum(1, keepdims=True))
        log_p = logits - norm
        value = -float(share @ log_p[np.arange(len(y)), y])
        return value, share[:, None] * (np.exp(log_p) - goal)

    return loss


def _share_loss(y: AnyArray, share: Float64) -> tuple[Loss, int]:
    if y.ndim != 2 or len(y) != len(share) or y.min() < 0 or y.max() > 1:
        raise ValueError(f"y has shape {y.shape}, needed are shares of shape ({len(share)}, k)")
    goal = np.asarray(y, np.float64)
    known = goal.sum(1, keepdims=True)

    def loss(logits: Float64) -> tuple[float, Float64]:
        logits = logits - logits.max(1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        value = -float(share @ (goal * log_p).sum(1))
        return value, share[:, None] * (np.exp(log_p) * known - goal)

    return loss, goal.shape[1]


def _sigmoid_loss(y: Float64, share: Float64) -> Loss:
    weight = share[:, None] * (y >= 0)

    def loss(logits: Float64) -> tuple[float, Float64]:
        value = np.logaddexp(0, logits) - y * logits
        probability = 0.5 * (1 + np.tanh(logits / 2))
        return float((weight * value).sum()), weight * (probability - y)

    return loss


# Coordinates in which a linear head is found in few steps.
#
# Cached embeddings have columns that go together, so plain gradients point along
# the few strongest directions. With ``L @ L.T`` about the curvature of the mean
# loss, the head ``V = L.T @ W`` has about the same curvature in every direction
# (preconditioning; Nocedal and Wright, "Numerical Optimization", 2006, ch. 5).

#: Rows the curvature is estimated from: it only sets the coordinates, never the answer.
_ROWS: Final = 16_384


def second_moments(x: AnyArray) -> Float32:
    """Mean products of any two columns, from some of the rows where there are many.

    Args:
        x: float array of shape (n, d), about centred.

    Returns:
        float32 array of shape (d, d).
    """
    rows = np.asarray(x[:: -(-len(x) // _ROWS)], np.float32)
    return np.asarray((rows.T @ rows) / np.float32(len(rows)), np.float32)


class Coordinates:
    """Weights W of shape (d, k) seen as ``V = L.T @ W``."""

    def __init__(self, moments: Float32, *, curvature: float, strength: float) -> None:
        """Estimate the curvature.

        Args:
            moments: From ``second_moments``: the same for every strength.
            curvature: Second derivative of the loss of one row by one logit.
            strength: L2 strength of the mean loss, in (0, inf).
        """
        from scipy.linalg import cholesky

        gram = moments * np.float32(curvature)
        # A few rows span only a few directions: the diagonal keeps the others apart.
        gram[np.diag_indices_from(gram)] += strength + 1e-4 * float(np.trace(gram)) / len(gram)
        self._factor: Float32 = cholesky(gram, lower=True, overwrite_a=True)

    def enter(self, weight: Float64) -> Float64:
        """V of W."""
        return np.asarray(self._factor.T @ weight, np.float64)

    def leave(self, moved: Float64) -> Float64:
        """W of V."""
        return self._solve(moved, transposed=True)

    def gradient(self, gradient: Float64) -> Float64:
        """The gradient by V, from that by W."""
        return self._solve(gradient, transposed=False)

    def _solve(self, right: Float64, *, transposed: bool) -> Float64:
        from scipy.linalg import solve_triangular

        right = right.astype(np.float32)
        out = solve_triangular(self._factor, right, lower=True, trans=int(transposed))
        return np.asarray(out, np.float64)


# How many threads the linear algebra takes.
#
# The wheels of NumPy and of SciPy each bring an OpenBLAS of their own, and the idle
# threads of one spin on the cores that the other one needs: on two cores a step of
# L-BFGS on 57,418 x 3,008 numbers takes 0.35 s in place of 0.2.


@contextmanager
def scipy_on_one_thread() -> Iterator[None]:
    """Leave the cores to NumPy's products; SciPy's own are small here."""
    import scipy.linalg  # noqa: F401  (its library must be there to be told)
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    own = [
        library.filepath
        for library in controller.lib_controllers
        if any(part.startswith("scipy") for part in Path(library.filepath).parts[:-1])
    ]
    with controller.select(filepath=own).limit(limits=1):
        yield
