"""The optimiser of a recipe, and how its steps are compiled."""

from __future__ import annotations

import keras

from facekit.recipe.schema import OptimizerSpec

__all__ = ["build_optimizer", "use_jit"]


def build_optimizer(spec: OptimizerSpec) -> keras.optimizers.Optimizer:
    """AdamW with a limit on the global gradient norm.

    Args:
        spec: Rate, decay and limit; the loop sets the rate before every step.

    Returns:
        An optimiser that decays neither normalisation nor biases.
    """
    optimizer = keras.optimizers.AdamW(
        spec.learning_rate,
        weight_decay=spec.weight_decay,
        global_clipnorm=spec.clip_norm or None,
    )
    # Normalisation and biases are not decayed: it only shrinks the scale of features.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def use_jit() -> bool:
    """XLA is how JAX runs; on TensorFlow's CPU kernels it measured a third slower."""
    return bool(keras.backend.backend() == "jax")
