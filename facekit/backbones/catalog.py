"""Names of the backbone families, and the one way to build any of them.

The list of names needs no Keras; ``build_backbone`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from facekit.errors import RecipeError

if TYPE_CHECKING:
    import keras

    from facekit.recipe.schema import BackboneSpec

__all__ = ["APPLICATIONS", "FAMILIES", "build_backbone", "check_family", "last_stage"]

#: Families that come from ``keras.applications``, by the name of their builder,
#: with the value range that their published preprocessing gives: "signed" is
#: [-1, 1], "raw" is 0 to 255 (the network normalises by itself).
APPLICATIONS: Final[dict[str, tuple[str, str]]] = {
    "mobilenetv2": ("MobileNetV2", "signed"),
    "resnet50v2": ("ResNet50V2", "signed"),
    "densenet121": ("DenseNet121", "signed"),
    "efficientnetv2b0": ("EfficientNetV2B0", "raw"),
}

#: Every family a recipe may name.
FAMILIES: Final[tuple[str, ...]] = ("compact", *APPLICATIONS)


#: How the names of the last stage's layers begin; the compact family's follow
#: from its number of stages.
_LAST_STAGE: Final[dict[str, tuple[str, ...]]] = {
    "mobilenetv2": ("block_14", "block_15", "block_16", "Conv_1"),
    "resnet50v2": ("conv5", "post"),
    "densenet121": ("pool4", "conv5", "bn"),
    "efficientnetv2b0": ("block6", "top"),
}


def last_stage(family: str, stages: int = 4) -> tuple[str, ...]:
    """How the names of the layers begin that belong to the last stage.

    Args:
        family: One of ``FAMILIES``.
        stages: Of the compact family: how many it has.

    Returns:
        Prefixes for ``str.startswith``.

    Raises:
        RecipeError: The family does not exist.
    """
    check_family(family)
    return _LAST_STAGE.get(family, (f"stage{stages}_",))


def check_family(name: str) -> None:
    """Refuse a family that does not exist.

    Args:
        name: The recipe's ``backbone.family``.

    Raises:
        RecipeError: With the nearest name.
    """
    if name in FAMILIES:
        return
    import difflib

    near = difflib.get_close_matches(name.lower(), FAMILIES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise RecipeError(f"backbone.family {name!r} is not one of {', '.join(FAMILIES)}{hint}")


def build_backbone(spec: BackboneSpec, side: int) -> keras.Model:
    """Build a backbone with random weights and named parts.

    Args:
        spec: Family and its numbers.
        side: Height and width of the crops in pixels.

    Returns:
        A Keras model from uint8 RGB crops of shape (n, side, side, 3), 0 to 255,
        to a dict of float tensors: ``pooled`` (n, c) the average of every stage,
        ``grid`` (n, g, g, c) the last grid, ``grid_mid`` (n, g, g, c) the grid
        before it pooled to the same size (compact family only) and ``identity``
        (n, identity_size) when that size is not 0.

    Raises:
        RecipeError: The family does not exist.
    """
    check_family(spec.family)
    import keras
    from keras import layers

    inputs = keras.Input((side, side, 3), dtype="uint8", name="crops")
    if spec.family == "compact":
        parts = _compact_parts(inputs, spec)
    else:
        parts = _application_parts(inputs, spec, side)
    if spec.identity_size:
        x = layers.Flatten(name="grid_flat")(parts["grid"])
        x = layers.Dropout(spec.dropout / 2, name="identity_dropout")(x)
        parts["identity"] = layers.Dense(spec.identity_size, name="identity", dtype="float32")(x)
    outputs = {
        name: layers.Activation("linear", dtype="float32", name=f"part_{name}")(x)
        for name, x in parts.items()
    }
    return keras.Model(inputs, outputs, name="backbone")


def _compact_parts(inputs: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    from keras import layers

    from facekit.backbones.compact import build_stages

    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="to_signed")(inputs)
    stages = build_stages(x, spec.widths, spec.blocks)
    averages = [
        layers.GlobalAveragePooling2D(name=f"average{i}")(x) for i, x in enumerate(stages, 1)
    ]
    return {
        "pooled": layers.Concatenate(name="averages")(averages),
        "grid": stages[-1],
        "grid_mid": layers.AveragePooling2D(2, padding="same", name="halve")(stages[-2]),
    }


def _application_parts(
    inputs: keras.KerasTensor, spec: BackboneSpec, side: int
) -> dict[str, keras.KerasTensor]:
    import keras
    from keras import layers

    builder, values = APPLICATIONS[spec.family]
    if values == "signed":
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="to_signed")(inputs)
    else:
        x = layers.Rescaling(1.0, name="to_float")(inputs)
    body = getattr(keras.applications, builder)(include_top=False, weights=None, input_tensor=x)
    grid = body.output
    return {"pooled": layers.GlobalAveragePooling2D(name="average")(grid), "grid": grid}
