"""Networks out of ``keras.applications``, with their ImageNet weights where wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import keras
from keras import layers

from facekit.errors import RecipeError
from facekit.recipe.schema import BackboneSpec

#: Families by the name of their builder, with the value range that their published
#: preprocessing gives: "signed" is [-1, 1], "torch" is [0, 1] less ImageNet's mean by
#: its deviation, "raw" is 0 to 255 (the network normalises by itself).
BUILDERS: Final[dict[str, tuple[str, str]]] = {
    "mobilenetv2": ("MobileNetV2", "signed"),
    "resnet50v2": ("ResNet50V2", "signed"),
    "densenet121": ("DenseNet121", "torch"),
    "efficientnetv2b0": ("EfficientNetV2B0", "raw"),
}
#: Of red, green and blue in [0, 1] over ImageNet, as torchvision and Keras have them.
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
#: Highest share of the old average that a batch keeps when a network begins at random:
#: Keras's own default. MobileNetV2 is published with 0.999, for runs of a million steps;
#: after two epochs of 1,400 it still answered every image alike (with the statistics of
#: the batch it did not), and early stopping would have ended it there.
_MOMENTUM: Final = 0.99
_SIDE: Final = 224  # what the published weights were trained at


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Build the network with random weights.

    Begun at random, its batch averages keep at most 0.99; the graph is the same.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        spec: ``family`` and, of MobileNetV2, ``alpha``.

    Returns:
        ``grid``: the last grid.
    """
    values = BUILDERS[spec.family][1]
    if values == "signed":
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="to_signed")(crops)
    elif values == "torch":
        scale = [1 / (255 * deviation) for deviation in _DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
        x = layers.Rescaling(scale, offset=offset, name="to_standard")(crops)
    else:
        x = layers.Rescaling(1.0, name="to_float")(crops)
    body = _body(spec, input_tensor=x)
    if spec.weights == "none":
        _hasten_averages(body)
    return {"grid": body.output}


def _hasten_averages(body: keras.Model) -> None:
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MOMENTUM)


def read_weights(spec: BackboneSpec) -> keras.Model:
    """The network with the weights that a recipe names.

    Args:
        spec: ``weights`` is "imagenet" (downloaded once by Keras) or the path of a
            file of weights for the network without its top, such as Keras
            publishes.

    Returns:
        A Keras model whose layers are named as those of a backbone of the family.

    Raises:
        RecipeError: They cannot be had, or are of another network.
    """
    return _imagenet(spec) if spec.weights == "imagenet" else _from_file(spec)


def _imagenet(spec: BackboneSpec) -> keras.Model:
    try:
        return _body(spec, weights="imagenet", input_shape=(_SIDE, _SIDE, 3))
    except Exception as error:  # Keras raises plain ones, by what went wrong on the way
        reason = str(error).splitlines()[0].rstrip(".:") if str(error) else "no reason given"
        raise RecipeError(
            f"the ImageNet weights of {spec.family} cannot be had ({reason}): name a file with "
            "--set backbone.weights=FILE.h5, or begin at random with --set backbone.weights=none"
        ) from None


def _from_file(spec: BackboneSpec) -> keras.Model:
    path = Path(spec.weights).expanduser()
    model = _body(spec, input_shape=(_SIDE, _SIDE, 3))
    try:
        model.load_weights(path)
    except Exception as error:  # h5py, Keras and the file system each have their own
        reason = str(error).splitlines()[0].rstrip(".:") if str(error) else type(error).__name__
        raise RecipeError(
            f"backbone.weights={str(path)!r} cannot be read as weights of {spec.family} without "
            f"its top ({reason}): name another file, or --set backbone.weights=none"
        ) from None
    return model


def _body(spec: BackboneSpec, *, weights: str | None = None, **where: Any) -> keras.Model:
    settings = {"alpha": spec.alpha} if spec.family == "mobilenetv2" else {}
    builder = getattr(keras.applications, BUILDERS[spec.family][0])
    return builder(include_top=False, weights=weights, **settings, **where)
