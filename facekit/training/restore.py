"""Bring the backbone of a bundle back into Keras, for fine-tuning."""

from __future__ import annotations

import keras

from facekit.backbones.catalog import build_backbone, spec_from_config
from facekit.bundle.bundle import Bundle
from facekit.bundle.onnx_graph import read_weights
from facekit.recipe.network import Pool

__all__ = ["restore_backbone"]


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
