"""The optimiser of a recipe, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facekit.recipe.schema import OptimizerSpec, ScheduleSpec

if TYPE_CHECKING:
    import keras


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


def build_optimizer(spec: OptimizerSpec) -> keras.optimizers.Optimizer:
    """The named optimiser, with a limit on the global gradient norm where wanted.

    Args:
        spec: Name, rate, decay, momentum and limit; the loop sets the rate before
            every step.

    Returns:
        An optimiser that decays neither normalisation nor biases.
    """
    from keras import optimizers  # late: the rates are pure numbers

    shared = {"learning_rate": spec.learning_rate, "global_clipnorm": spec.clip_norm or None}
    if spec.name == "adam":
        return optimizers.Adam(**shared)
    if spec.name == "rmsprop":
        return optimizers.RMSprop(momentum=spec.momentum, **shared)
    if spec.name == "sgd":
        return optimizers.SGD(momentum=spec.momentum, **shared)
    optimizer = optimizers.AdamW(weight_decay=spec.weight_decay, **shared)
    # Normalisation and biases are not decayed: it only shrinks the scale of features.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def use_jit() -> bool:
    """XLA is how JAX runs; on TensorFlow's CPU kernels it measured a third slower."""
    import keras

    return bool(keras.backend.backend() == "jax")
