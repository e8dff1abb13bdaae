"""Copies of a picture tell no more than one: not in folds, not in intervals."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import facekit
from facekit.heads.kinds import LinearHead
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.run import transfer

Train = Callable[..., TransferResult]


def paint(path: Path, seed: int, copies: int, lean: tuple[int, int, int] = (0, 0, 0)) -> None:
    """A picture like no other and ``copies`` more of it, each a bit lighter; BGR ``lean``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blots = np.random.default_rng(seed).integers(30, 170, (9, 9, 3)) + np.array(lean)
    rgb = cv2.resize(blots.astype(np.uint8), (48, 48), interpolation=cv2.INTER_CUBIC)
    for i in range(copies + 1):
        assert cv2.imwrite(str(path.with_stem(f"{path.stem}-{i}")), cv2.add(rgb, (4 * i,) * 4))


@pytest.fixture
def train(tiny_bundle: Path, tmp_path: Path) -> Train:
    def run(data: Path, *overrides: str, out: str = "run", **options: Any) -> TransferResult:
        return transfer(
            "folder",
            data,
            overrides=[f"model={tiny_bundle}", "data.aligned=fer", *overrides],
            out=tmp_path / out,
            **options,
        )

    return run


def report_of(result: TransferResult) -> dict[str, Any]:
    return dict(json.loads((result.run / "report.json").read_text("utf-8")))


def groups_of(path: Path) -> dict[str, set[str]]:
    """Pictures (names without the copy's number) by the group they were given."""
    found: dict[str, set[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["group"], set()).add(row["id"].rpartition("-")[0])
    return found


def test_nothing_is_learned_by_heart_from_copies(train: Train, tmp_path: Path) -> None:
    """Labels by lot: a head that has seen a copy of a picture knows the picture's label."""
    for i in range(28):
        paint(tmp_path / "faces" / "ab"[i % 2] / f"{i}.png", i, copies=2)
    parts = ("features.parts=['grid', 'grid_mid']", "head.strengths=[1e-3]")
    result = train(tmp_path / "faces", *parts)
    report = report_of(result)
    assert report["n"] == 84 and result.metrics["cv_accuracy"] < 0.75
    assert report["bootstrap"] == {"unit": "distinct picture", "units": 28, "rounds": 1000}
    low, high = report["intervals"]["accuracy"]
    assert low < 0.5 < high
    groups = groups_of(result.run / "predictions.csv")
    assert len(groups) == 28 and all(len(pictures) == 1 for pictures in groups.values())


@pytest.mark.parametrize("validation", ["auto", "holdout", "test"])
def test_copies_in_what_is_measured_count_once(
    train: Train, tmp_path: Path, validation: str
) -> None:
    for part, pictures, copies in (("train", 12, 1), ("val", 4, 1), ("test", 6, 4)):
        for i in range(pictures):
            path = tmp_path / "faces" / part / "ab"[i % 2] / f"{part}{i}.png"
            paint(path, 100 * len(part) + 10 * ord(part[1]) + i, copies)
    result = train(tmp_path / "faces", f"data.validation={validation}", "head.strengths=[0.1]")
    report = report_of(result)
    n, units = (38, 10) if validation == "test" else (30, 6)
    assert report["n"] == n
    assert report["bootstrap"] == {"unit": "distinct picture", "units": units, "rounds": 1000}
    assert len(groups_of(result.run / "predictions.csv")) == units
    held = groups_of(result.run / "validation.csv")
    facts = json.loads((result.run / "data.json").read_text())["images"]
    assert facts["val"] == len((result.run / "validation.csv").read_text().splitlines()) - 1
    assert all(len(pictures) == 1 for pictures in held.values()) and 2 * len(held) <= facts["val"]


def test_pictures_without_copies_are_counted_one_by_one(train: Train, tmp_path: Path) -> None:
    for i in range(12):
        paint(tmp_path / "faces" / "ab"[i % 2] / f"{i}.png", i, copies=0)
    report = report_of(train(tmp_path / "faces", "head.strengths=[0.1]"))
    assert report["bootstrap"] == {"unit": "image", "units": 12, "rounds": 1000}


def test_evaluation_counts_copies_once(
    tiny_bundle: Path, tmp_path: Path, add_head: Callable[..., None]
) -> None:
    """Forty pictures, or ten of them with three copies each: the same share of right answers."""
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "mine"))
    weight = np.array([[20, -20], [0, 0], [-20, 20]], np.float32)
    given = {"parts": ("pooled",), "labels": ("red", "blue"), "activation": "softmax"}
    add_head(bundle, "classes", LinearHead(weight=weight, bias=np.zeros(2), **given))  # type: ignore[arg-type]
    red, blue = (-30, 0, 50), (50, 0, -30)
    widths = []
    for name, pictures, copies in (("all", 40, 0), ("few", 10, 3)):
        data = tmp_path / name
        for i in range(pictures):
            label = ("red", "blue")[i % 2]
            lean = red if (label == "red") != (i % 5 == 0) else blue  # a fifth is wrong
            paint(data / "test" / label / f"{i}.png", i, copies, lean)
        found = facekit.evaluate("folder", data, model=bundle, aligned="fer")
        assert found.n == 40 and found.metrics["accuracy"] == pytest.approx(0.8)
        low, high = found.intervals["accuracy"] or (0, 0)
        widths.append(high - low)
    assert widths[1] > 1.5 * widths[0]
