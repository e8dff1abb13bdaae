"""Weights that a backbone from scratch starts with, where the recipe names some."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from facekit.backbones.dlib_resnet import NAME as DLIB
from facekit.backbones.vggface import NAME as VGGFACE
from facekit.errors import RecipeError
from facekit.recipe.schema import BackboneSpec

if TYPE_CHECKING:
    import keras


#: Licence notes of published weights by family.
_LICENCES: Final = {
    "vggface": {
        "VGGFace": "non-commercial research only (Visual Geometry Group, University of Oxford)"
    },
    "dlib-resnet": {"dlib_face_recognition_resnet_model_v1": "public domain (CC0)"},
}


#: Files that the user has, and who publishes them.
_FILES: Final = {
    "vggface": f"{VGGFACE} (keras-vggface publishes it)",
    "dlib-resnet": f"{DLIB} (pip package face_recognition_models)",
}


def check_weights(spec: BackboneSpec) -> None:
    """Refuse at once weights that cannot be had; Keras has been started.

    Args:
        spec: The recipe's ``backbone``.

    Raises:
        RecipeError: There is no such file, or no connection, or they are of another
            network.
    """
    if spec.weights != "none":
        require_file(spec)
        _read(spec)


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
    require_file(spec)
    for name, values in _read(spec).items():
        own = backbone.get_layer(name).weights
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)


def _read(spec: BackboneSpec) -> Mapping[str, Sequence[Any]]:
    """The weights of every layer that has any, by its name."""
    path = Path(spec.weights).expanduser()
    if spec.family == "vggface":
        from facekit.backbones.vggface import read_file

        return read_file(path)
    if spec.family == "dlib-resnet":
        from facekit.backbones.dlib_resnet import read_file as read_dlib

        return read_dlib(path)
    from facekit.backbones import applications

    read = applications.read_weights(spec)
    return {layer.name: layer.weights for layer in read.layers if layer.weights}


def require_file(spec: BackboneSpec) -> None:
    """Refuse a file of weights that is not there; needs no Keras.

    Args:
        spec: The recipe's ``backbone``.

    Raises:
        RecipeError: None is named where the recipe leaves it to the user, or there is
            no such file.
    """
    if spec.weights in ("none", "imagenet"):
        return
    if not spec.weights and spec.family in _FILES:
        raise RecipeError(
            f"backbone.weights names no file: give your copy of {_FILES[spec.family]} "
            "with --set backbone.weights=FILE, or =none to try it at random"
        )
    if not spec.weights or not Path(spec.weights).expanduser().is_file():
        ways = "or none" if spec.family in _FILES else "imagenet or none"
        raise RecipeError(
            f"backbone.weights={spec.weights!r} is no file: give the path of one, {ways}"
        )


def hash_weights(spec: BackboneSpec) -> str:
    """What changes with the weights that a recipe names: of a file, its sha256."""
    path = Path(spec.weights).expanduser()
    if spec.weights in ("none", "imagenet") or not path.is_file():
        return spec.weights
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_weights(spec: BackboneSpec) -> str:
    """Where training started, for the manifest: no path of this machine."""
    if spec.weights == "none":
        return "random weights"
    if spec.weights == "imagenet":
        return f"ImageNet weights of {spec.family}, from keras.applications"
    path = Path(spec.weights).expanduser()
    digest = hash_weights(spec) if path.is_file() else "unknown"
    return f"{path.name}, sha256 {digest[:16]}"


def licences_of(spec: BackboneSpec) -> dict[str, str]:
    """Licence notes, by name, of the weights that a network begins with."""
    return {} if spec.weights == "none" else dict(_LICENCES.get(spec.family, {}))
