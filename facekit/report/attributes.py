"""The report page of a run that learned attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from facekit.evaluation.metrics import AttributeIntervals, AttributeMetrics
from facekit.evaluation.reliability import Reliability
from facekit.evaluation.weighted import METRICS
from facekit.report.curves import Curve, training_section
from facekit.report.gains import GainRow, gain_chart, range_mark
from facekit.report.origin import origin_sections
from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    figure,
    table,
    thumbnails,
    tiles,
)
from facekit.report.plots import reliability_chart

__all__ = ["AttributeReport", "attribute_page"]

#: Headline measures: title and name.
_HEADLINES: Final = (
    ("Mean accuracy", "mean_accuracy"),
    ("Balanced accuracy", "balanced_accuracy"),
    ("Average precision", "average_precision"),
    ("Calibration error", "ece"),
)
#: Training curves before all others.
_LOSS: Final = Curve("Loss", ("val_loss", "loss"), "loss")
_ACCURACY: Final = Curve("Mean accuracy on validation", ("mean_accuracy",), "accuracy", share=True)
_TEACHER: Final = Curve("Agreement with the identity teacher", ("identity_cosine",), "cosine")
_RATE: Final = Curve("Learning rate", ("lr",), "learning rate")


@dataclass(frozen=True)
class AttributeReport:
    """Everything the page shows.

    Attributes:
        title: Name of the run or bundle.
        subtitle: One line: what was measured, on what, when.
        metrics: From `attribute_metrics`.
        intervals: From `attribute_intervals`, same images.
        reliability: All attributes together.
        baseline: Majority accuracy on the validation images, drawn in the
            training curve; NaN leaves it out.
        history: Rows of ``metrics.jsonl``, see `read_history`; may be empty.
        mistakes: Pictures of sure and wrong answers; real faces belong in the
            user's own folder only.
        recipe: The resolved recipe as text.
        provenance: Names and values: hashes, data, versions.
        command: How to get these numbers again.
    """

    title: str
    subtitle: str
    metrics: AttributeMetrics
    intervals: AttributeIntervals
    reliability: Reliability
    baseline: float = math.nan
    history: Sequence[Mapping[str, Any]] = ()
    mistakes: Sequence[Thumbnail] = ()
    recipe: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def attribute_page(report: AttributeReport) -> str:
    """Render the page.

    Args:
        report: What to show; parts that are empty are left out.

    Returns:
        HTML, to be saved with `write_page`.
    """
    accuracy = replace(_ACCURACY, reference=(report.baseline, "majority baseline"))
    sections = [
        Section("", "", _headlines(report)),
        _attributes(report),
        *training_section(report.history, (_LOSS, accuracy, _TEACHER, _RATE)),
        _calibration(report),
    ]
    if report.mistakes:
        lead = (
            "Wrong answers given with the greatest confidence, one for each image and two for "
            "each attribute at most. Many are wrong labels; the rest say what was not learned."
        )
        sections.append(Section("Most confident mistakes", lead, thumbnails(report.mistakes)))
    sections.append(Section("All numbers", "", _numbers(report)))
    sections += origin_sections(report.command, report.provenance, report.recipe)
    return document(report.title, report.subtitle, sections, "Made by facekit.")


def _headlines(report: AttributeReport) -> str:
    means, baselines = report.metrics.means, report.metrics.baselines
    counted, out = report.metrics.counted, []
    for title, name in _HEADLINES:
        low, high = report.intervals.means[name]
        notes = [
            f"95 % interval {_plain(low)} to {_percent(high)}",
            f"majority baseline {_percent(baselines[name])}",
        ]
        if name == "ece":
            notes.append("lower is better")
        if counted[name] < len(report.metrics.names):
            notes.append(f"over {counted[name]} of {len(report.metrics.names)} attributes")
        mark = range_mark(means[name], low, high, baselines[name])
        out.append(Tile(title, _percent(means[name]), notes, mark))
    return tiles(out)


def _attributes(report: AttributeReport) -> Section:
    values, low, high = report.metrics.values, report.intervals.low, report.intervals.high
    rows = [
        GainRow(name, float(values[0, j]), float(low[0, j]), float(high[0, j]), float(values[4, j]))
        for j, name in enumerate(report.metrics.names)
    ]
    rows.sort(key=lambda row: -math.inf if math.isnan(row.value) else row.value, reverse=True)
    lead = (
        "Each bar runs from what always giving the commoner answer gets to what was measured, "
        f"best first. The thin line is the 95 % interval, {_unit(report)}."
    )
    title = "Accuracy of every attribute"
    return Section(title, lead, figure(gain_chart(title, rows, "majority class"), wide=True))


def _calibration(report: AttributeReport) -> Section:
    title = "Are the probabilities right?"
    text = (
        "<p>Where the model says 70 %, the attribute should be there in seven of ten cases: "
        "on the dotted line. Above it, attributes are there more often than was said; below it, "
        "less often.</p>"
        "<p>The calibration error at the top is the mean over the attributes of the mean "
        "distance from that line, in 15 bins of equal width, each weighted by its answers. "
        "This curve takes all attributes together, so its own error, "
        f"<b>{_percent(report.reliability.error, 2)}</b>, is smaller.</p>"
    )
    chart = figure(reliability_chart(title, report.reliability))
    return Section(title, "", f'<div class="side">{chart}<div>{text}</div></div>')


def _numbers(report: AttributeReport) -> str:
    names = [name.replace("_", " ") for name in METRICS]
    rows = []
    for j, name in enumerate(report.metrics.names):
        cells = [_percent(float(value)) for value in report.metrics.values[:, j]]
        counts = (report.metrics.positives[j], report.metrics.known[j])
        rows.append([name.replace("_", " "), *cells, *(f"{count:,}" for count in counts)])
    names[METRICS.index("ece")] = "calibration error"
    return table(["attribute", *names, "positives", "known"], rows)


def _unit(report: AttributeReport) -> str:
    people = "people" if report.intervals.unit == "person" else "images"
    return f"from {report.intervals.rounds:,} bootstrap redraws of {people}"


def _plain(value: float, digits: int = 1) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f}"


def _percent(value: float, digits: int = 1) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f} %"
