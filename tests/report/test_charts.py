"""Plots are well-formed, labelled, and put values where the axes say."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from facekit.evaluation.calibration import reliability
from facekit.evaluation.verification import det
from facekit.report.bars import GainRow, gain_chart, range_mark
from facekit.report.charts import Line, det_chart, line_chart, reliability_chart
from facekit.report.svg import Scale, nice_ticks, path

NAN = math.nan


def _texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter("text")]


def _inside(svg: str) -> bool:
    """Whether every text starts within the drawing."""
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    return all(
        0 <= float(node.attrib["x"]) <= width and 0 <= float(node.attrib["y"]) <= height
        for node in root.iter("text")
    )


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.51, 1.73), (0.8999, 0.9051), (-3, 900), (2e-6, 3e-3), (5, 5)]
)
def test_ticks_are_even_and_span_the_values(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 12
    steps = [b - a for a, b in pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_whole_ticks_stay_whole() -> None:
    assert nice_ticks(1, 3, 6, whole=True) == [1, 2, 3]
    assert all(t == int(t) for t in nice_ticks(1, 44, 6, whole=True))


def test_a_missing_value_lifts_the_pen() -> None:
    scale = Scale(0, 1, 0, 100)
    drawn = path([(scale(0), 1), (scale(0.5), NAN), (scale(1), 3), (4, 4)], "line")
    assert 'd="M0 1M100 3L4 4"' in drawn


def test_lines_are_named_with_their_last_value_and_do_not_collide() -> None:
    steps = [1, 2, 3]
    svg = line_chart(
        "Loss",
        [Line("validation", steps, [3, 2, 1.001]), Line("training", steps, [3, NAN, 1.0])],
        x_label="epoch", y_label="loss", reference=(2.5, "before"),
    )  # fmt: skip
    texts = _texts(svg)
    assert {"validation 1", "training 1", "epoch", "loss", "before"} <= set(texts)
    root = ET.fromstring(svg)
    places = [float(t.attrib["y"]) for t in root.iter("text") if t.text in texts[-2:]]
    assert abs(places[0] - places[1]) >= 13
    assert root.attrib["aria-label"] == "Loss"
    assert _inside(svg)


def test_one_epoch_and_shares_are_drawn_too() -> None:
    svg = line_chart("A", [Line("", [1], [0.9])], x_label="epoch", y_label="", percent=True)
    assert "<circle" in svg
    assert "90.0 %" in _texts(svg)


def test_percent_ticks_do_not_round_into_lies() -> None:
    steps, values = [1, 2], [0.9, 0.91]
    svg = line_chart("A", [Line("", steps, values)], x_label="e", y_label="", percent=True)
    assert {"90.00 %", "90.25 %", "90.50 %", "90.75 %", "91.00 %"} <= set(_texts(svg))


def test_gain_chart_has_a_row_for_each_and_tells_losses() -> None:
    svg = gain_chart(
        "Accuracy",
        [
            GainRow("Wearing_Hat", 0.97, 0.96, 0.98, 0.9),
            GainRow("A & <b>", 0.60, NAN, NAN, 0.7),
            GainRow("Same", 0.8, 0.7, 0.9, 0.80001),
            GainRow("Nobody_Knows", NAN, NAN, NAN, NAN),
        ],
        "majority class",
    )
    texts = _texts(svg)
    assert {"Wearing Hat", "+7.0", "97.0 %", "A & <b>", "\N{MINUS SIGN}10.0", "+0.0"} <= set(texts)
    assert {"majority class", "no known label", "accuracy", "gain"} <= set(texts)
    assert svg.count('class="bar b"') == 2, "legend and the one loss"
    assert _inside(svg)


def test_gain_chart_of_unknown_rows_only() -> None:
    assert "no known label" in _texts(gain_chart("x", [GainRow("a", NAN, NAN, NAN, NAN)], "m"))


def test_gain_rows_lie_where_the_axis_says() -> None:
    row = GainRow("a", 0.9, NAN, NAN, 0.5)
    root = ET.fromstring(gain_chart("x", [row], "m"))
    grid = {n.attrib["x1"] for n in root.iter("line") if n.attrib["class"] == "grid"}
    marks = [n.attrib["x1"] for n in root.iter("line") if n.attrib["class"] == "mark"]
    dots = [n.attrib["cx"] for n in root.iter("circle")]
    assert marks[-1] in grid  # 50 % is a grid line
    assert dots[-1] in grid  # and so is 90 %


def test_reliability_puts_honest_bins_on_the_diagonal() -> None:
    chance = np.repeat([0.1, 0.5, 0.9], 1000)
    labels = np.concatenate([np.arange(1000) < share * 1000 for share in (0.1, 0.5, 0.9)])
    root = ET.fromstring(reliability_chart("r", reliability(labels, chance)))
    for dot in root.iter("circle"):
        x, y = float(dot.attrib["cx"]), float(dot.attrib["cy"])
        assert (x - 56) / 340 == pytest.approx((350 - y) / 320, abs=0.01)
    assert len(list(root.iter("circle"))) == 3


def test_reliability_of_nothing_is_an_empty_plot() -> None:
    svg = reliability_chart("r", reliability(np.array([-1]), np.array([0.5])))
    assert "<circle" not in svg
    assert "NaN" not in svg


def test_det_chart_draws_every_curve_within_its_axes() -> None:
    rng = np.random.default_rng(0)
    curves = [("identity", det(rng.normal(3, 1, 99), rng.normal(0, 1, 999))), ("b", det([2], [1]))]
    svg = det_chart("d", curves)
    assert {"identity", "b", "strangers accepted (FMR)", "refused (FNMR)"} <= set(_texts(svg))
    assert "inf" not in svg
    assert _inside(svg)


def test_range_mark_without_values_is_a_bare_track() -> None:
    assert range_mark(NAN, NAN, NAN, NAN).count("<rect") == 1
    assert range_mark(0.9, 0.8, 0.95, 0.5).count("<line") == 2
