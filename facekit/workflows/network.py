"""The Keras backbone of a recipe: a bundle's, or one from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facekit.backbones.catalog import build_backbone, spec_from_config
from facekit.backbones.weights import load_weights
from facekit.bundle.bundle import Bundle
from facekit.recipe.network import BackboneSpec, Pool
from facekit.recipe.transfer import TransferRecipe

__all__ = ["Network", "open_network"]


@dataclass(frozen=True)
class Network:
    """A backbone and what rebuilds it.

    Attributes:
        backbone: The Keras model.
        spec: Its family and numbers; a bundle's own.
        pool: What it gives to the layers on top.
    """

    backbone: Any
    spec: BackboneSpec
    pool: Pool


def open_network(recipe: TransferRecipe, bundle: Bundle | None, *, weights: bool = True) -> Network:
    """Build the backbone that a recipe trains; Keras has been started.

    Args:
        recipe: Its ``top`` says what is pooled, its ``backbone`` and ``frame`` what
            is built where there is no bundle.
        bundle: Whose backbone is taken; None from scratch.
        weights: Whether a backbone from scratch gets those that the recipe names;
            a checkpoint has its own.

    Returns:
        The network.

    Raises:
        FacekitError: The backbone cannot be built, or its weights not be had.
    """
    pool = None if recipe.top is None else recipe.top.pool
    if bundle is None:
        spec = recipe.backbone.model_copy(update={"identity_size": 0})
        backbone = build_backbone(spec, recipe.frame.side, pool or "average")
        if weights:
            load_weights(backbone, spec)
        return Network(backbone, spec, pool or "average")
    from facekit.training.restore import restore_backbone

    entry = bundle.manifest.backbone
    spec, own = spec_from_config(entry.family, entry.config)
    return Network(restore_backbone(bundle, pool), spec, pool or own)
