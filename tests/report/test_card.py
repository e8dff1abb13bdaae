"""The card says what the manifest says, with a command beside every number."""

from __future__ import annotations

from typing import Any

import pytest

from facekit.report.card import Measurement, measurements, model_card

COMMAND = "facekit evaluate celeba --data DIR --split val"


def _manifest(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "version": "1",
        "created": "2025-01-01",
        "frame": {"side": 80, "eye_y": 0.45, "eye_distance": 0.33},
        "preprocessing": {"dtype": "uint8", "layout": "NHWC", "colour": "RGB"},
        "parts": {"pooled": (480,), "grid": (5, 5, 256)},
        "backbone": {
            "family": "compact",
            "sha256": "ab" * 32,
            "parameters": 1234567,
            "macs": 17_100_000,
        },
        "heads": {"attributes": {"kind": "linear", "parts": ["pooled"], "sha256": "cd" * 32}},
        "training": {"images": {"train": 15979}, "teachers": {"identity": "dlib"}, "epochs": 44},
        "data_licences": {"CelebA": "images for non-commercial research only"},
        **changes,
    }


def _record() -> dict[str, Any]:
    return {
        "dataset": "celeba",
        "split": "val",
        "n": 2044,
        "metrics": {"mean_accuracy": 0.9012, "ece": 0.0123, "average_precision": None},
        "intervals": {"mean_accuracy": [0.899, 0.9031], "ece": None, "average_precision": None},
    }


def test_everything_the_manifest_knows_is_told() -> None:
    card = model_card(_manifest(), [])
    for text in (
        "# tiny", "80 x 80 px", "uint8 NHWC RGB", "5 x 5 x 256", "1,234,567 parameters",
        "17.1 M multiply-adds", "ab" * 32, "train: 15979", "identity: dlib",
        "| CelebA | images for non-commercial research only |",
        "trained on data released for non-commercial research", "celebrities",
        "Nothing has been measured yet.", "## Limits", "## Before you use it",
    ):  # fmt: skip
        assert text in card, text


def test_numbers_come_with_interval_baseline_and_command() -> None:
    rows = measurements(_record(), {"mean_accuracy": 0.8, "ece": float("nan")}, COMMAND)
    assert [row.name.split()[0] for row in rows] == ["mean", "calibration"]
    card = model_card(_manifest(), rows)
    assert f"| 90.1 % | 89.9 to 90.3 % | 80.0 % | celeba val, 2,044 images | `{COMMAND}` |" in card
    assert f"| 1.2 % |  |  | celeba val, 2,044 images | `{COMMAND}` |" in card


def test_drawn_data_is_not_called_research_data() -> None:
    card = model_card(_manifest(data_licences={"celeba": "drawn by facekit"}), [])
    assert "non-commercial" not in card
    assert "celebrities" not in card


def test_a_cell_cannot_break_the_table() -> None:
    row = Measurement("a|b\nc", "1 %", "", "", "d", "e")
    card = model_card(_manifest(), [row])
    assert "| a\\|b c | 1 % |" in card
    widths = {line.count("|") - line.count("\\|") for line in card.splitlines() if "1 %" in line}
    assert widths == {7}


@pytest.mark.parametrize("missing", ["heads", "training", "data_licences"])
def test_a_young_bundle_has_a_card_too(missing: str) -> None:
    assert model_card(_manifest(**{missing: {}}), []).startswith("# tiny\n")


def test_no_hole_where_there_is_nothing_to_say() -> None:
    card = model_card(_manifest(heads={}, data_licences={}), [])
    assert "\n\n\n" not in card
    assert "{" not in card
    assert card.endswith("in many places the law demands it.\n")
