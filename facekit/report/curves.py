"""The learning curves of a run, out of the rows of ``metrics.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from facekit.report.charts import Line, line_chart
from facekit.report.page import Section, figure

_NO_CURVE: Final = {"epoch", "seconds"}
_MOST_CURVES: Final = 10


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
