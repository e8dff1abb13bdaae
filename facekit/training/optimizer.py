"""The optimiser of a recipe, and how its steps are compiled."""

from __future__ import annotations

import keras

from facekit.recipe.schema import OptimizerSpec

__all__ = ["build_optimizer", "use_jit"]


def build_optimizer(spec: OptimizerSpec) -> keras.optimizers.Optimizer:
    """The named optimiser, with a limit on the global gradient norm where wanted.

    Args:
        spec: Name, rate, decay, momentum and limit; the loop sets the rate before
            every step.

    Returns:
        An optimiser that decays neither normalisation nor biases.
    """
    shared = {"learning_rate": spec.learning_rate, "global_clipnorm": spec.clip_norm or None}
    if spec.name == "adam":
        return keras.optimizers.Adam(**shared)
    if spec.name == "rmsprop":
        return keras.optimizers.RMSprop(momentum=spec.momentum, **shared)
    if spec.name == "sgd":
        return keras.optimizers.SGD(momentum=spec.momentum, **shared)
    optimizer = keras.optimizers.AdamW(weight_decay=spec.weight_decay, **shared)
    # Normalisation and biases are not decayed: it only shrinks the scale of features.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def use_jit() -> bool:
    """XLA is how JAX runs; on TensorFlow's CPU kernels it measured a third slower."""
    return bool(keras.backend.backend() == "jax")
