"""What network a recipe makes: its layers and how many numbers they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from facekit.backbones.catalog import spec_from_config
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.datasets.registry import SOURCES
from facekit.errors import RecipeError
from facekit.labels import ATTRIBUTES, EMOTIONS
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import Recipe
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.pretrain.identity import learns_identity
from facekit.workflows.transfer.backbone import open_network
from facekit.workflows.transfer.fits import HEAD_FITS

#: Classes of a folder, which only its images tell: the fewest there can be.
_FEWEST: Final = 2
_CONVOLUTIONS: Final = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")

Row = dict[str, Any]


def describe_network(recipe: Recipe) -> dict[str, Any]:
    """Build the network of a recipe, without data and without pretrained weights.

    Args:
        recipe: Of any kind and rung; ``auto`` is described as its first, ``frozen``.

    Returns:
        ``name``, ``parameters`` (all numbers, moving statistics of normalisation
        included), ``trainable`` (those that training changes), ``layers`` and
        ``convolutions`` (how many), ``input`` (height, width, channels of what the
        network reads), ``outputs`` (how many numbers it answers with; for class
        folders 2, the fewest; for a person 1) and ``summary``: a row a layer with ``name``,
        ``kind``, ``shape`` without the batch, ``parameters``.

    Raises:
        FacekitError: The network cannot be built.
    """
    from facekit.training.backend import start_keras

    start_keras()
    if isinstance(recipe, PretrainRecipe):
        return _described(recipe, _pretrained(recipe), len(ATTRIBUTES), recipe.backbone.colour)
    if isinstance(recipe, EnrollRecipe):
        return _enrolled(recipe)
    classes = _classes(recipe)
    if recipe.rung in ("frozen", "auto"):
        return _frozen(recipe, classes)
    from facekit.training.classifier import build_classifier

    network = open_network(recipe, _bundle(recipe), weights=False)
    known = recipe.model_copy(update={"backbone": network.spec})
    model = build_classifier(network.backbone, known, classes, None)
    return _described(recipe, model, classes, network.spec.colour)


def _bundle(recipe: TransferRecipe) -> Bundle | None:
    """Whose backbone it is; None for the recipe's own, and where one is yet to be named."""
    return None if recipe.rung == "scratch" or not recipe.model else load_bundle(recipe.model)


def _classes(recipe: TransferRecipe) -> int:
    if recipe.data.classes:
        return len(recipe.data.classes)
    return _FEWEST if SOURCES[recipe.data.source].lenient else len(EMOTIONS)


def _pretrained(recipe: PretrainRecipe) -> Any:
    from facekit.backbones.catalog import build_backbone
    from facekit.training.trunk import Targets, build_trainer

    spec, vectors = recipe.backbone, None
    if not learns_identity(recipe):
        spec = spec.model_copy(update={"identity_size": 0})
    else:
        vectors = np.zeros((0, spec.identity_size), np.float32)
    targets = Targets(np.zeros((0, len(ATTRIBUTES)), np.int8), vectors)
    return build_trainer(build_backbone(spec, recipe.frame.side), recipe, targets)


def _described(recipe: Recipe, model: Any, outputs: int, colour: str) -> dict[str, Any]:
    from facekit.training.keras import count_parameters, count_trainable

    rows = [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "shape": list(layer.output.shape[1:]),
            "parameters": int(layer.count_params()),
        }
        for layer in model.layers
    ]
    height, width, channels = model.inputs[0].shape[1:]
    return {
        "name": recipe.name,
        "parameters": count_parameters(model),
        "trainable": count_trainable(model),
        "layers": len(rows),
        "convolutions": sum(row["kind"] in _CONVOLUTIONS for row in rows),
        "input": [height, width, 1 if colour == "grey" else channels],
        "outputs": outputs,
        "summary": rows,
    }


def _frozen(recipe: TransferRecipe, classes: int) -> dict[str, Any]:
    """The backbone as Keras has it, and the head that will be fitted on it."""
    network = open_network(recipe, _bundle(recipe), weights=False)
    shapes = {name: tuple(part.shape[1:]) for name, part in network.backbone.output.items()}
    rows = _head_rows(recipe, shapes, classes)
    return _with_head(recipe, network.backbone, network.spec.colour, rows, classes)


def _enrolled(recipe: EnrollRecipe) -> dict[str, Any]:
    """The bundle's backbone, and one neuron on the part that it reads."""
    from facekit.training.keras import restore_backbone

    bundle = load_bundle(recipe.model or None)
    part = recipe.head.part
    if part not in bundle.parts:
        raise RecipeError(f"head.part={part!r}: {bundle.name} has {', '.join(bundle.parts)}")
    entry = bundle.manifest.backbone
    colour = spec_from_config(entry.family, entry.config)[0].colour
    row = {"name": recipe.head.kind, "kind": "Dense", "shape": [1]}
    rows = [{**row, "parameters": math.prod(bundle.parts[part]) + 1}]
    return _with_head(recipe, restore_backbone(bundle), colour, rows, 1)


def _with_head(
    recipe: Recipe, backbone: Any, colour: str, rows: list[Row], outputs: int
) -> dict[str, Any]:
    """A frozen backbone and the rows of the head on it, which alone moves."""
    backbone.trainable = False
    told = _described(recipe, backbone, outputs, colour)
    fitted = sum(row["parameters"] for row in rows)
    return {
        **told,
        "parameters": told["parameters"] + fitted,
        "trainable": fitted,
        "layers": told["layers"] + len(rows),
        "summary": [*told["summary"], *rows],
    }


def _head_rows(
    recipe: TransferRecipe, shapes: Mapping[str, tuple[int, ...]], classes: int
) -> list[Row]:
    """What ``heads`` will hold: channels of parts, then one layer or several."""
    rows, d = [], 0
    for part in recipe.features.parts:
        if part not in shapes:
            continue
        *grid, channels = shapes[part]
        keep = recipe.features.channels.get(part, 0)
        if 0 < keep < channels:
            row = {"name": f"channels {part}", "kind": "Channels", "shape": [*grid, keep]}
            rows.append({**row, "parameters": channels * keep})
            channels = keep
        d += math.prod(grid) * channels
    sizes = [d, *HEAD_FITS[recipe.head.kind].hidden(recipe.head), classes]
    for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        row = {"name": f"head {i}", "kind": "Dense", "shape": [outputs]}
        rows.append({**row, "parameters": inputs * outputs + outputs})
    return rows
