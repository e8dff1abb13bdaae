"""The report page of a run that learned attributes or classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from facekit.evaluation.calibration import Reliability
from facekit.evaluation.measures import AttributeMetrics, ClassMetrics, Intervals
from facekit.evaluation.weighted import METRICS, PER_CLASS
from facekit.report.bars import ClassRow, GainRow, class_chart, gain_chart, range_mark
from facekit.report.charts import (
    LARGEST,
    Line,
    confusion_chart,
    greatest_confusions,
    line_chart,
    reliability_chart,
)
from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    figure,
    origin_sections,
    pairs,
    percent,
    table,
    thumbnails,
    tiles,
)
from facekit.report.record import Measured, Metrics, Origin

#: Headline measures, of attributes or of classes, and their titles.
_HEADLINES: Final = {
    "mean_accuracy": "Mean accuracy",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "balanced_accuracy": "Balanced accuracy",
    "average_precision": "Average precision",
    "ece": "Calibration error",
}


@dataclass(frozen=True)
class Curve:
    """One chart.

    Attributes:
        title: Above the chart.
        keys: Of the history, drawn where they are there; at most three.
        unit: Name of the vertical axis.
        share: Values are shares, written as percent.
        reference: A level to compare with and its name; NaN draws none.
    """

    title: str
    keys: tuple[str, ...]
    unit: str
    share: bool = False
    reference: tuple[float, str] = (math.nan, "")


#: Training curves before all others.
_LOSS: Final = Curve("Loss", ("val_loss", "loss"), "loss")
_RATE: Final = Curve("Learning rate", ("lr",), "learning rate")
_TEACHER: Final = Curve("Agreement with the identity teacher", ("identity_cosine",), "cosine")
_CLASS_CURVES: Final = (
    _LOSS,
    Curve("Accuracy", ("val_accuracy", "accuracy"), "accuracy", share=True),
    Curve("Macro F1", ("val_macro_f1", "macro_f1"), "macro F1", share=True),
    _RATE,
)
_WRONG_ATTRIBUTES: Final = "one for each image and two for each attribute at most"
_WRONG_CLASSES: Final = "four of the same kind at most"


@dataclass(frozen=True)
class RunReport:
    """Everything the page shows.

    Attributes:
        title: Name of the run or bundle.
        subtitle: One line: what was measured, on what.
        measured: What was measured.
        reliability: Of all attributes together, or of "the answer is right" against
            the probability of the answer; see `answer_reliability`.
        facts: Names and values about the model: rung, parameters, seconds.
        mistakes: Pictures of sure and wrong answers; real faces belong in the
            user's own folder only.
        recipe: The resolved recipe as text.
        origin: Where the numbers come from.
    """

    title: str
    subtitle: str
    measured: Measured
    reliability: Reliability
    facts: Mapping[str, str] = field(default_factory=dict)
    mistakes: Sequence[Thumbnail] = ()
    recipe: str = ""
    origin: Origin = field(default_factory=Origin)


def run_page(report: RunReport) -> str:
    """Render the page.

    Args:
        report: What to show; parts that are empty are left out.

    Returns:
        HTML, to be saved with `write_page`.
    """
    metrics, intervals = report.measured.metrics, report.measured.intervals
    origin = report.origin
    sections = [Section("", "", _headlines(report))]
    if report.facts:
        sections.append(Section("The model", "", pairs(report.facts)))
    if isinstance(metrics, ClassMetrics):
        curves: tuple[Curve, ...] = _CLASS_CURVES
        sections += [_classes(metrics, intervals), _confusion(metrics)]
        at_most = _WRONG_CLASSES
    else:
        usual = metrics.baselines["mean_accuracy"], "majority baseline"
        title, keys = "Mean accuracy on validation", ("mean_accuracy",)
        curves = (_LOSS, Curve(title, keys, "accuracy", True, usual), _TEACHER, _RATE)
        sections.append(_attributes(metrics, intervals))
        at_most = _WRONG_ATTRIBUTES
    sections += training_section(origin.history, curves)
    sections.append(_calibration(metrics, report.reliability))
    if report.mistakes:
        lead = (
            f"Wrong answers given with the greatest confidence, {at_most}. "
            "Many are wrong labels; the rest say what was not learned."
        )
        sections.append(Section("Most confident mistakes", lead, thumbnails(report.mistakes)))
    if isinstance(metrics, AttributeMetrics):
        sections.append(Section("All numbers", "", _numbers(metrics)))
    sections += origin_sections(origin.command, origin.provenance, report.recipe)
    return document(report.title, report.subtitle, sections, "Made by facekit.")


def _headlines(report: RunReport) -> str:
    metrics, intervals, out = report.measured.metrics, report.measured.intervals, []
    for name, title in _HEADLINES.items():
        if name not in metrics.means:
            continue
        low, high = intervals.means[name]
        value, baseline = metrics.means[name], metrics.baselines[name]
        notes = [
            f"95 % interval {percent(low, unit='')} to {percent(high)}",
            f"majority baseline {percent(baseline)}",
        ]
        if name == "ece":
            notes.append("lower is better")
        if isinstance(metrics, AttributeMetrics) and metrics.counted[name] < len(metrics.names):
            notes.append(f"over {metrics.counted[name]} of {len(metrics.names)} attributes")
        out.append(Tile(title, percent(value), notes, range_mark(value, low, high, baseline)))
    return tiles(out)


def _attributes(metrics: AttributeMetrics, intervals: Intervals) -> Section:
    values, low, high = metrics.values, intervals.low, intervals.high
    rows = [
        GainRow(name, float(values[0, j]), float(low[0, j]), float(high[0, j]), float(values[4, j]))
        for j, name in enumerate(metrics.names)
    ]
    rows.sort(key=lambda row: _or_least(row.value), reverse=True)
    lead = (
        "Each bar runs from what always giving the commoner answer gets to what was measured, "
        f"best first. The thin line is the 95 % interval, {_drawn(intervals)}."
    )
    title = "Accuracy of every attribute"
    return Section(title, lead, figure(gain_chart(title, rows, "majority class"), wide=True))


def _classes(metrics: ClassMetrics, intervals: Intervals) -> Section:
    columns = (one.T.tolist() for one in (metrics.each, intervals.low, intervals.high))
    names = [name.replace("_", " ") for name in metrics.names]
    support = metrics.support.tolist()
    rows = [ClassRow(*one) for one in zip(names, *columns, support, strict=True)]
    f1 = PER_CLASS.index("f1")
    rows.sort(key=lambda row: _or_least(row.values[f1]), reverse=True)
    title = "Every class"
    plain = "Wilson's for recall, else " if intervals.unit == "image" else ""
    lead = f"Best F1 first. The thin line is the 95 % interval, {plain}{_drawn(intervals)}."
    return Section(title, lead, figure(class_chart(title, rows), wide=True))


def _or_least(value: float) -> float:
    """Where a measure that cannot be taken stands in order."""
    return -math.inf if math.isnan(value) else value


def _drawn(intervals: Intervals) -> str:
    plural = {"person": "people"}.get(intervals.unit, f"{intervals.unit}s")
    units = f"{intervals.units:,} {plural}" if intervals.units else plural
    return f"from {intervals.rounds:,} bootstrap redraws of {units}"


def _confusion(metrics: ClassMetrics) -> Section:
    title = "What is taken for what"
    names = [name.replace("_", " ") for name in metrics.names]
    found = greatest_confusions(names, metrics.confusion)
    items = "".join(f"<li>{escape(one)}</li>" for one in found)
    words = f"<p>Greatest confusions:</p><ul>{items}</ul>" if found else "<p>No mistake.</p>"
    if len(names) > LARGEST:
        return Section(title, "", words)
    lead = "Rows are labels, columns are answers; shares are of the row."
    chart = confusion_chart(title, names, metrics.confusion)
    return Section(title, lead, figure(chart, wide=True) + words)


def _calibration(metrics: Metrics, curve: Reliability) -> Section:
    title = "Are the probabilities right?"
    if isinstance(metrics, ClassMetrics):
        chart = reliability_chart(title, curve, "of these, right")
        text = (
            "<p>Where the model is 70 % sure of its answer, seven of ten such answers should be "
            "right: on the dotted line. Below it, the model is too sure of itself; above it, not "
            "sure enough.</p>"
            "<p>The calibration error at the top is the mean distance from that line, in 15 bins "
            "of equal width, each weighted by its answers. Mean log loss: "
            f"<b>{metrics.means['nll']:.3f}</b>.</p>"
        )
    else:
        chart = reliability_chart(title, curve)
        text = (
            "<p>Where the model says 70 %, the attribute should be there in seven of ten cases: "
            "on the dotted line. Above it, attributes are there more often than was said; below "
            "it, less often.</p>"
            "<p>The calibration error at the top is the mean over the attributes of the mean "
            "distance from that line, in 15 bins of equal width, each weighted by its answers. "
            "This curve takes all attributes together, so its own error, "
            f"<b>{percent(curve.error, 2)}</b>, is smaller.</p>"
        )
    return Section(title, "", f'<div class="side">{figure(chart)}<div>{text}</div></div>')


def _numbers(metrics: AttributeMetrics) -> str:
    names = [name.replace("_", " ") for name in METRICS]
    rows = []
    for j, name in enumerate(metrics.names):
        cells = [percent(float(value)) for value in metrics.values[:, j]]
        counts = (metrics.positives[j], metrics.known[j])
        rows.append([name.replace("_", " "), *cells, *(f"{count:,}" for count in counts)])
    names[METRICS.index("ece")] = "calibration error"
    return table(["attribute", *names, "positives", "known"], rows)


# The learning curves of a run, out of the rows of ``metrics.jsonl``.

_NO_CURVE: Final = {"epoch", "seconds"}
_MOST_CURVES: Final = 10


def training_section(
    history: Sequence[Mapping[str, Any]], wanted: Sequence[Curve]
) -> list[Section]:
    """A section of curves; none where there is nothing to draw.

    Args:
        history: Rows, each with a number "epoch"; see `read_history`.
        wanted: Charts to show first. Every other number that the history holds
            gets one too, ``val_x`` beside ``x``.

    Returns:
        One section, or none.
    """
    keys = list(dict.fromkeys(k for row in history for k, v in row.items() if _number(v)))
    charts = [figure(_chart(history, c, keys), c.title) for c in _all_curves(keys, wanted)]
    if not charts:
        return []
    body = f'<div class="figures">{"".join(charts)}</div>'
    return [Section("Training", f"{len(history)} epochs.", body)]


def _all_curves(keys: Sequence[str], wanted: Sequence[Curve]) -> list[Curve]:
    curves = list(wanted)
    known = {key for curve in wanted for key in curve.keys} | _NO_CURVE
    for key in keys:
        base = key.removeprefix("val_")
        if key not in known:
            known |= {base, f"val_{base}"}
            name = base.replace("_", " ")
            curves.append(Curve(name.capitalize(), (f"val_{base}", base), name))
    return [curve for curve in curves if set(curve.keys) & set(keys)][:_MOST_CURVES]


def _chart(history: Sequence[Mapping[str, Any]], curve: Curve, keys: Sequence[str]) -> str:
    return line_chart(
        curve.title,
        [_line(history, key) for key in curve.keys if key in keys],
        x_label="epoch",
        y_label=curve.unit,
        percent=curve.share,
        reference=None if math.isnan(curve.reference[0]) else curve.reference,
    )


def _line(history: Sequence[Mapping[str, Any]], key: str) -> Line:
    rows = [row for row in history if _number(row.get("epoch"))]
    values = [float(row[key]) if _number(row.get(key)) else math.nan for row in rows]
    paired = any(f"val_{key}" in row for row in rows)
    name = "validation" if key.startswith("val_") else "training" if paired else ""
    return Line(name, [float(row["epoch"]) for row in rows], values)


def _number(value: object) -> bool:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return usable and math.isfinite(float(value))  # type: ignore[arg-type]
