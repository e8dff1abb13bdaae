"""A trained classifier as one ``.keras`` file, for whoever goes on in Keras."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import keras

__all__ = ["save_keras"]


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
