"""Keras networks as numbers: variables copied, parameters and multiply-adds counted, files."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from facekit.arrays import AnyArray
from facekit.backbones.catalog import build_backbone, config_of, spec_from_config
from facekit.backbones.layers import PixelMean
from facekit.bundle.bundle import Bundle
from facekit.bundle.onnx import read_weights, to_onnx
from facekit.bundle.write import BundleContents
from facekit.frame import FaceFrame
from facekit.recipe.schema import BackboneSpec, Pool


def to_numpy(variable: Any) -> AnyArray:
    """A copy of a variable's value, with its own dtype."""
    value = variable.value
    # NumPy 2 warns when it is handed a TensorFlow variable itself.
    return np.array(value.numpy() if hasattr(value, "numpy") else value)


def copies(variables: Sequence[Any]) -> list[Any]:
    """Copies of variables or arrays as tensors: none leaves the device."""
    return [keras.ops.copy(variable) for variable in variables]


def assign_all(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give every variable its value.

    Raises:
        ValueError: Their numbers differ.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def count_parameters(model: keras.Model) -> int:
    """Numbers of a network, moving statistics of its normalisation included.

    The mean training image is no part of the network: most write it outside.
    """
    other = sum(math.prod(x.mean.shape) for x in model.layers if isinstance(x, PixelMean))
    return int(model.count_params() - other)


def count_trainable(model: keras.Model) -> int:
    """Numbers that training changes."""
    return int(sum(math.prod(weight.shape) for weight in model.trainable_weights))


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


def network_contents(
    name: str, frame: FaceFrame, network: keras.Model, spec: BackboneSpec, pool: Pool = "average"
) -> BundleContents:
    """What a bundle holds of a backbone alone.

    Args:
        name: Of the bundle.
        frame: Of the crops that it reads.
        network: Crops to named parts.
        spec: What it was built from.
        pool: What it gives to the layers on top.
    """
    return BundleContents(
        name=name,
        version="1",
        frame=frame,
        onnx=to_onnx(network),
        family=spec.family,
        config=config_of(spec, pool),
        parameters=count_parameters(network),
        macs=count_macs(network),
    )


def save_keras(model: keras.Model, path: Path) -> None:
    """Save a classifier with its softmax; whole or not at all.

    ``keras.saving.load_model`` reads it. Networks that are grey or that take a mean
    off have layers of facekit's own: import ``facekit.backbones.layers`` first.

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
