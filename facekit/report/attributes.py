"""The report page of a run that learned attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facekit.evaluation.metrics import AttributeIntervals, AttributeMetrics
from facekit.evaluation.reliability import Reliability
from facekit.evaluation.weighted import METRICS
from facekit.report.gains import GainRow, gain_chart, range_mark
from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    figure,
    pairs,
    preformatted,
    table,
    thumbnails,
    tiles,
)
from facekit.report.plots import Line, line_chart, reliability_chart

__all__ = ["AttributeReport", "attribute_page"]

#: Headline measures: title and name.
_HEADLINES: Final = (
    ("Mean accuracy", "mean_accuracy"),
    ("Balanced accuracy", "balanced_accuracy"),
    ("Average precision", "average_precision"),
    ("Calibration error", "ece"),
)
#: Training curves: title, keys of metrics.jsonl, unit.
_CURVES: Final = (
    ("Loss", ("val_loss", "loss"), "loss"),
    ("Mean accuracy on validation", ("mean_accuracy",), "accuracy"),
    ("Agreement with the identity teacher", ("identity_cosine",), "cosine"),
    ("Learning rate", ("lr",), "learning rate"),
)
_NO_CURVE: Final = {"epoch", "seconds"}
_MOST_CURVES: Final = 10


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
    sections = [
        Section("", "", _headlines(report)),
        _attributes(report),
        *_training(report),
        _calibration(report),
    ]
    if report.mistakes:
        lead = (
            "Wrong answers given with the greatest confidence, one for each image and two for "
            "each attribute at most. Many are wrong labels; the rest say what was not learned."
        )
        sections.append(Section("Most confident mistakes", lead, thumbnails(report.mistakes)))
    sections.append(Section("All numbers", "", _numbers(report)))
    sections += _origin(report)
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


def _training(report: AttributeReport) -> list[Section]:
    charts = [figure(svg, title) for title, svg in _curves(report)]
    if not charts:
        return []
    body = f'<div class="figures">{"".join(charts)}</div>'
    return [Section("Training", f"{len(report.history)} epochs.", body)]


def _curves(report: AttributeReport) -> list[tuple[str, str]]:
    """Known curves first, then every other number that the history holds."""
    keys = [key for row in report.history for key, value in row.items() if _number(value)]
    wanted = list(_CURVES)
    known = {key for _, names, _ in _CURVES for key in names} | _NO_CURVE
    for key in dict.fromkeys(keys):
        base = key.removeprefix("val_")
        if key not in known:
            known |= {base, f"val_{base}"}
            title = base.replace("_", " ").capitalize()
            wanted.append((title, (f"val_{base}", base), base.replace("_", " ")))
    out = []
    for title, names, unit in wanted[:_MOST_CURVES]:
        lines = [_line(report, name) for name in names if name in keys]
        if not lines:
            continue
        share = names[0] == "mean_accuracy"
        level = (report.baseline, "majority baseline") if share else (math.nan, "")
        svg = line_chart(
            title,
            lines,
            x_label="epoch",
            y_label=unit,
            percent=share,
            reference=None if math.isnan(level[0]) else level,
        )
        out.append((title, svg))
    return out


def _line(report: AttributeReport, key: str) -> Line:
    rows = [row for row in report.history if _number(row.get("epoch"))]
    values = [float(row[key]) if _number(row.get(key)) else math.nan for row in rows]
    paired = any(f"val_{key}" in row for row in rows)
    name = "validation" if key.startswith("val_") else "training" if paired else ""
    return Line(name, [float(row["epoch"]) for row in rows], values)


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


def _origin(report: AttributeReport) -> list[Section]:
    out = []
    if report.command or report.provenance:
        body = preformatted(report.command) if report.command else ""
        out.append(Section("Where this comes from", "", body + pairs(report.provenance)))
    if report.recipe:
        out.append(Section("Resolved recipe", "", preformatted(report.recipe)))
    return out


def _unit(report: AttributeReport) -> str:
    people = "people" if report.intervals.unit == "person" else "images"
    return f"from {report.intervals.rounds:,} bootstrap redraws of {people}"


def _number(value: object) -> bool:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return usable and math.isfinite(float(value))  # type: ignore[arg-type]


def _plain(value: float, digits: int = 1) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f}"


def _percent(value: float, digits: int = 1) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f} %"
