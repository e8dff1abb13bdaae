"""Runs side by side, as text, Markdown and a page."""

from __future__ import annotations

from dataclasses import replace

from facekit.report.compare import (
    COLUMNS,
    SHORT_COLUMNS,
    ComparedRun,
    markdown_table,
    short_rows,
    text_rows,
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
)
TWO = replace(
    ONE, name="full", rung="full", accuracy=0.7, macro_f1=0.57, trainable=3_601_120,
    seconds=9000.0, latency_ms=None, accuracy_interval=None,
)  # fmt: skip


def test_cells_are_short_and_in_order() -> None:
    first, second = text_rows([ONE, TWO])
    assert first == (
        "linear", "frozen", "62.1", "60.3-63.8", "60.0", "57.0", "58.1",
        "3.6 M", "71.5 k", "9.0 s", "7.9",
    )  # fmt: skip
    assert len(first) == len(COLUMNS)
    assert (second[3], second[9], second[10]) == ("-", "2.5 h", "-")
    assert text_rows([replace(ONE, seconds=240.0, trainable=999)])[0][8:10] == ("999", "4.0 min")


def test_the_terminal_gets_narrow_cells() -> None:
    rows = short_rows([ONE, TWO])
    assert rows[0] == (
        "linear", "frozen", "62.1±1.8", "60.0", "57.0", "58.1", "3.6M", "71.5k", "9.0s", "7.9",
    )  # fmt: skip
    assert rows[1][2] == "70.0"
    widths = [max(map(len, column)) for column in zip(SHORT_COLUMNS, *rows, strict=True)]
    assert sum(widths[1:]) + 2 * len(widths) <= 66  # the rest is for names


def test_markdown_is_a_table_with_the_best_in_bold() -> None:
    lines = markdown_table([ONE, TWO]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}
    assert "| 62.1 |" in lines[2] and "**70.0**" in lines[3]
    assert "**58.1**" in lines[2] and "| 57.0 |" in lines[3]
    assert "**" not in markdown_table([ONE])


def test_nothing_is_best_where_the_images_differ() -> None:
    other = replace(TWO, measured_on="fer/test, 3,589 images")
    assert "**" not in markdown_table([ONE, other])


def test_names_from_outside_do_no_harm_in_markdown() -> None:
    assert "a\\|b <script>" in markdown_table([replace(ONE, name="a|b\n<script>")])
