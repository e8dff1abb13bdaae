"""Cells that a spreadsheet shows and never runs."""

from __future__ import annotations

import csv
import io

import pytest

from facekit.system.sheet import csv_text, plain_cell

FORMULAS = ("=HYPERLINK(1)", "+1", "-x.jpg", "@SUM(A1)", "\tx", "\r=1", "\n=1")


def cells(*given: object) -> list[str]:
    text = csv_text(["id"], [[one] for one in given])
    assert text.endswith("\n")
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_becomes_text_and_can_be_taken_back(cell: str) -> None:
    (shown,) = cells(cell)
    assert shown == f"'{cell}"
    assert plain_cell(shown) == cell


@pytest.mark.parametrize("cell", ["'=1", "''", "'+a", "'-"])
def test_a_quote_of_the_name_itself_is_kept(cell: str) -> None:
    assert plain_cell(cells(cell)[0]) == cell


def test_numbers_and_plain_names_stay_as_they_are() -> None:
    plain = ["a=b.jpg", "Smith, John.jpg", "'quoted'.jpg", "写真.jpg", ""]
    assert cells(-2.5, 7, *plain) == ["-2.5", "7", *plain]
    assert [plain_cell(one) for one in plain] == plain


def test_the_names_of_columns_are_cells_too() -> None:
    assert csv_text(["=x", "b"], []) == "'=x,b\n"
