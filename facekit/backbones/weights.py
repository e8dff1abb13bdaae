"""Weights that a backbone from scratch starts with, where the recipe names some."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.errors import RecipeError
from facekit.recipe.network import BackboneSpec

if TYPE_CHECKING:
    import keras

__all__ = ["check_weights", "load_weights", "name_weights"]


def check_weights(spec: BackboneSpec) -> None:
    """Refuse at once weights that cannot be had; Keras has been started.

    Args:
        spec: The recipe's ``backbone``.

    Raises:
        RecipeError: There is no such file, or no connection, or they are of another
            network.
    """
    if spec.weights != "none":
        _require_file(spec)
        from facekit.backbones import applications

        applications.read_weights(spec)


def load_weights(backbone: keras.Model, spec: BackboneSpec) -> None:
    """Give a backbone the weights that its recipe names; with "none" it keeps its own.

    Args:
        backbone: From ``catalog.build_backbone``; changed in place.
        spec: ``weights`` is "none", "imagenet" (downloaded once by Keras) or the
            path of a file of Keras weights of the network without its top.

    Raises:
        RecipeError: They cannot be had, or are of another network.
    """
    if spec.weights == "none":
        return
    _require_file(spec)
    from facekit.backbones import applications

    for layer in applications.read_weights(spec).layers:
        if layer.weights:
            own = backbone.get_layer(layer.name).weights
            for variable, value in zip(own, layer.weights, strict=True):
                variable.assign(value)


def _require_file(spec: BackboneSpec) -> None:
    if spec.weights != "imagenet" and not Path(spec.weights).expanduser().is_file():
        raise RecipeError(
            f"backbone.weights={spec.weights!r} is no file: give the path of one, imagenet or none"
        )


def name_weights(spec: BackboneSpec) -> str:
    """Where training started, for the manifest: no path of this machine."""
    if spec.weights == "none":
        return "random weights"
    if spec.weights == "imagenet":
        return f"ImageNet weights of {spec.family}, from keras.applications"
    path = Path(spec.weights).expanduser()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "unknown"
    return f"{path.name}, sha256 {digest[:16]}"
