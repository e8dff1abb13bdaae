"""Fitting a multilayer perceptron on cached embeddings, with NumPy alone.

AdamW with a warm-up and a cosine (Loshchilov and Hutter, 2019), dropout, ReLU.
An epoch takes every image once, in one of its views: images, not views, are what
an epoch counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from facekit.arrays import AnyArray, Float32, Float64, Int64
from facekit.recipe.transfer import HeadSpec

Layers = list[tuple[Float32, Float32]]

#: AdamW's usual constants.
_BETAS: Final = (0.9, 0.999)
_EPSILON: Final = 1e-8
#: Share of the steps that the rate takes to rise.
_WARMUP: Final = 0.05
#: Few rows are learned in smaller batches: so many steps an epoch, of so many rows.
_STEPS, _FEWEST = 16, 16


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
        flat = [array for layer in self.layers for array in layer]
        self._moments = [[np.zeros_like(a) for a in flat] for _ in _BETAS]

    def logits(self, x: AnyArray) -> Float32:
        """Logits (n, k) of standardised rows (n, d)."""
        for weight, bias in self.layers[:-1]:
            x = np.maximum(x @ weight + bias, 0)
        weight, bias = self.layers[-1]
        return np.asarray(x @ weight + bias, np.float32)

    def learn(
        self, x: Float32, goal: Float32, rate: float, spec: HeadSpec, rng: Generator
    ) -> float:
        """One step on one batch.

        Args:
            x: float32 array of shape (b, d).
            goal: float32 array of shape (b, k): shares; rows may sum to a weight.
            rate: Learning rate of this step.
            spec: Dropout and weight decay.
            rng: Source of the dropout.

        Returns:
            The batch's mean loss.
        """
        inputs, active = [_dropped(x, spec.input_dropout, rng)[0]], []
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(inputs[-1] @ weight + bias, 0)
            kept, scale = _dropped(hidden, spec.dropout, rng)
            inputs.append(kept)
            active.append(scale * (hidden > 0))
        weight, bias = self.layers[-1]
        logits = inputs[-1] @ weight + bias
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        error = (np.exp(log_p) * goal.sum(1, keepdims=True) - goal) / np.float32(len(x))
        gradients: list[Float32] = []
        for i in range(len(self.layers) - 1, -1, -1):
            gradients[:0] = [inputs[i].T @ error, error.sum(0)]
            if i:
                error = (error @ self.layers[i][0].T) * active[i - 1]
        self._update(gradients, rate, spec.weight_decay)
        return float(-(goal * log_p).sum(1).mean())

    def _update(self, gradients: Sequence[Float32], rate: float, decay: float) -> None:
        self._step += 1
        first, second = (np.float32(beta) for beta in _BETAS)
        bias1, bias2 = (1 - beta**self._step for beta in _BETAS)
        flat = [array for layer in self.layers for array in layer]
        for value, gradient, mean, square in zip(flat, gradients, *self._moments, strict=True):
            mean += (1 - first) * (gradient - mean)
            square += (1 - second) * (gradient * gradient - square)
            if value.ndim == 2:
                value *= np.float32(1 - rate * decay)
            value -= np.float32(rate / bias1) * mean / (np.sqrt(square / bias2) + _EPSILON)


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
    n, k = shares.shape
    if not views or any(len(view) != n for view in views):
        raise ValueError(f"every view needs the {n} rows of the shares")
    rng = np.random.default_rng(seed)
    fit = MlpFit(_begin(rng, (views[0].shape[1], *spec.widths, k)))
    goal = (1 - spec.smoothing) * shares + spec.smoothing * shares.sum(1, keepdims=True) / k
    size = min(spec.batch_size, max(_FEWEST, n // _STEPS), n)
    steps = spec.epochs * (n // size)
    for epoch in range(spec.epochs):
        losses: list[float] = []
        for rows, view in _batches(rng, n, size, len(views), chance):
            rate = _rate(spec.learning_rate, epoch * (n // size) + len(losses), steps)
            x = np.empty((len(rows), views[0].shape[1]), np.float32)
            for i, source in enumerate(views):
                x[view == i] = source[rows[view == i]]
            losses.append(fit.learn(x, goal[rows].astype(np.float32), rate, spec, rng))
        report(epoch + 1, float(np.mean(losses)), fit)
    return fit


def _begin(rng: Generator, sizes: Sequence[int]) -> Layers:
    """He's initial weights; the last layer begins small, so all classes are alike."""
    layers = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        spread = np.sqrt(2 / inputs) * (0.2 if i == len(sizes) - 2 else 1.0)
        weight = rng.normal(0, spread, (inputs, outputs)).astype(np.float32)
        layers.append((weight, np.zeros(outputs, np.float32)))
    return layers


def _batches(
    rng: Generator, n: int, size: int, views: int, chance: Float64 | None
) -> Iterator[tuple[Int64, Int64]]:
    order = rng.permutation(n) if chance is None else rng.choice(n, n, p=chance)
    seen = rng.integers(views, size=n)
    for start in range(0, n - size + 1, size):
        rows = np.sort(order[start : start + size])  # by place: the arrays are large
        yield rows, seen[rows]


def _rate(base: float, step: int, steps: int) -> float:
    rise = min(1.0, (step + 1) / max(1.0, _WARMUP * steps))
    return base * rise * 0.5 * (1 + float(np.cos(np.pi * step / steps)))


def _dropped(x: Float32, share: float, rng: Generator) -> tuple[Float32, Any]:
    """Some numbers set to 0, the others scaled up; and the factors."""
    if not share:
        return x, np.float32(1)
    kept = (rng.random(x.shape, dtype=np.float32) >= share) * np.float32(1 / (1 - share))
    return x * kept, kept
