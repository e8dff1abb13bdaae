"""Turn a trained trunk into a bundle, evaluated, with its report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.backbones.catalog import config_of
from facekit.backbones.weights import licences_of, name_weights
from facekit.bundle.bundle import Bundle
from facekit.bundle.write import BundleContents, write_bundle
from facekit.heads.linear import LinearHead
from facekit.labels import ATTRIBUTES
from facekit.recipe.schema import PretrainRecipe
from facekit.report.card import write_card
from facekit.report.record import strict
from facekit.workflows.attributes import fit_attributes, majority
from facekit.workflows.command_line import command_line
from facekit.workflows.evaluate import measure
from facekit.workflows.results import card_of, write_report
from facekit.workflows.sources import Source
from facekit.workflows.strangers import ship_strangers

__all__ = ["Trained", "package"]

#: Licence notes by source and by teacher.
_LICENCES: Final = {
    "celeba": {
        "CelebA": "images for non-commercial research only; weights trained on data released "
        "for non-commercial research"
    },
    "cartoon": {"cartoon": "drawn by facekit, no licence needed"},
    "dlib": {
        "dlib_face_recognition_resnet_model_v1": "public domain (CC0); its outputs were targets"
    },
}


@dataclass(frozen=True)
class Trained:
    """What a finished training hands over.

    Attributes:
        backbone: The Keras backbone.
        trainer: The Keras model around it, with the training heads.
        epochs: Epochs that were trained.
        backend: Keras backend that trained them.
        teachers: By target, the teacher's name first, then where its vectors are from.
    """

    backbone: Any
    trainer: Any
    epochs: int
    backend: str
    teachers: dict[str, str]


def package(
    run: Path,
    recipe: PretrainRecipe,
    trained: Trained,
    source: Source,
    targets: Any,
) -> tuple[Path, dict[str, Any]]:
    """Export, calibrate, evaluate on validation and write ``bundle/`` and the report.

    Args:
        run: Run folder.
        recipe: The resolved recipe.
        trained: The networks and how they came about.
        source: Table and crops of the training and validation images.
        targets: What the trunk learned from.

    Returns:
        The bundle's folder and the validation metrics.
    """
    from facekit.bundle.onnx_graph import to_onnx
    from facekit.training.macs import count_macs

    backbone = trained.backbone
    head = _plain_head(trained.trainer)
    draft = _contents(recipe, backbone, to_onnx(backbone), head, count_macs(backbone))
    trial = write_bundle(run / "trial", draft)  # uncalibrated: only a finished one is "bundle"
    head, answers, mirror = fit_attributes(trial, source)
    heads = {"attributes": head}
    notes: dict[str, Any] = {
        "attributes": {"train_majority": majority(source), "calibrated_on": "val"}
    }
    points = _points(trial, recipe, source)
    if points is not None:
        heads["points"], notes["points"] = points
    measured = measure(answers, dataset=source.table.name, split="val", model=recipe.name)
    metrics = strict(
        {
            **{f"val_{name}": value for name, value in measured.record["metrics"].items()},
            **_identity_cosine(trial, source, targets),
        }
    )
    training = _provenance(recipe, source, trained)
    final = replace(
        draft,
        heads=heads,
        half=True,
        head_metrics=notes,
        mirror=mirror,
        metrics=metrics,
        training=training,
        data_licences={**_licences(training), **licences_of(recipe.backbone)},
    )
    card = card_of(write_bundle(run / "trial", final), measured)
    bundle = ship_strangers(write_bundle(run / "bundle", replace(final, card=card)), source)
    shutil.rmtree(run / "trial")
    write_card(run / "card.md", card)
    write_report(run, recipe, bundle, answers, measured, source)
    return bundle.folder, metrics


def _contents(
    recipe: PretrainRecipe, backbone: Any, onnx: bytes, head: LinearHead, macs: int
) -> BundleContents:
    from facekit.training.parameters import count_parameters

    return BundleContents(
        name=recipe.name,
        version="1",
        frame=recipe.frame.build(),
        onnx=onnx,
        family=recipe.backbone.family,
        config=config_of(recipe.backbone),
        parameters=count_parameters(backbone),
        macs=macs,
        heads={"attributes": head},
    )


def _plain_head(trainer: Any) -> LinearHead:
    """The trainer's last layer as arrays."""
    from facekit.training.multitask import ATTRIBUTE_PARTS
    from facekit.training.variables import to_numpy

    layer = trainer.get_layer("attributes")
    weight, bias = to_numpy(layer.kernel), to_numpy(layer.bias)
    return LinearHead(parts=ATTRIBUTE_PARTS, labels=ATTRIBUTES, weight=weight, bias=bias)


def _points(bundle: Bundle, recipe: PretrainRecipe, source: Source) -> Any:
    if not isinstance(source.table.images, list | tuple):
        return None  # a stream cannot be read again in any order
    from facekit.workflows.points import POINT_PARTS, fit_points

    paths = {
        split: [source.table.images[i] for i in np.flatnonzero(source.table.split == split)]
        for split in ("train", "val")
    }
    frame = recipe.frame.build()
    parts = POINT_PARTS if set(POINT_PARTS) <= set(bundle.manifest.parts) else ("grid",)
    return fit_points(
        paths["train"],
        paths["val"],
        frame,
        bundle.embed,
        parts=parts,
        seed=recipe.training.seed,
    )


def _identity_cosine(bundle: Bundle, source: Source, targets: Any) -> dict[str, float]:
    if targets.identity is None:
        return {}
    places = source.places("val")
    wanted = targets.identity[places]
    vectors = bundle.embed(source.cache.crops[places], ["identity"])["identity"]
    norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    seen = (wanted**2).sum(1) > 0.5
    if not seen.any():
        return {}
    return {"val_identity_cosine": float(((vectors * wanted).sum(1) / norms)[seen].mean())}


def _provenance(recipe: PretrainRecipe, source: Source, trained: Trained) -> dict[str, Any]:
    import platform

    from facekit import __version__
    from facekit.training.backend import keras_version

    return {
        "recipe": recipe.name,
        "began": name_weights(recipe.backbone),
        "data": source.table.name,
        "images": {s: int((source.table.split == s).sum()) for s in ("train", "val")},
        "teachers": trained.teachers,
        "epochs": trained.epochs,
        "backend": trained.backend,
        "keras": keras_version(),
        "facekit": __version__,
        "python": platform.python_version(),
        "command": command_line(),
    }


def _licences(training: dict[str, Any]) -> dict[str, str]:
    used = [training["data"], *(said.split()[0] for said in training["teachers"].values())]
    return {name: note for key in used for name, note in _LICENCES.get(key, {}).items()}
