"""Start Keras on the chosen backend, quietly and reproducibly."""

from __future__ import annotations

import importlib.util
import os

from facekit.errors import MissingExtraError, UsageError

__all__ = ["BACKENDS", "start_keras"]

#: What ``KERAS_BACKEND`` may name here; TensorFlow is the default.
BACKENDS = ("tensorflow", "jax")


def start_keras(*, seed: int = 0, precision: str = "float32") -> str:
    """Import Keras, fix the seeds and set the precision policy.

    Args:
        seed: For initial weights and dropout.
        precision: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.

    Returns:
        The name of the backend that runs.

    Raises:
        UsageError: ``KERAS_BACKEND`` names a backend facekit does not train on.
        MissingExtraError: Keras or the backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend not in BACKENDS:
        raise UsageError(f"KERAS_BACKEND is {backend!r}; facekit trains on {' or '.join(BACKENDS)}")
    for module in ("keras", backend):
        if importlib.util.find_spec(module) is None:
            instead = "or set KERAS_BACKEND=jax where JAX is installed"
            raise MissingExtraError(module, "train", instead if module == "tensorflow" else "")
    import keras

    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(precision)
    return str(keras.backend.backend())
