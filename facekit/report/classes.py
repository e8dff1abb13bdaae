"""The report page of a head or network that tells classes apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from facekit.evaluation.class_intervals import ClassIntervals
from facekit.evaluation.classification import ClassMetrics
from facekit.evaluation.reliability import Reliability
from facekit.report.class_bars import ClassRow, class_chart
from facekit.report.curves import Curve, training_section
from facekit.report.gains import range_mark
from facekit.report.matrix import LARGEST, confusion_chart, greatest_confusions
from facekit.report.origin import origin_sections
from facekit.report.page import Section, Thumbnail, Tile, document, figure, pairs, thumbnails, tiles
from facekit.report.plots import reliability_chart

__all__ = ["ClassReport", "class_page"]

#: Headline measures: title and name.
_HEADLINES: Final = (
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
    sections = [Section("", "", _headlines(report))]
    if report.facts:
        sections.append(Section("The model", "", pairs(report.facts)))
    sections += [_classes(report), _confusion(report)]
    sections += training_section(report.history, _CURVES)
    sections.append(_calibration(report))
    if report.mistakes:
        lead = (
            "Wrong answers given with the greatest confidence, four of the same kind at most. "
            "Many are wrong labels; the rest say what was not learned."
        )
        sections.append(Section("Most confident mistakes", lead, thumbnails(report.mistakes)))
    sections += origin_sections(report.command, report.provenance, report.recipe)
    return document(report.title, report.subtitle, sections, "Made by facekit.")


def _headlines(report: ClassReport) -> str:
    means, baselines, out = report.metrics.means, report.metrics.baselines, []
    for title, name in _HEADLINES:
        low, high = report.intervals.means[name]
        notes = [
            f"95 % interval {100 * low:.1f} to {_percent(high)}",
            f"majority baseline {_percent(baselines[name])}",
        ]
        if name == "ece":
            notes.append("lower is better")
        mark = range_mark(means[name], low, high, baselines[name])
        out.append(Tile(title, _percent(means[name]), notes, mark))
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
    lead = f"Best F1 first. The thin line is the 95 % interval, {_unit(intervals)}."
    return Section(title, lead, figure(class_chart(title, rows), wide=True))


def _unit(intervals: ClassIntervals) -> str:
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


def _calibration(report: ClassReport) -> Section:
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


def _percent(value: float) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.1f} %"
