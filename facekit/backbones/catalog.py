"""Names of the backbone families, and the one way to build any of them.

The list of names needs no Keras; ``build_backbone`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from facekit.backbones.dlib_resnet import NAME as DLIB
from facekit.backbones.vggface import NAME as VGGFACE
from facekit.errors import RecipeError, nearest
from facekit.recipe.schema import BackboneSpec, Pool

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Family:
    """One kind of network.

    Attributes:
        name: What recipes call it.
        build: A function of crops (a Keras tensor) and the spec to named parts, at
            least ``grid``; or "module:function" in `facekit.backbones` that
            names one.
        keys: Keys of ``backbone`` that it reads beside ``_ALWAYS``.
        last_stage: How the names of the layers begin that belong to the last stage;
            ``{stages}`` stands for the number of stages.
        depth: Its own depth, then what a depth is: so many layers for each unit, and
            so many besides. None where it has no such number.
    """

    name: str
    build: str | Callable[[Any, BackboneSpec], dict[str, Any]]
    keys: tuple[str, ...]
    last_stage: tuple[str, ...]
    depth: tuple[int, int, int] | None = None

    def parts(self, crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
        """The parts that it makes by itself; its Keras code is read here at last."""
        build = self.build
        if isinstance(build, str):
            module, _, function = build.partition(":")
            build = getattr(import_module(f"facekit.backbones.{module}"), function)
        return build(crops, spec)


_ALWAYS: Final = ("family", "dropout", "identity_size")
_KERAS: Final = "applications:build_parts"
_GREY: Final = ("colour", "l2")
_DEPTH: Final = ("depth", *_GREY)
#: The last stage of MobileNetV2.
_BLOCKS: Final = ("block_14", "block_15", "block_16", "Conv_1")

#: Every family, by name; ``add_family`` adds another.
FAMILIES: dict[str, Family] = {
    one.name: one
    for one in (
        Family("compact", "compact:build_parts", ("widths", "blocks"), ("stage{stages}_",)),
        Family("cnn", "plain:build_parts", ("widths", "blocks", *_GREY), ("block{stages}_",)),
        Family(
            "densenet-bc",
            "densenet_bc:build_parts",
            ("depth", "growth", "compression", *_GREY),
            ("dense4_",),
            (100, 8, 4),
        ),
        Family("resnet-v1", "resnet_cifar:build_v1", _DEPTH, ("stage3_",), (104, 6, 2)),
        Family("resnet-v2", "resnet_cifar:build_v2", _DEPTH, ("stage3_",), (155, 9, 2)),
        Family("vggface", "vggface:build_parts", ("weights",), ("conv5_",)),
        Family("dlib-resnet", "dlib_resnet:build_parts", ("weights",), ("level4_",)),
        Family("mobilenetv2", _KERAS, ("alpha", "weights"), _BLOCKS),
        Family("resnet50v2", _KERAS, ("weights",), ("conv5", "post")),
        Family("densenet121", _KERAS, ("weights",), ("pool4", "conv5", "bn")),
        Family("efficientnetv2b0", _KERAS, ("weights",), ("block6", "top")),
    )
}


def add_family(family: Family) -> None:
    """Let recipes name another family.

    Raises:
        RecipeError: The name is taken.
    """
    if family.name in FAMILIES:
        raise RecipeError(f"a backbone family is called {family.name!r} already: take another name")
    FAMILIES[family.name] = family


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
    return tuple(one.format(stages=stages) for one in FAMILIES[family].last_stage)


def check_family(name: str) -> None:
    """Refuse a family that does not exist.

    Args:
        name: The recipe's ``backbone.family``.

    Raises:
        RecipeError: With the nearest name.
    """
    if name not in FAMILIES:
        raise RecipeError(f"backbone.family {name!r} is not known{nearest(name, FAMILIES)}")


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
        if key in _ALWAYS or key in FAMILIES[spec.family].keys:
            continue
        if getattr(spec, key) != getattr(usual, key):
            known = ", ".join((*FAMILIES[spec.family].keys, *_ALWAYS[1:]))
            raise RecipeError(
                f"backbone.{key} says nothing to the family {spec.family}: leave it out "
                f"(it knows {known})"
            )
    own = {"vggface": VGGFACE, "dlib-resnet": DLIB}.get(spec.family)
    if own and spec.weights == "imagenet":
        raise RecipeError(
            f"backbone.weights='imagenet' is not for {spec.family}, whose weights are of faces: "
            f"give your copy of {own} with --set backbone.weights=FILE, or none"
        )
    resolve_depth(spec)


def resolve_depth(spec: BackboneSpec) -> BackboneSpec:
    """The same with its family's own depth in the place of 0.

    Raises:
        RecipeError: The family cannot be so deep.
    """
    numbers = FAMILIES[spec.family].depth
    if numbers is None:
        return spec
    own, unit, rest = numbers
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
    keys = {*_ALWAYS, *FAMILIES[spec.family].keys} - {"weights"}
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
        parts = FAMILIES[spec.family].parts(inputs, spec)
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
