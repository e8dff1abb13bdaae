"""The page of runs side by side."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from facekit.report.bars import class_panels
from facekit.report.compare import (
    ComparedRun,
    Elsewhere,
    comparison_page,
    markdown_table,
    published_rows,
)

ONE = ComparedRun(
    name="linear",
    measured_on="fer/val, 2,871 images",
    rung="frozen",
    accuracy=0.621,
    accuracy_interval=(0.603, 0.638),
    macro_precision=0.6,
    macro_recall=0.57,
    macro_f1=0.581,
    macro_f1_interval=(0.56, 0.6),
    parameters=3_601_120,
    trainable=71_463,
    seconds=9.04,
    latency_ms=7.9,
    classes=("calm", "glad"),
    class_f1=(0.86, 0.92),
    confusion=((30, 10), (0, 60)),
)
TWO = replace(
    ONE, name="cnn", rung="scratch", confusion=((20, 20), (30, 30)), epochs=16, epoch_seconds=41.2,
    reported_accuracy=0.5391, reported_macro_f1=0.4878,
    elsewhere=(Elsewhere("ckplus/test, 100 images", 0.5, (0.4, 0.6), 0.45),),
)  # fmt: skip


def test_all_parts_are_there() -> None:
    page = comparison_page([ONE, TWO], ["mind <this>"])
    for title in ("How good", "Beside what was published", "Class by class", "Confusion matrices",
                  "On other data", "All numbers"):  # fmt: skip
        assert f"<h2>{title}" in page
    assert "mind &lt;this&gt;" in page and "Measured on fer/val, 2,871 images." in page
    assert "ckplus/test, 100 images" in page and "40.0-60.0" in page
    assert page.count('aria-label="F1 of every class"') == 1
    bare = replace(ONE, classes=(), class_f1=(), confusion=())
    assert "<h2>Class by class" not in comparison_page([bare])
    assert "<h2>Beside what" not in comparison_page([ONE])


def test_other_images_are_told() -> None:
    page = comparison_page([ONE, replace(TWO, measured_on="fer/test, 3,589 images")])
    assert "different images" in page and "<h2>Measured on" in page


def test_runs_of_other_classes_stand_apart() -> None:
    other = replace(TWO, classes=("calm", "glad", "sad"), class_f1=(0.5,) * 3, confusion=())
    page = comparison_page([ONE, other, replace(ONE, name="third")])
    assert page.count('aria-label="F1 of every class"') == 2


def test_published_numbers_never_stand_for_ours() -> None:
    (row,) = published_rows([ONE, TWO])
    assert row == ("cnn", "53.9", "62.1", "60.3-63.8", "48.8", "58.1", "16", "41.2 s")
    (row,) = published_rows([replace(TWO, reported_macro_f1=None, epochs=None)])
    assert (row[4], row[6]) == ("-", "-")


def test_markdown_has_them_too() -> None:
    tables = markdown_table([ONE, TWO]).split("\n\n")
    assert [len(one.splitlines()) for one in tables] == [4, 3, 3]
    assert "| cnn | ckplus/test, 100 images | 50.0 | 40.0-60.0 | 45.0 |" in tables[2]


def test_names_from_outside_are_escaped() -> None:
    page = comparison_page([replace(TWO, name="a<script>"), ONE])
    assert "<script>" not in page and "a&lt;script&gt;" in page


def test_bars_are_as_long_as_their_share_and_the_best_is_marked() -> None:
    rows: list[tuple[str, list[float | None]]] = [("one", [0.5, None]), ("two", [0.25, 0.75])]
    root = ET.fromstring(class_panels("x", ("calm", "glad"), rows))
    bars = [(b.attrib["class"], float(b.attrib["width"])) for b in root.iter("rect")]
    shown = [(kind, width) for kind, width in bars if kind != "track"]
    full = max(width for kind, width in bars if kind == "track")
    assert [kind for kind, _ in shown] == ["bar a", "bar quiet", "bar a"]
    assert [width / full for _, width in shown] == pytest.approx([0.5, 0.25, 0.75])
    words = [node.text for node in root.iter("text")]
    assert words.count("-") == 1 and "25 %" in words
