"""The bundle that a transfer begins with: a given one, or the recipe's own backbone.

    <cache>/backbones/<family>-<hash>/    a bundle without heads, made once

The hash is of the network, its frame and its weights, so another file of weights
never meets an old backbone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from facekit.backbones.catalog import build_backbone, check_backbone, config_of, spec_from_config
from facekit.backbones.weights import (
    hash_weights,
    licences_of,
    load_weights,
    name_weights,
    require_file,
)
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import MANIFEST
from facekit.bundle.write import write_bundle
from facekit.errors import BundleError, RecipeError
from facekit.recipe.schema import BackboneSpec, Pool
from facekit.recipe.transfer import TransferRecipe
from facekit.system.files import locked
from facekit.system.home import cache_folder

_WAITING: Final = "waiting for another process that exports a backbone"


def open_model(recipe: TransferRecipe) -> Bundle | None:
    """The bundle whose backbone a recipe reads or trains on.

    Args:
        recipe: Its ``model``; where that is empty, its ``backbone``, ``frame`` and
            ``top.pool``, which are exported on the first call and found again by every
            other: then Keras is not needed.

    Returns:
        The bundle; None for the rung ``scratch``.

    Raises:
        FacekitError: There is no such bundle, none is named where one is needed, or
            the recipe's own backbone cannot be built.
    """
    if recipe.rung == "scratch":
        return None
    if recipe.model:
        return load_bundle(recipe.model)
    if recipe.rung != "frozen":
        raise RecipeError(
            f"rung={recipe.rung!r} trains the backbone of a finished run on, and {recipe.name} "
            "leaves open which: --set model=RUN/bundle"
        )
    check_backbone(recipe.backbone)
    require_file(recipe.backbone)
    root = cache_folder() / "backbones"
    folder = root / f"{recipe.backbone.family}-{_key(recipe)}"
    found = _read(folder)
    if found is not None:
        return found
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / "lock", _WAITING):
        return _read(folder) or _export(folder, recipe)


def _key(recipe: TransferRecipe) -> str:
    """Short hash of all that the exported backbone depends on."""
    from facekit._version import __version__

    pool = "average" if recipe.top is None else recipe.top.pool
    spec = recipe.backbone.model_copy(update={"identity_size": 0})
    seed = recipe.training.seed if spec.weights == "none" else None
    known = config_of(spec, pool), recipe.frame.build().key, hash_weights(spec), seed, __version__
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _read(folder: Path) -> Bundle | None:
    """What an earlier run exported; a damaged one is made again."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return load_bundle(folder)
    except BundleError:
        return None


def _export(folder: Path, recipe: TransferRecipe) -> Bundle:
    from facekit.training.backend import start_keras
    from facekit.training.keras import network_contents

    start_keras(seed=recipe.training.seed)
    network = open_network(recipe, None)
    spec, frame = network.spec, recipe.frame.build()
    contents = network_contents(spec.family, frame, network.backbone, spec, network.pool)
    origin = {"began": name_weights(spec)}
    return write_bundle(folder, replace(contents, training=origin, data_licences=licences_of(spec)))


# The Keras backbone of a recipe: a bundle's, or one from scratch.


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
    from facekit.training.keras import restore_backbone

    entry = bundle.manifest.backbone
    spec, own = spec_from_config(entry.family, entry.config)
    return Network(restore_backbone(bundle, pool), spec, pool or own)
