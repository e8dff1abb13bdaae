"""Fitting a multilayer perceptron on cached embeddings, with NumPy alone.

AdamW with a warm-up and a cosine (Loshchilov and Hutter, 2019), dropout, ReLU.
An epoch takes every image once, in one of its views: images, not views, are what
an epoch counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from facekit.arrays import AnyArray, Float32, Float64
from facekit.recipe.transfer import HeadSpec
from facekit.system.pool import cores

Layers = list[tuple[Float32, Float32]]

#: AdamW's usual constants.
_BETAS: Final = (0.9, 0.999)
_EPSILON: Final = 1e-8
#: Share of the steps that the rate takes to rise.
_WARMUP: Final = 0.05
#: Few rows are learned in smaller batches: so many steps an epoch, of so many rows.
_STEPS, _FEWEST = 16, 16
#: Multiply-adds of a batch from which its halves pay for the threads.
_LARGE: Final = 10_000_000


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        x: float32 array of shape (b, d).
        goal: float32 array of shape (b, k): shares; rows may sum to a weight.
        noise: Of every layer's input, uniform numbers in [0, 1) that say which of
            them are dropped, a float32 array of its shape; None where none are.
    """

    x: Float32
    goal: Float32
    noise: Sequence[Float32 | None]

    def parts(self, count: int) -> list[Batch]:
        """So many batches of about as many rows, in order."""
        edges = [len(self.x) * i // count for i in range(count + 1)]
        return [self._rows(slice(*edge)) for edge in itertools.pairwise(edges)]

    def _rows(self, rows: slice) -> Batch:
        noise = [None if each is None else each[rows] for each in self.noise]
        return Batch(self.x[rows], self.goal[rows], noise)


@dataclass
class MlpFit:
    """Layers while they are fitted.

    Attributes:
        layers: (weight, bias) of every layer from input to output.
    """

    layers: Layers
    _moments: list[list[Float32]] = field(default_factory=list)
    _step: int = 0

    def __post_init__(self) -> None:
        self._moments = [self.like() for _ in (*_BETAS, "scratch")]

    def like(self) -> list[Float32]:
        """Zeros in the shapes of every weight and bias from input to output."""
        return [np.zeros_like(array) for layer in self.layers for array in layer]

    def logits(self, x: AnyArray) -> Float32:
        """Logits (n, k) of standardised rows (n, d)."""
        for weight, bias in self.layers[:-1]:
            x = x @ weight
            x += bias
            np.maximum(x, 0, out=x)
        weight, bias = self.layers[-1]
        return np.asarray(x @ weight + bias, np.float32)

    def gradients(
        self,
        batch: Batch,
        spec: HeadSpec,
        rows: int | None = None,
        space: Sequence[Float32] | None = None,
    ) -> tuple[float, list[Float32]]:
        """What a batch, or a part of one, adds to the mean loss and to its gradients.

        Args:
            batch: Some rows.
            spec: Its shares of what is dropped.
            rows: How many the whole batch has; None for those given.
            space: Arrays to write the gradients to; None makes new ones.

        Returns:
            The loss, and the gradient of every weight and bias from input to output.
        """
        inputs, active = [_dropped(batch.x, spec.input_dropout, batch.noise[0])[0]], []
        for (weight, bias), noise in zip(self.layers[:-1], batch.noise[1:], strict=True):
            hidden = inputs[-1] @ weight
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
            kept, scale = _dropped(hidden, spec.dropout, noise)
            inputs.append(kept)
            active.append(scale * (hidden > 0))
        weight, bias = self.layers[-1]
        logits = inputs[-1] @ weight + bias
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        count = np.float32(rows or len(batch.x))
        error = (np.exp(log_p) * batch.goal.sum(1, keepdims=True) - batch.goal) / count
        gradients = list(self.like() if space is None else space)
        for i in range(len(self.layers) - 1, -1, -1):
            np.matmul(inputs[i].T, error, out=gradients[2 * i])
            np.sum(error, axis=0, out=gradients[2 * i + 1])
            if i:
                error = (error @ self.layers[i][0].T) * active[i - 1]
        return float(-(batch.goal * log_p).sum(1).sum() / count), gradients

    def update(self, gradients: Sequence[Float32], rate: float, decay: float) -> None:
        """One step of AdamW.

        Args:
            gradients: Of the mean loss, as ``gradients`` has them; they are overwritten.
            rate: Learning rate of this step.
            decay: Weight decay.
        """
        self._step += 1
        first, second = (1 - np.float32(beta) for beta in _BETAS)
        bias1, bias2 = (1 - beta**self._step for beta in _BETAS)
        flat = [array for layer in self.layers for array in layer]
        # In place: new memory for every product takes three times as long.
        for value, gradient, mean, square, scratch in zip(
            flat, gradients, *self._moments, strict=True
        ):
            np.subtract(gradient, mean, out=scratch)
            scratch *= first
            mean += scratch
            np.multiply(gradient, gradient, out=scratch)
            scratch -= square
            scratch *= second
            square += scratch
            np.divide(square, np.float32(bias2), out=scratch)
            np.sqrt(scratch, out=scratch)
            scratch += np.float32(_EPSILON)
            np.multiply(mean, np.float32(rate / bias1), out=gradient)
            gradient /= scratch
            if value.ndim == 2:
                value *= np.float32(1 - rate * decay)
            value -= gradient


def fit_mlp(
    views: Sequence[AnyArray],
    shares: Float32,
    spec: HeadSpec,
    *,
    seed: int = 0,
    chance: Float64 | None = None,
    report: Callable[[int, float, MlpFit], None] = lambda epoch, loss, fit: None,
) -> MlpFit:
    """Fit an MLP with softmax outputs.

    A large batch is learned in two halves side by side, each on one core, their
    gradients added. How many cores there are changes no number.

    Args:
        views: float arrays of shape (n, d), standardised: the same images, each
            seen another way.
        shares: float32 array of shape (n, k): what is learned; rows sum to 1, or
            to the row's weight.
        spec: Widths, dropout, decay, rate, length, smoothing; its batch size is the
            largest, few rows take smaller ones.
        seed: Of weights, order, views and dropout.
        chance: float array of shape (n,) that sums to 1: how often a row is
            drawn; None draws every row once an epoch.
        report: Called after each epoch (from 1) with the mean training loss.

    Returns:
        The fitted layers.

    Raises:
        ValueError: Shapes do not fit.
    """
    from threadpoolctl import threadpool_limits  # late, like SciPy

    n, k = shares.shape
    if not views or any(len(view) != n for view in views):
        raise ValueError(f"every view needs the {n} rows of the shares")
    rng = np.random.default_rng(seed)
    fit = MlpFit(_begin(rng, (views[0].shape[1], *spec.widths, k)))
    goal = (1 - spec.smoothing) * shares + spec.smoothing * shares.sum(1, keepdims=True) / k
    size = min(spec.batch_size, max(_FEWEST, n // _STEPS), n)
    steps = spec.epochs * (n // size)
    batches = _batches(rng, views, goal.astype(np.float32), size, spec, chance)
    parts = 2 if size * sum(weight.size for weight, _ in fit.layers) >= _LARGE else 1
    spaces = [fit.like() for _ in range(parts)]  # new memory a step takes an eighth of it
    losses: list[float] = []
    # BLAS's own threads would wait for each other on the cores that the halves need.
    with threadpool_limits(max(1, cores() // 2), "blas"), ThreadPoolExecutor(2) as pool:
        coming = pool.submit(next, batches)
        for step in range(steps):
            batch = coming.result()
            halves = [
                pool.submit(fit.gradients, half, spec, size, space)
                for half, space in zip(batch.parts(parts), spaces, strict=True)
            ]
            coming = pool.submit(next, batches, batch)  # while the layers move
            loss, gradients = _added([half.result() for half in halves])
            fit.update(gradients, _rate(spec.learning_rate, step, steps), spec.weight_decay)
            losses.append(loss)
            if len(losses) == n // size:
                report((step + 1) // len(losses), float(np.mean(losses)), fit)
                losses.clear()
    return fit


def _added(halves: Sequence[tuple[float, list[Float32]]]) -> tuple[float, list[Float32]]:
    loss, gradients = halves[0]
    for more, others in halves[1:]:
        loss += more
        for total, other in zip(gradients, others, strict=True):
            total += other
    return loss, gradients


def _begin(rng: Generator, sizes: Sequence[int]) -> Layers:
    """He's initial weights; the last layer begins small, so all classes are alike."""
    layers = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        spread = np.sqrt(2 / inputs) * (0.2 if i == len(sizes) - 2 else 1.0)
        weight = rng.normal(0, spread, (inputs, outputs)).astype(np.float32)
        layers.append((weight, np.zeros(outputs, np.float32)))
    return layers


def _batches(
    rng: Generator,
    views: Sequence[AnyArray],
    goal: Float32,
    size: int,
    spec: HeadSpec,
    chance: Float64 | None,
) -> Iterator[Batch]:
    """Every step's rows and what it drops, in the order in which they are drawn."""
    n, d = len(views[0]), views[0].shape[1]
    for _ in range(spec.epochs):
        order = rng.permutation(n) if chance is None else rng.choice(n, n, p=chance)
        seen = rng.integers(len(views), size=n)
        for start in range(0, n - size + 1, size):
            rows = np.sort(order[start : start + size])  # by place: the arrays are large
            x = np.empty((size, d), np.float32)
            for i, source in enumerate(views):
                x[seen[rows] == i] = source[rows[seen[rows] == i]]
            yield Batch(x, goal[rows], _noise(rng, size, d, spec))


def _noise(rng: Generator, rows: int, width: int, spec: HeadSpec) -> list[Float32 | None]:
    """Uniform numbers for the input of every layer whose numbers may be dropped."""
    shares = [spec.input_dropout, *(spec.dropout for _ in spec.widths)]
    return [
        rng.random((rows, inputs), dtype=np.float32) if share else None
        for share, inputs in zip(shares, (width, *spec.widths), strict=True)
    ]


def _rate(base: float, step: int, steps: int) -> float:
    rise = min(1.0, (step + 1) / max(1.0, _WARMUP * steps))
    return base * rise * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def _dropped(x: Float32, share: float, noise: Float32 | None) -> tuple[Float32, Any]:
    """Some numbers set to 0, the others scaled up; and the factors."""
    if noise is None:
        return x, np.float32(1)
    kept = (noise >= share) * np.float32(1 / (1 - share))
    return x * kept, kept
