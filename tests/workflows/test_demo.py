"""``facekit demo``: from nothing to a report; most of it needs TensorFlow."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import MissingExtraError, UsageError
from facekit.recipe.load import load_recipe
from facekit.workflows.demo import DemoResult, demo, demo_page


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    """The demo with few people and few epochs."""
    out = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(out.parent / "home"))
        return demo(out, people=16, overrides=("training.epochs=2", "training.batch_size=32"))


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="not empty"):
        demo(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        demo(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"facekit-transfer\[train\]"):
        demo(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_recipe_is_small() -> None:
    recipe = load_recipe("demo")
    assert recipe.frame.side <= 64
    assert max(recipe.backbone.widths) <= 64
    assert all(target.teacher == "none" for target in recipe.targets.values())


def test_the_page_holds_everything_and_loads_nothing() -> None:
    record = {
        "n": 12,
        "metrics": {"mean_accuracy": 0.91, "average_precision": None},
        "intervals": {"mean_accuracy": [0.9, 0.92], "average_precision": None},
        "per_attribute": {
            "Bald": {"accuracy": None, "majority_accuracy": None},
            "Wearing_Hat": {"accuracy": 0.95, "majority_accuracy": 0.6},
            "Young": {"accuracy": 0.7, "majority_accuracy": 0.6},
        },
    }
    scene = np.full((48, 64, 3), 200, np.uint8)
    html = demo_page(record, [('a "scene"', scene)], 61.2)
    assert "0.910" in html and "0.900 to 0.920" in html and "61 seconds" in html
    assert html.index("Wearing Hat") < html.index("Young") < html.index("Bald")
    assert "data:image/jpeg;base64," in html and 'a "scene"' not in html
    assert not re.search(r"(src|href)=[\"'](?!data:)", html)


@pytest.mark.tf
@pytest.mark.slow
def test_everything_is_left_in_the_folder(small: DemoResult) -> None:
    assert {path.name for path in small.folder.iterdir()} >= {
        "celeba", "run", "scenes", "predicted", "predicted.jsonl", "evaluation.json", "report.html",
    }  # fmt: skip
    assert (small.bundle / "manifest.json").is_file()
    lines = (small.folder / "predicted.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == small.records
    assert len(list(small.pictures.glob("*.jpg"))) == len(small.records)
    assert all(record["error"] is None for record in small.records)


@pytest.mark.tf
@pytest.mark.slow
def test_nothing_is_left_elsewhere(small: DemoResult) -> None:
    assert len(list((small.folder / "cache" / "crops").glob("cartoon-*.lock"))) == 2
    assert [path.name for path in small.folder.parent.iterdir()] == ["out"]


@pytest.mark.tf
@pytest.mark.slow
def test_boxes_are_drawn_on_the_scenes(small: DemoResult) -> None:
    seen = [record for record in small.records if record["faces"]]
    assert seen, "no detector found a drawn face"
    name = Path(seen[0]["path"]).stem
    before = cv2.imread(str(small.folder / "scenes" / f"{name}.jpg"))
    after = cv2.imread(str(small.pictures / f"{name}.faces.jpg"))
    assert before.shape == after.shape
    assert np.abs(before.astype(int) - after).max() > 100


@pytest.mark.tf
@pytest.mark.slow
def test_it_measured_people_that_training_never_saw(small: DemoResult) -> None:
    record = json.loads((small.folder / "evaluation.json").read_text())
    assert record["split"] == "test"
    assert record["n"] == 6
    assert 0.5 < small.metrics["mean_accuracy"] <= 1
