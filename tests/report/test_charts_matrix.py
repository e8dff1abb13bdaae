"""The confusion matrix: where its cells are and what they say."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from facekit.report.bars import ClassRow, class_chart
from facekit.report.charts import confusion_chart, greatest_confusions, range_chart

TABLE = np.array([[8, 2, 0], [30, 60, 10], [0, 0, 0]])
NAMES = ("a", "b", "c & d")


def inside(svg: str) -> bool:
    """Whether every text and shape starts within the drawing."""
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    nodes = [node for kind in ("text", "rect") for node in root.iter(kind)]
    return all(
        0 <= float(node.attrib["x"]) <= width and 0 <= float(node.attrib["y"]) <= height
        for node in nodes
    )


def test_a_cell_is_as_dark_as_its_share_of_the_row() -> None:
    root = ET.fromstring(confusion_chart("x", NAMES, TABLE))
    cells = [node for node in root.iter("rect") if "fill-opacity" in node.attrib]
    shares = np.array([float(node.attrib["fill-opacity"]) for node in cells]).reshape(3, 3)
    assert np.allclose(shares, [[0.8, 0.2, 0], [0.3, 0.6, 0.1], [0, 0, 0]], atol=1e-3)
    tips = [node.findtext("title") for node in cells]
    assert tips[3] == "b answered as a: 30 of 100"
    rows = np.array([float(node.attrib["y"]) for node in cells]).reshape(3, 3)
    columns = np.array([float(node.attrib["x"]) for node in cells]).reshape(3, 3)
    assert (np.diff(rows[:, 0]) > 0).all() and (np.diff(columns[0]) > 0).all()
    words = [node.text for node in root.iter("text")]
    assert "80 %" in words and "100" in words and "c & d" in words


@pytest.mark.parametrize("k", [2, 7, 13, 30])
def test_it_fits_its_drawing(k: int) -> None:
    names = [f"class number {i}" for i in range(k)]
    table = np.random.default_rng(0).integers(0, 90, (k, k))
    assert inside(confusion_chart("x", names, table))


def test_the_greatest_confusions_in_words() -> None:
    assert greatest_confusions(NAMES, TABLE, 2) == [
        "b answered as a: 30 % (30 of 100)",
        "a answered as b: 20 % (2 of 10)",
    ]
    assert len(greatest_confusions(NAMES, TABLE)) == 3
    assert greatest_confusions(NAMES, np.diag([3, 4, 0])) == []


def test_bars_are_as_long_as_their_shares() -> None:
    nothing = (float("nan"),) * 3
    rows = [
        ClassRow("a", (0.25, 0.5, 1 / 3), (0.1, 0.4, 0.2), (0.4, 0.6, 0.4), 12),
        ClassRow("b", nothing, nothing, nothing, 0),
    ]
    svg = class_chart("x", rows)
    root = ET.fromstring(svg)
    bars = [n for n in root.iter("rect") if n.find("title") is not None]
    widths = [float(n.attrib["width"]) for n in bars]
    assert widths == [250, 125]
    words = [node.text or "" for node in root.iter("text")]
    assert "33.3 %" in words and any("no image" in word for word in words)
    assert inside(svg)
    assert "nan" not in svg


def test_dots_lie_within_their_intervals_and_in_order() -> None:
    rows = [("one", 0.62, (0.60, 0.64)), ("two", 0.58, None)]
    svg = range_chart("x", rows)
    root = ET.fromstring(svg)
    first, second = (float(n.attrib["cx"]) for n in root.iter("circle"))
    assert second < first
    whiskers = [n for n in root.iter("line") if n.attrib["class"] == "whisker"]
    assert len(whiskers) == 1
    assert float(whiskers[0].attrib["x1"]) < first < float(whiskers[0].attrib["x2"])
    assert "62.0 %" in [n.text for n in root.iter("text")]
    assert inside(svg)
    assert inside(range_chart("x", [("one", 1.0, None)]))


def test_a_small_matrix_says_shares_alone() -> None:
    svg = confusion_chart("x", NAMES, TABLE, small=True)
    assert inside(svg)
    root = ET.fromstring(svg)
    cells = [node for node in root.iter("rect") if "fill-opacity" in node.attrib]
    shares = np.array([float(node.attrib["fill-opacity"]) for node in cells]).reshape(3, 3)
    assert np.allclose(shares, [[0.8, 0.2, 0], [0.3, 0.6, 0.1], [0, 0, 0]], atol=1e-3)
    words = [node.text for node in root.iter("text")]
    assert "80" in words and "100" not in words
