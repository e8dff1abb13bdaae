"""Scores and error trade-offs, drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest

from facekit.report.charts import det_chart, score_chart


def colours(svg: str, kind: str) -> list[str]:
    return re.findall(rf'class="{kind} ?(\w+)"', svg)


def test_dots_and_bars_are_coloured_by_the_verdict() -> None:
    own = np.array([3.0, 2.0, 0.7, -1.0])
    strangers = np.array([-5.0, -4.0, 0.2, 1.0, 1.2])
    svg = score_chart("t", own, strangers, threshold=1.0, reject=0.5)
    assert sorted(colours(svg, "dot")) == ["a", "a", "b", "c"]
    tips = re.findall(r"<title>(\d) strangers from ([-\d.]+) to", svg)
    let_through = sum(int(n) for n, low in tips if float(low) >= 1.0)
    assert let_through == 2, "a bar begins at the threshold"
    assert sum(int(n) for n, _ in tips) == 5


@pytest.mark.parametrize("own", [[2.0], [2.0] * 40, [-3.0, 9.0]])
@pytest.mark.parametrize(("threshold", "reject"), [(1.0, 0.0), (1.0, 1.0), (1.0, 3.0), (9.0, -9.0)])
def test_odd_scores_are_drawn_inside_the_picture(
    own: list[float], threshold: float, reject: float
) -> None:
    svg = score_chart("t", np.array(own), np.full(3, -1.0), threshold=threshold, reject=reject)
    heights = [float(y) for y in re.findall(r'cy="([-\d.]+)"', svg)]
    places = [float(x) for x in re.findall(r' c?x="([-\d.]+)"', svg)]
    assert min(heights) > 20 and max(places) < 900 and min(places) >= 10
    assert "nan" not in svg
    assert ("unsure" in svg) == (reject < threshold)


def test_the_det_chart_marks_a_point() -> None:
    from facekit.evaluation.verification import det

    curve = det([1.0, 2.0], [0.0, 1.5])
    plain = det_chart("t", [("x", curve)])
    marked = det_chart("t", [("x", curve)], [("here", 0.0, 1.0)])
    assert 'class="dot b"' in marked and ">here<" in marked and 'class="dot b"' not in plain
    x, y = re.search(r'cx="([\d.]+)" cy="([\d.]+)"', marked).groups()  # type: ignore[union-attr]
    assert (float(x), float(y)) == (60, 30), "rates beyond the axes are drawn on the edge"
