"""Names of the backbone families, and the one way to build any of them.

The list of names needs no Keras; ``build_backbone`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from facekit.backbones.vggface import NAME as VGGFACE
from facekit.errors import RecipeError
from facekit.recipe.schema import BackboneSpec, Pool

if TYPE_CHECKING:
    import keras


#: Every family a recipe may name, and the keys of ``backbone`` that it reads beside
#: ``family``, ``dropout`` and ``identity_size``.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "compact": ("widths", "blocks"),
    "cnn": ("widths", "blocks", "colour", "l2"),
    "densenet-bc": ("depth", "growth", "compression", "colour", "l2"),
    "resnet-v1": ("depth", "colour", "l2"),
    "resnet-v2": ("depth", "colour", "l2"),
    "vggface": ("weights",),
    "mobilenetv2": ("alpha", "weights"),
    "resnet50v2": ("weights",),
    "densenet121": ("weights",),
    "efficientnetv2b0": ("weights",),
}
FAMILIES: Final[tuple[str, ...]] = tuple(KEYS)
_ALWAYS: Final = ("family", "dropout", "identity_size")

#: Own depth of a family, then what a depth is: so many layers for each unit, and so
#: many besides.
_DEPTHS: Final[dict[str, tuple[int, int, int]]] = {
    "densenet-bc": (100, 8, 4),
    "resnet-v1": (104, 6, 2),
    "resnet-v2": (155, 9, 2),
}

#: How the names of the last stage's layers begin; those of the compact and the plain
#: family follow from their number of stages.
_LAST_STAGE: Final[dict[str, tuple[str, ...]]] = {
    "densenet-bc": ("dense4_",),
    "resnet-v1": ("stage3_",),
    "resnet-v2": ("stage3_",),
    "vggface": ("conv5_",),
    "mobilenetv2": ("block_14", "block_15", "block_16", "Conv_1"),
    "resnet50v2": ("conv5", "post"),
    "densenet121": ("pool4", "conv5", "bn"),
    "efficientnetv2b0": ("block6", "top"),
}


def last_stage(family: str, stages: int = 4) -> tuple[str, ...]:
    """How the names of the layers begin that belong to the last stage.

    Args:
        family: One of ``FAMILIES``.
        stages: Of the compact and the plain family: how many it has.

    Returns:
        Prefixes for ``str.startswith``.

    Raises:
        RecipeError: The family does not exist.
    """
    check_family(family)
    counted = f"block{stages}_" if family == "cnn" else f"stage{stages}_"
    return _LAST_STAGE.get(family, (counted,))


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


def check_backbone(spec: BackboneSpec) -> None:
    """Refuse a family that does not exist, and what it cannot be.

    Args:
        spec: The recipe's ``backbone``.

    Raises:
        RecipeError: With one line: the family is unknown, does not know a key that
            is set, or cannot be so deep.
    """
    check_family(spec.family)
    usual = BackboneSpec()
    for key in BackboneSpec.model_fields:
        if key in _ALWAYS or key in KEYS[spec.family]:
            continue
        if getattr(spec, key) != getattr(usual, key):
            known = ", ".join((*KEYS[spec.family], *_ALWAYS[1:]))
            raise RecipeError(
                f"backbone.{key} says nothing to the family {spec.family}: leave it out "
                f"(it knows {known})"
            )
    if spec.family == "vggface" and spec.weights == "imagenet":
        raise RecipeError(
            "backbone.weights='imagenet' is not for vggface, whose weights are of faces: give "
            f"your copy of {VGGFACE} with --set backbone.weights=FILE, or none"
        )
    resolve_depth(spec)


def resolve_depth(spec: BackboneSpec) -> BackboneSpec:
    """The same with its family's own depth in the place of 0.

    Raises:
        RecipeError: The family cannot be so deep.
    """
    if spec.family not in _DEPTHS:
        return spec
    own, unit, rest = _DEPTHS[spec.family]
    depth = spec.depth or own
    if depth < unit + rest or (depth - rest) % unit:
        low = max(depth - (depth - rest) % unit, unit + rest)
        raise RecipeError(
            f"backbone.depth={depth} is no depth of {spec.family}, which has {unit}n + {rest}: "
            f"take {low} or {low + unit}"
        )
    return spec.model_copy(update={"depth": depth})


def config_of(spec: BackboneSpec, pool: Pool = "average") -> dict[str, Any]:
    """What a bundle's manifest says of its backbone.

    Args:
        spec: Of the recipe.
        pool: What ``pooled`` is.

    Returns:
        The keys that the family reads, as JSON; where training started is no part
        of the network.
    """
    keys = {*_ALWAYS, *KEYS[spec.family]} - {"weights"}
    known = resolve_depth(spec).model_dump(mode="json", include=keys)
    return known if pool == "average" else {**known, "pool": pool}


def spec_from_config(family: str, config: dict[str, Any]) -> tuple[BackboneSpec, Pool]:
    """What ``config_of`` was made from.

    Raises:
        pydantic.ValidationError: It was not.
    """
    known = {"family": family, **config}
    pool: Pool = known.pop("pool", "average")
    return BackboneSpec.model_validate(known), pool


def build_backbone(spec: BackboneSpec, side: int, pool: Pool = "average") -> keras.Model:
    """Build a backbone with random weights and named parts.

    Args:
        spec: Family and its numbers.
        side: Height and width of the crops in pixels.
        pool: What ``pooled`` is: averages, or the last grid flattened.

    Returns:
        A Keras model from uint8 RGB crops of shape (n, side, side, 3), 0 to 255,
        to a dict of float tensors: ``pooled`` (n, c) the average of the last grid
        (of every stage, of the compact family) or all of it, ``grid`` (n, g, g, c)
        the last grid, ``grid_mid`` (n, g, g, c) the grid before it pooled to the
        same size (compact family only) and ``identity`` (n, identity_size) when
        that size is not 0.

    Raises:
        RecipeError: The family does not exist or cannot be what ``spec`` says, or
            the crops are too small for it.
    """
    check_backbone(spec)
    spec = resolve_depth(spec)
    import keras
    from keras import layers

    inputs = keras.Input((side, side, 3), dtype="uint8", name="crops")
    try:
        parts = _parts(inputs, spec)
    except ValueError as error:
        raise RecipeError(
            f"a {spec.family} cannot be built on crops of {side} px "
            f"({str(error).splitlines()[0].rstrip('.')}): set a larger frame.side"
        ) from None
    if pool == "flatten":
        parts["pooled"] = layers.Flatten(name="grid_whole")(parts["grid"])
    elif "pooled" not in parts:
        parts["pooled"] = layers.GlobalAveragePooling2D(name="average")(parts["grid"])
    if spec.identity_size:
        x = layers.Flatten(name="grid_flat")(parts["grid"])
        x = layers.Dropout(spec.dropout / 2, name="identity_dropout")(x)
        parts["identity"] = layers.Dense(spec.identity_size, name="identity", dtype="float32")(x)
    outputs = {
        name: layers.Activation("linear", dtype="float32", name=f"part_{name}")(x)
        for name, x in sorted(parts.items(), key=lambda item: item[0] != "pooled")
    }
    return keras.Model(inputs, outputs, name="backbone")


def _parts(inputs: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """The parts that a family makes by itself; its Keras code is read here at last."""
    from facekit.backbones import applications, compact, densenet_bc, plain, resnet_cifar, vggface

    if spec.family in applications.BUILDERS:
        return applications.build_parts(inputs, spec)
    if spec.family == "vggface":
        return vggface.build_parts(inputs)
    own = {
        "compact": compact.build_parts,
        "cnn": plain.build_parts,
        "densenet-bc": densenet_bc.build_parts,
        "resnet-v1": resnet_cifar.build_v1,
        "resnet-v2": resnet_cifar.build_v2,
    }
    return own[spec.family](inputs, spec)
