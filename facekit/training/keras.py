"""Start Keras on the chosen backend, quietly and reproducibly."""

from __future__ import annotations

import importlib.util
import math
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from facekit.backbones.catalog import build_backbone, spec_from_config
from facekit.backbones.inputs import PixelMean
from facekit.bundle.bundle import Bundle
from facekit.bundle.onnx import read_weights
from facekit.errors import MissingExtraError, UsageError
from facekit.recipe.schema import Pool
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


# Copy Keras variables out to NumPy and back.


def to_numpy(variable: Any) -> NDArray[Any]:
    """A copy of a variable's value, with its own dtype."""
    value = variable.value
    # NumPy 2 warns when it is handed a TensorFlow variable itself.
    return np.array(value.numpy() if hasattr(value, "numpy") else value)


def assign_all(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Give every variable its value.

    Raises:
        ValueError: Their numbers differ.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


# Count what a Keras network has learned.


def count_parameters(model: keras.Model) -> int:
    """Numbers of a network, moving statistics of its normalisation included.

    The mean training image is no part of the network: most write it outside.
    """
    other = sum(math.prod(x.mean.shape) for x in model.layers if isinstance(x, PixelMean))
    return int(model.count_params() - other)


def count_trainable(model: keras.Model) -> int:
    """Numbers that training changes."""
    return int(sum(math.prod(weight.shape) for weight in model.trainable_weights))


# Count multiply-adds of a Keras model.


def count_macs(model: Any) -> int:
    """Multiply-adds of convolutions and dense layers for one crop.

    Args:
        model: Built Keras model; nested models are counted too.

    Returns:
        A count in [0, inf).
    """
    total = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in {"Conv2D", "DepthwiseConv2D"}:
            height, width = layer.output.shape[1:3]
            total += math.prod(layer.kernel.shape) * height * width
        elif kind == "Dense":
            total += math.prod(layer.kernel.shape)
        elif hasattr(layer, "layers"):
            total += count_macs(layer)
    return int(total)


# A trained classifier as one ``.keras`` file, for whoever goes on in Keras.


def save_keras(model: keras.Model, path: Path) -> None:
    """Save a classifier with its softmax; whole or not at all.

    ``keras.saving.load_model`` reads it. Networks that are grey or that take a mean
    off have layers of facekit's own: import ``facekit.backbones.inputs`` first.

    Args:
        model: From ``classifier.build_classifier``.
        path: Ends with ``.keras``; its folder exists. From uint8 RGB crops
            (n, side, side, 3), 0 to 255, to probabilities (n, k), uncalibrated.
    """
    answer = keras.layers.Softmax(name="probabilities")(model.output["classes"])
    whole = keras.Model(model.input, answer, name="classifier")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".keras-") as folder:
        draft = Path(folder) / path.name
        with warnings.catch_warnings():  # how TensorFlow hands its variables to NumPy 2
            warnings.simplefilter("ignore", DeprecationWarning)
            whole.save(draft)
        os.replace(draft, path)


# Bring the backbone of a bundle back into Keras, for fine-tuning.


def restore_backbone(bundle: Bundle, pool: Pool | None = None) -> keras.Model:
    """Build the backbone of a bundle with its weights.

    The ONNX file keeps every variable under its own name, normalisation and all,
    so nothing else is needed; the weights were stored as float16.

    Args:
        bundle: Made by ``facekit pretrain``; start Keras first
            (``training.backend.start_keras``).
        pool: What ``pooled`` shall be; None keeps what it was.

    Returns:
        A Keras model from uint8 RGB crops (n, side, side, 3) to a dict of named
        parts, as ``backbones.catalog.build_backbone`` gives it.

    Raises:
        BundleError: The file lacks weights or has others.
        RecipeError: The bundle's family is not in the catalog.
    """
    entry = bundle.manifest.backbone
    spec, own = spec_from_config(entry.family, entry.config)
    model = build_backbone(spec, bundle.manifest.frame.side, pool or own)
    read_weights(str(bundle.graph), model)
    return model
