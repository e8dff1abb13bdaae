"""Turn a trained trunk into a bundle, evaluated, with its report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.backbones.weights import licences_of, name_weights
from facekit.bundle.bundle import Bundle
from facekit.bundle.write import draft_bundle, write_bundle
from facekit.datasets.registry import SOURCES
from facekit.evaluation.calibration import reliability
from facekit.evaluation.mistakes import most_confident_mistakes
from facekit.recipe.load import to_toml
from facekit.recipe.schema import PretrainRecipe
from facekit.report.card import measurements, model_card
from facekit.report.page import Thumbnail, write_page
from facekit.report.record import Measured, Origin, read_history, report_record, strict, write_json
from facekit.report.run import RunReport, run_page
from facekit.system.files import write_atomically
from facekit.workflows.evaluate.answers import Answers, measure
from facekit.workflows.pretrain.heads import fit_attributes, majority
from facekit.workflows.pretrain.strangers import ship_strangers
from facekit.workflows.quantize import ship_int8
from facekit.workflows.run_folder import command_line
from facekit.workflows.sources import Source

#: Licence notes by source and by teacher.
_LICENCES: Final = {
    "celeba": SOURCES["celeba"].licences,
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
        epochs: Epochs that were trained.
        backend: Keras backend that trained them.
        teachers: By target, the teacher's name first, then where its vectors are from.
        licences: Of what models among them learned from.
    """

    backbone: Any
    epochs: int
    backend: str
    teachers: dict[str, str]
    licences: dict[str, str] = field(default_factory=dict)


def package(
    run: Path, recipe: PretrainRecipe, trained: Trained, source: Source, targets: Any
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
    from facekit.training.keras import network_contents

    frame, spec = recipe.frame.build(), recipe.backbone
    draft = network_contents(recipe.name, frame, trained.backbone, spec)
    trial = draft_bundle(draft)
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
        data_licences={**trained.licences, **_licences(training), **licences_of(spec)},
    )
    finished = draft_bundle(final, backbone=trial.backbone)
    card, strangers = card_of(finished, measured), ship_strangers(finished, source)
    bundle = write_bundle(run / "bundle", replace(final, card=card, files=strangers))
    ship_int8(bundle.folder, source, source.places("train"), source.places("val"))
    write_atomically(run / "card.md", (bundle.folder / "card.md").read_bytes())
    write_report(run, recipe, bundle, answers, measured, source)
    return bundle.folder, metrics


def _points(bundle: Bundle, recipe: PretrainRecipe, source: Source) -> Any:
    if not isinstance(source.table.images, list | tuple):
        return None  # a stream cannot be read again in any order
    from facekit.workflows.pretrain.heads import POINT_PARTS, fit_points

    paths = {
        split: [source.table.images[i] for i in np.flatnonzero(source.table.split == split)]
        for split in ("train", "val")
    }
    frame = recipe.frame.build()
    parts = POINT_PARTS if set(POINT_PARTS) <= set(bundle.manifest.parts) else ("grid",)
    return fit_points(
        paths["train"], paths["val"], frame, bundle.embed, parts=parts, seed=recipe.training.seed
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

    from facekit._version import __version__
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


def card_of(bundle: Bundle, measured: Measured) -> str:
    """The model card of a freshly trained bundle.

    Args:
        bundle: Its manifest says what it is.
        measured: On the validation images.

    Returns:
        Markdown.
    """
    command = f"facekit evaluate celeba --data DIR --split val --model {bundle.name}"
    rows = measurements(measured.record, measured.metrics.baselines, command)
    return model_card(bundle.manifest.model_dump(mode="json"), rows)


def write_report(
    run: Path,
    recipe: PretrainRecipe,
    bundle: Bundle,
    answers: Answers,
    measured: Measured,
    source: Source,
) -> None:
    """Write ``report.json`` and ``report.html``: curves, bars, calibration, mistakes.

    Args:
        run: Run folder; faces shown stay in it.
        recipe: The resolved recipe.
        bundle: For its hashes.
        answers: Cross-fitted answers on the validation images.
        measured: The same, as numbers.
        source: Crops and table.
    """
    command = str(bundle.manifest.training["command"])
    origin = Origin(command, _page_provenance(bundle), read_history(run / "metrics.jsonl"))
    write_json(run / "report.json", report_record(measured, origin))
    report = RunReport(
        title=recipe.name,
        subtitle=f"{len(answers.names)} attributes on {measured.metrics.n:,} validation images of "
        f"{source.table.name}, each half of the people calibrated on the other",
        measured=measured,
        reliability=reliability(answers.labels, answers.probabilities),
        mistakes=_mistakes(answers, source),
        recipe=to_toml(recipe),
        origin=origin,
    )
    write_page(run / "report.html", run_page(report))


def _mistakes(answers: Answers, source: Source) -> list[Thumbnail]:
    places = source.places("val")
    out = []
    for wrong in most_confident_mistakes(answers.labels, answers.probabilities):
        said = wrong.probability if wrong.label == 0 else 1 - wrong.probability
        claim, label = ("yes", "no") if wrong.label == 0 else ("no", "yes")
        out.append(
            Thumbnail(
                np.array(source.cache.crops[places[wrong.row]]),
                answers.names[wrong.answer].replace("_", " "),
                (f"answered {claim}, {100 * said:.0f} % sure", f"label: {label}"),
            )
        )
    return out


def _page_provenance(bundle: Bundle) -> dict[str, str]:
    backbone, training = bundle.manifest.backbone, bundle.manifest.training
    images = ", ".join(f"{n:,} {split}" for split, n in training["images"].items())
    return {
        "backbone": f"{backbone.family}, {backbone.parameters:,} parameters, "
        f"{backbone.macs / 1e6:.0f} M multiply-adds",
        "backbone sha256": backbone.sha256,
        "data": f"{training['data']}: {images}",
        "teachers": ", ".join(f"{k}: {v}" for k, v in training["teachers"].items()) or "none",
        "made with": f"facekit {training['facekit']}, Keras {training['keras']} on "
        f"{training['backend']}, Python {training['python']}",
    }
