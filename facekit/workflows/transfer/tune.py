"""Rungs that train the backbone: the last stage, the whole network, or from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.arrays import Float64
from facekit.augment.mixing import Mixer, require_layers
from facekit.backbones.catalog import check_backbone
from facekit.backbones.weights import check_weights, licences_of, name_weights
from facekit.bundle.bundle import Bundle
from facekit.bundle.write import write_bundle
from facekit.cache.extract import extract
from facekit.heads.head import Head
from facekit.heads.kinds import calibrate_head, fit_linear
from facekit.recipe.transfer import TransferRecipe
from facekit.report.record import read_history
from facekit.system.terminal import tell
from facekit.workflows.teachers import teachers_licences, teaching, who_taught
from facekit.workflows.transfer.backbone import Network, open_network
from facekit.workflows.transfer.data import ClassData, class_weights, prior_shift, row_weights
from facekit.workflows.transfer.results import Learned

if TYPE_CHECKING:
    from facekit.training.batches import Batches
    from facekit.training.loop import Sitting, TrainingRun
    from facekit.training.teachers import Teacher, Teaching

#: Augmentation of a rare class at most, times that of the most common one: beyond,
#: expressions of 48 px are lost (by eye, on montages).
_STRONGEST = 2.0


@dataclass(frozen=True)
class FineTuning:
    """A fine-tuning after a sitting.

    Attributes:
        training: The run; ``restore_best`` puts the best weights into the models.
        network: The Keras backbone and what rebuilds it.
        model: The Keras classifier around it.
        sitting: What was done.
        trainable: How many numbers move.
    """

    training: TrainingRun
    network: Network
    model: Any
    sitting: Sitting
    trainable: int


def require_training(recipe: TransferRecipe, *, resume: bool = False) -> None:
    """Refuse at once what would only show after the images have been read.

    Args:
        recipe: Its rung is ``last``, ``full`` or ``scratch``.
        resume: A run that goes on has its weights in its checkpoint.

    Raises:
        FacekitError: Keras, its backend or what the recipe mixes with is missing, or
            there is no such backbone, or no such weights to begin with.
    """
    from facekit.training.backend import require_backend, start_keras
    from facekit.training.engine import require_engine

    require_engine(recipe)
    require_layers(recipe.mix, require_backend())
    if recipe.rung != "scratch":
        return
    check_backbone(recipe.backbone)
    if recipe.backbone.weights != "none" and not resume:
        start_keras(seed=recipe.training.seed)
        check_weights(recipe.backbone)


def finetune(
    run: Path,
    recipe: TransferRecipe,
    bundle: Bundle | None,
    data: ClassData,
    teachers: Sequence[Teacher] = (),
    *,
    resume: bool = False,
    epochs: int | None = None,
) -> FineTuning:
    """Train a classifier in a run folder; Keras has been started.

    Args:
        run: Run folder with the resolved recipe in it.
        recipe: Its rung is ``last``, ``full`` or ``scratch``.
        bundle: Whose backbone is trained on; None with ``scratch``.
        data: The classes.
        teachers: From ``workflows.teachers.choose_heads``.
        resume: Go on from the checkpoint.
        epochs: Train so many more and stop; None trains to the end.

    Returns:
        The training and what this sitting did.

    Raises:
        FacekitError: The backbone cannot be rebuilt, the run cannot be resumed.
    """
    from facekit.training.classifier import CLASSIFIER_PART, build_classifier, validate_classes
    from facekit.training.engine import predictor, run_type
    from facekit.training.journal import Journal
    from facekit.training.keras import count_trainable
    from facekit.training.trunk import measure_pixel_mean

    network = open_network(recipe, bundle, weights=not resume)
    recipe = recipe.model_copy(update={"backbone": network.spec})
    if bundle is None and not resume:
        measure_pixel_mean(network.backbone, data.crops, data.train)
    start = None
    if bundle is not None and not resume:
        size = int(network.backbone.output[CLASSIFIER_PART].shape[-1])
        start = choose_start(bundle, data, recipe, CLASSIFIER_PART, size)
    model = build_classifier(network.backbone, recipe, len(data.names), start)
    labels, frame = data.labels[data.val], data.source.cache.frame
    measure = partial(validate_classes, mirror=recipe.mirror, predict=predictor(recipe))
    with Journal(run, recipe.training.epochs) as journal:
        training = run_type(recipe)(
            run,
            recipe,
            model,
            _batches(recipe, data, teaching(recipe.distill, teachers, frame, data.names)),
            lambda: measure(model, data.crops, data.val, labels),
            f"val_{recipe.best}",
            journal.report,
            journal.progress,
        )
        if resume:
            training.resume()
        sitting = training.sit(epochs)
    return FineTuning(training, network, model, sitting, count_trainable(model))


def _batches(recipe: TransferRecipe, data: ClassData, teach: Teaching | None = None) -> Batches:
    from facekit.training.batches import Batches
    from facekit.training.classifier import ClassTargets

    balance, seed = recipe.head.balance, recipe.training.seed
    chance = stronger = None
    if balance in ("sampling", "augment"):
        weights = class_weights(data.labels[data.train], len(data.names))
        drawn = weights[data.labels[data.train]]
        chance = drawn / drawn.sum()
        if balance == "augment":
            stronger = _strengths(weights)[data.labels]
    return Batches(
        data.crops,
        data.train,
        ClassTargets(row_weights(data, balance).shares),
        recipe.augment,
        recipe.training.batch_size,
        seed,
        Mixer(recipe.mix, seed),
        chance,
        stronger,
        teach,
    )


def _strengths(weights: Float64) -> Float64:
    """How much more the images of a class are augmented, by how often they come back.

    1 for the most common class, at most ``_STRONGEST``: one of an image seen four times as
    often is twice as strong.
    """
    common = weights[weights > 0].min()
    factors: Float64 = np.clip(np.sqrt(weights / common), 1.0, _STRONGEST)
    return factors


def export_tuned(
    run: Path,
    recipe: TransferRecipe,
    tuned: FineTuning,
    data: ClassData,
    bundle: Bundle | None,
    teachers: Sequence[Bundle] = (),
) -> Learned:
    """The best epoch as a light backbone and a calibrated head.

    Args:
        run: Run folder; the backbone goes to ``backbone/`` in it.
        recipe: The resolved recipe.
        tuned: A finished fine-tuning.
        data: The classes.
        bundle: Whose backbone it began from; None from scratch.
        teachers: Who taught.

    Returns:
        What ``class_results.write_results`` takes.
    """
    from facekit.training.classifier import build_trunk, predict_logits, read_head
    from facekit.training.keras import network_contents, save_keras

    tuned.training.restore_best()
    if recipe.training.keras_file:
        save_keras(tuned.model, run / "model.keras")
    trunk = build_trunk(tuned.network.backbone)
    spec = tuned.network.spec.model_copy(update={"identity_size": 0})
    frame, pool = data.source.cache.frame, tuned.network.pool
    licences = licences_of(recipe.backbone) if bundle is None else bundle.manifest.data_licences
    licences = {**teachers_licences(teachers), **licences}
    contents = network_contents(recipe.name, frame, trunk, spec, pool)
    contents = replace(contents, training=_origin(recipe, bundle), data_licences=licences)
    made = write_bundle(run / "backbone", contents)
    logits = predict_logits(tuned.model, data.crops, data.val, mirror=recipe.mirror)
    shift = prior_shift(data, recipe.head.logit_adjustment)
    head = calibrate_head(read_head(tuned.model, data.names), logits, data.labels[data.val], shift)
    seconds = sum(float(row["seconds"]) for row in read_history(run / "metrics.jsonl"))
    taught = tuple(who_taught(teachers))
    return Learned(made, head, "", seconds, tuned.trainable, teachers=taught)


def _origin(recipe: TransferRecipe, bundle: Bundle | None) -> dict[str, Any]:
    """Where the weights began."""
    if bundle is None:
        return {"began": name_weights(recipe.backbone)}
    began = f"{bundle.name}, backbone {bundle.manifest.backbone.sha256[:16]}"
    return {"began": began, **bundle.manifest.training}


# What the layers on a backbone begin with when it is trained on.
#
# Fine-tuning from a fitted head forgets less: Kumar et al., "Fine-Tuning can Distort
# Pretrained Features", ICLR 2022.

#: Strength of the fitted head for each training row; any good start will do.
_L2 = 0.1


def choose_start(
    bundle: Bundle, data: ClassData, recipe: TransferRecipe, part: str, size: int
) -> Head | None:
    """The bundle's own head where the layers on top are like it, else a linear one.

    Args:
        bundle: Whose backbone is trained on.
        data: The classes.
        recipe: Its ``top``.
        part: What the layers read.
        size: How many numbers that is.

    Returns:
        The head; None where no fitted one has these layers, which is told on standard
        error.
    """
    if recipe.top is not None:
        wanted = [size, *recipe.top.widths, len(data.names)]
        for head in bundle.heads.values():
            if head.labels == data.names and head.parts == (part,) and _sizes(head) == wanted:
                return head
        if recipe.top.widths or bundle.parts.get(part) != (size,):
            tell(
                f"{bundle.name} has no head of {' to '.join(map(str, wanted))} numbers for these "
                "classes: the layers on top begin at random"
            )
            return None
    x = extract(data.crops, bundle, parts=[part], rows=data.train)[part]
    named = {"parts": (part,), "labels": data.names, "activation": "softmax"}
    labels = data.labels[data.train]
    return fit_linear(x, labels, l2=_L2 * len(x), classes=len(data.names), **named)


def _sizes(head: Head) -> list[int]:
    """Numbers from layer to layer; nothing where it is no chain of dense layers."""
    if head.channels or not head.dense:
        return []
    return [head.sizes[0], *(weight.shape[1] for weight, _ in head.dense)]
