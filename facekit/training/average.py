"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.training.variables import assign_all, to_numpy

__all__ = ["Average"]

_EVERY = 4  # steps between updates: the copy out of the backend costs milliseconds


class Average:
    """Averages weights over steps; with decay 0 it does nothing.

    Args:
        decay: Share of the old average kept at every step, in [0, 1).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay**_EVERY if decay else 0.0
        self.values: list[NDArray[np.float32]] = []

    def update(self, weights: Sequence[Any], step: int) -> None:
        """Take in the weights after a step, counted from the run's beginning."""
        if not self.decay or step % _EVERY:
            return
        current = [to_numpy(w) for w in weights]
        if not self.values:
            self.values = current
            return
        # Early on the average follows quickly, so that the first steps are soon forgotten.
        updates = step // _EVERY
        decay = min(self.decay, (1 + updates) / (10 + updates))
        for mean, value in zip(self.values, current, strict=True):
            mean += (1 - decay) * (value - mean)

    @contextmanager
    def applied(self, weights: Sequence[Any]) -> Iterator[None]:
        """Within the block, the model has the averaged weights."""
        if not self.decay or not self.values:  # a resumed run may have switched it off
            yield
            return
        kept = [to_numpy(w) for w in weights]
        assign_all(weights, self.values)
        try:
            yield
        finally:
            assign_all(weights, kept)
