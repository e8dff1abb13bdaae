"""Start Keras on the chosen backend, quietly and reproducibly."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from facekit.errors import MissingExtraError, UsageError
from facekit.system.home import cache_folder
from facekit.system.terminal import silent_stderr

#: What ``KERAS_BACKEND`` may name here; TensorFlow is the default.
BACKENDS = ("tensorflow", "jax")


def require_backend() -> str:
    """Say early, without importing Keras, whether training can run here.

    Returns:
        What ``KERAS_BACKEND`` names, or ``tensorflow``.

    Raises:
        UsageError: ``KERAS_BACKEND`` names a backend facekit does not train on.
        MissingExtraError: Keras, the backend or onnx is not installed.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in BACKENDS:
        raise UsageError(f"KERAS_BACKEND is {backend!r}; facekit trains on {' or '.join(BACKENDS)}")
    extra = "jax" if backend == "jax" else "train"
    for module in (backend, "keras", "onnx"):  # onnx: a run ends with an export
        if importlib.util.find_spec(module) is None:
            instead = "or set KERAS_BACKEND=jax where JAX is installed"
            raise MissingExtraError(module, extra, instead if module == "tensorflow" else "")
    return backend


def start_keras(*, seed: int = 0, precision: str = "float32") -> str:
    """Import Keras, fix the seeds and set the precision policy.

    Args:
        seed: For initial weights and dropout.
        precision: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.

    Returns:
        The name of the backend that runs.

    Raises:
        UsageError: ``KERAS_BACKEND`` names a backend facekit does not train on.
        MissingExtraError: Keras, the backend or onnx is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Keras and matplotlib (which it imports) would leave folders in the user's home.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    if not (Path.home() / ".keras").exists():  # weights that are there already are used
        os.environ.setdefault("KERAS_HOME", str(cache_folder() / "keras"))
    os.environ["KERAS_BACKEND"] = require_backend()
    with silent_stderr():
        import keras

        keras.ops.zeros(1)  # the first operation makes the backend speak
        keras.utils.set_random_seed(seed)  # of TensorFlow too, which speaks beside JAX
    keras.mixed_precision.set_global_policy(precision)
    return str(keras.backend.backend())


def keras_version() -> str:
    """Version of the Keras that trains here."""
    import keras

    return str(keras.__version__)
