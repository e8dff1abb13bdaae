"""Learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facekit.recipe.schema import ScheduleSpec

__all__ = ["Plateau", "learning_rate"]


def learning_rate(
    base: float, spec: ScheduleSpec, step: int, steps_per_epoch: int, epochs: int, plateau: float
) -> float:
    """Learning rate of a step.

    Args:
        base: The recipe's learning rate.
        spec: Kind of schedule and length of the warm-up.
        step: Steps already made, from 0.
        steps_per_epoch: Steps of one epoch.
        epochs: Epochs of the whole run.
        plateau: Factor that ``Plateau`` has reached; 1 where no plateau counts.

    Returns:
        A positive number.
    """
    warmup = spec.warmup_epochs * steps_per_epoch
    rise = min(1.0, (step + 1) / warmup) if warmup > 0 else 1.0
    if spec.kind == "constant":
        return base * rise
    if spec.kind == "plateau":
        return max(base * rise * plateau, spec.floor)
    if spec.kind == "steps":
        return max(base * rise * plateau * _stepped(spec, step, steps_per_epoch), spec.floor)
    share = min(1.0, step / max(1, epochs * steps_per_epoch))
    return base * rise * max(1e-3, 0.5 * (1 + math.cos(math.pi * share)))


def _stepped(spec: ScheduleSpec, step: int, steps_per_epoch: int) -> float:
    """Product of the factors of all steps that are behind."""
    factors = spec.factors or (spec.factor,) * len(spec.at)
    done = [f for at, f in zip(spec.at, factors, strict=True) if step >= at * steps_per_epoch]
    return math.prod(done)


@dataclass
class Plateau:
    """Counts epochs without a better validation.

    Attributes:
        best: Lowest value so far.
        waited: Epochs since then.
        scale: Product of all reductions so far.
    """

    best: float = math.inf
    waited: int = 0
    scale: float = 1.0

    def observe(self, loss: float, spec: ScheduleSpec) -> bool:
        """Take in what an epoch's validation is judged by.

        Args:
            loss: What the recipe goes by, less is better: a loss, or 1 less an accuracy.
            spec: Patience and factor of the reduction.

        Returns:
            Whether this is the best epoch so far.
        """
        if loss < self.best:
            self.best, self.waited = loss, 0
            return True
        self.waited += 1
        if spec.reduces_on_plateau and self.waited % spec.patience == 0:
            self.scale *= spec.factor
        return False
