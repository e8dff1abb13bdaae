"""Report page and card of a finished pretraining run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.evaluation.mistakes import most_confident_mistakes
from facekit.evaluation.reliability import reliability
from facekit.labels import ATTRIBUTES
from facekit.recipe.load import to_toml
from facekit.recipe.schema import PretrainRecipe
from facekit.report.attributes import AttributeReport, attribute_page
from facekit.report.card import measurements, model_card
from facekit.report.page import Thumbnail, write_page
from facekit.report.record import read_history, report_record, write_json
from facekit.workflows.evaluate import AttributeAnswers, Measured
from facekit.workflows.sources import Source

__all__ = ["card_of", "write_report"]


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
    answers: AttributeAnswers,
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
    training = bundle.manifest.training
    history = read_history(run / "metrics.jsonl")
    shared: dict[str, Any] = {
        "history": history,
        "provenance": _provenance(bundle),
        "command": training["command"],
    }
    metrics, intervals = measured.metrics, measured.intervals
    write_json(run / "report.json", report_record(measured.record, metrics, intervals, **shared))
    report = AttributeReport(
        title=recipe.name,
        subtitle=f"40 attributes on {metrics.n:,} validation images of {source.table.name}, "
        "each half of the people calibrated on the other",
        metrics=metrics,
        intervals=intervals,
        reliability=reliability(answers.labels, answers.probabilities),
        baseline=metrics.baselines["mean_accuracy"],
        mistakes=_mistakes(answers, source),
        recipe=to_toml(recipe),
        **shared,
    )
    write_page(run / "report.html", attribute_page(report))


def _mistakes(answers: AttributeAnswers, source: Source) -> list[Thumbnail]:
    places = source.places("val")
    out = []
    for wrong in most_confident_mistakes(answers.labels, answers.probabilities):
        said = wrong.probability if wrong.label == 0 else 1 - wrong.probability
        claim, label = ("yes", "no") if wrong.label == 0 else ("no", "yes")
        out.append(
            Thumbnail(
                np.array(source.cache.crops[places[wrong.row]]),
                ATTRIBUTES[wrong.column].replace("_", " "),
                (f"answered {claim}, {100 * said:.0f} % sure", f"label: {label}"),
            )
        )
    return out


def _provenance(bundle: Bundle) -> dict[str, str]:
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
