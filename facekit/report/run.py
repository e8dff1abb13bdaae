"""The report page of a run that learned attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Final

from facekit.evaluation.calibration import Reliability
from facekit.evaluation.measures import (
    AttributeIntervals,
    AttributeMetrics,
    ClassIntervals,
    ClassMetrics,
)
from facekit.evaluation.weighted import METRICS
from facekit.report.bars import ClassRow, GainRow, class_chart, gain_chart, range_mark
from facekit.report.charts import LARGEST, confusion_chart, greatest_confusions, reliability_chart
from facekit.report.curves import Curve, training_section
from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    figure,
    origin_sections,
    pairs,
    table,
    thumbnails,
    tiles,
)

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


# The report page of a head or network that tells classes apart.

#: Headline measures: title and name.
_HEADLINES_classes: Final = (
    ("Accuracy", "accuracy"),
    ("Macro F1", "macro_f1"),
    ("Balanced accuracy", "balanced_accuracy"),
    ("Calibration error", "ece"),
)
_CURVES: Final = (
    Curve("Loss", ("val_loss", "loss"), "loss"),
    Curve("Accuracy", ("val_accuracy", "accuracy"), "accuracy", share=True),
    Curve("Macro F1", ("val_macro_f1", "macro_f1"), "macro F1", share=True),
    Curve("Learning rate", ("lr",), "learning rate"),
)


@dataclass(frozen=True)
class ClassReport:
    """Everything the page shows.

    Attributes:
        title: Name of the run or bundle.
        subtitle: One line: what was measured, on what.
        metrics: From `class_metrics`.
        intervals: From `class_intervals`, same images.
        reliability: Of "the answer is right" against the probability of the
            answer; see `answer_reliability`.
        facts: Names and values about the model: rung, parameters, seconds.
        history: Rows of ``metrics.jsonl``, see `read_history`; may be empty.
        mistakes: Pictures of sure and wrong answers; real faces belong in the
            user's own folder only.
        recipe: The resolved recipe as text.
        provenance: Names and values: hashes, data, versions.
        command: How to get these numbers again.
    """

    title: str
    subtitle: str
    metrics: ClassMetrics
    intervals: ClassIntervals
    reliability: Reliability
    facts: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    mistakes: Sequence[Thumbnail] = ()
    recipe: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def class_page(report: ClassReport) -> str:
    """Render the page.

    Args:
        report: What to show; parts that are empty are left out.

    Returns:
        HTML, to be saved with `write_page`.
    """
    sections = [Section("", "", _headlines_classes(report))]
    if report.facts:
        sections.append(Section("The model", "", pairs(report.facts)))
    sections += [_classes(report), _confusion(report)]
    sections += training_section(report.history, _CURVES)
    sections.append(_calibration_classes(report))
    if report.mistakes:
        lead = (
            "Wrong answers given with the greatest confidence, four of the same kind at most. "
            "Many are wrong labels; the rest say what was not learned."
        )
        sections.append(Section("Most confident mistakes", lead, thumbnails(report.mistakes)))
    sections += origin_sections(report.command, report.provenance, report.recipe)
    return document(report.title, report.subtitle, sections, "Made by facekit.")


def _headlines_classes(report: ClassReport) -> str:
    means, baselines, out = report.metrics.means, report.metrics.baselines, []
    for title, name in _HEADLINES_classes:
        low, high = report.intervals.means[name]
        notes = [
            f"95 % interval {100 * low:.1f} to {_percent_classes(high)}",
            f"majority baseline {_percent_classes(baselines[name])}",
        ]
        if name == "ece":
            notes.append("lower is better")
        mark = range_mark(means[name], low, high, baselines[name])
        out.append(Tile(title, _percent_classes(means[name]), notes, mark))
    return tiles(out)


def _classes(report: ClassReport) -> Section:
    metrics, intervals = report.metrics, report.intervals
    low, high = intervals.low.tolist(), intervals.high.tolist()
    rows = [
        ClassRow(
            name.replace("_", " "),
            recall,
            (low[1][j], high[1][j]),
            precision,
            (low[0][j], high[0][j]),
            f1,
            int(metrics.support[j]),
        )
        for j, (name, precision, recall, f1) in enumerate(
            zip(metrics.names, *metrics.each.tolist(), strict=True)
        )
    ]
    rows.sort(key=lambda row: -math.inf if math.isnan(row.f1) else row.f1, reverse=True)
    title = "Every class"
    lead = f"Best F1 first. The thin line is the 95 % interval, {_unit_classes(intervals)}."
    return Section(title, lead, figure(class_chart(title, rows), wide=True))


def _unit_classes(intervals: ClassIntervals) -> str:
    plural = {"person": "people"}.get(intervals.unit, f"{intervals.unit}s")
    drawn = f"from {intervals.rounds:,} bootstrap redraws of {intervals.units:,} {plural}"
    return drawn if intervals.unit != "image" else f"Wilson's for recall, else {drawn}"


def _confusion(report: ClassReport) -> Section:
    title, metrics = "What is taken for what", report.metrics
    names = [name.replace("_", " ") for name in metrics.names]
    found = greatest_confusions(names, metrics.confusion)
    items = "".join(f"<li>{escape(one)}</li>" for one in found)
    words = f"<p>Greatest confusions:</p><ul>{items}</ul>" if found else "<p>No mistake.</p>"
    if len(names) > LARGEST:
        return Section(title, "", words)
    lead = "Rows are labels, columns are answers; shares are of the row."
    chart = confusion_chart(title, names, metrics.confusion)
    return Section(title, lead, figure(chart, wide=True) + words)


def _calibration_classes(report: ClassReport) -> Section:
    title = "Are the probabilities right?"
    text = (
        "<p>Where the model is 70 % sure of its answer, seven of ten such answers should be "
        "right: on the dotted line. Below it, the model is too sure of itself; above it, not "
        "sure enough.</p>"
        "<p>The calibration error at the top is the mean distance from that line, in 15 bins "
        "of equal width, each weighted by its answers. Mean log loss: "
        f"<b>{report.metrics.means['nll']:.3f}</b>.</p>"
    )
    chart = figure(reliability_chart(title, report.reliability, "of these, right"))
    return Section(title, "", f'<div class="side">{chart}<div>{text}</div></div>')


def _percent_classes(value: float) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.1f} %"
