"""The page of an audit shows what there is, and escapes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facekit.report.page import Thumbnail
from facekit.workflows.audit.page import audit_page

KINDS = ("broken", "blank", "blurred", "tiny", "exact_copy", "near_copy", "exact_overlap",
         "near_overlap", "exact_conflict", "near_conflict", "suspect")  # fmt: skip


@pytest.fixture
def record() -> dict[str, Any]:
    findings: dict[str, dict[str, int]] = {kind: {"all": 0} for kind in KINDS}
    findings["exact_copy"] = {"all": 1234, "train": 1000, "test": 234}
    findings["exact_overlap"] = {"all": 234, "test": 234}
    return {
        "dataset": "fer <b>",
        "n": 4000,
        "splits": {"train": 3000, "test": 1000},
        "findings": findings,
        "groups": {"exact": 600, "exact_conflict": 5, "any": 700, "any_conflict": 9},
        "counts": [
            {"what": "train", "found": 3000, "expected": [28709], "agrees": False},
            {"what": "test", "found": 1000, "expected": [1000, 2000], "agrees": True},
            {"what": "people", "found": 7, "expected": [], "agrees": None},
        ],
        "probe": [
            {"split": "test", "pictures": "copies", "n": 234, "accuracy": 0.625,
             "interval": [0.6, 0.65], "unseen": 0.5},
            {"split": "val", "pictures": "all", "n": 0, "accuracy": None,
             "interval": [0, 1], "unseen": None},
        ],
    }  # fmt: skip


def test_numbers_are_on_the_page(record: dict[str, Any]) -> None:
    page = audit_page(record)
    assert "4,000 pictures: 3,000 train, 1,000 test." in page
    assert "1,234 with the same pixels, of 600 photos" in page
    assert "234 in test" in page
    assert "<td>62.5 %</td><td>60.0 to 65.0 %</td><td>50.0 %</td>" in page
    assert "val, all" not in page  # nothing was measured there
    assert "<td>3,000</td><td>28,709</td><td>differs</td>" in page
    assert "<td>1,000</td><td>1,000 or 2,000</td><td>agrees</td>" in page
    assert "<td>1,000 train, 234 test</td>" in page
    assert "facekit audit fer" in page


def test_text_is_escaped(record: dict[str, Any]) -> None:
    assert "fer <b>" not in audit_page(record)


@pytest.mark.parametrize(
    ("part", "title"),
    [
        ("overlaps", "In two splits"),
        ("conflicts", "One picture, several labels"),
        ("copies", "Most frequent pictures"),
        ("suspects", "Labels likely wrong"),
        ("odd", "Blank, blurred, tiny"),
    ],
)
def test_sections_are_there_only_with_pictures(
    record: dict[str, Any], part: str, title: str
) -> None:
    heading = f"<h2>{title}</h2>"
    assert heading not in audit_page(record)
    pictures = [Thumbnail(np.zeros((8, 24, 3), np.uint8), "group 7", ("a",))]
    page = audit_page(record, {part: pictures})
    assert heading in page and "group 7" in page and "data:image/jpeg" in page
    assert ('class="faces strips"' in page) == (part in ("overlaps", "conflicts", "copies"))


def test_many_counts_are_left_to_the_file(record: dict[str, Any]) -> None:
    more = [{"what": f"train, {i}", "found": i, "expected": [], "agrees": None} for i in range(80)]
    page = audit_page({**record, "counts": record["counts"] + more})
    assert "train, 3" not in page and ">people<" in page
