"""Reading finished runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facekit.errors import DataError, UsageError
from facekit.recipe.load import find_recipe
from facekit.workflows.compare import compare_notes, read_runs, write_comparison

REPORT = {
    "kind": "transfer",
    "name": "fer-frozen",
    "task": "emotions",
    "dataset": "fer",
    "split": "val",
    "n": 2871,
    "rung": "frozen",
    "metrics": {
        "accuracy": 0.62, "macro_precision": 0.6, "macro_recall": 0.57, "macro_f1": 0.58, "nll": 1.1
    },
    "intervals": {"accuracy": [0.6, 0.64], "macro_f1": None},
    "parameters": 3_601_120,
    "trainable": 71_463,
    "seconds": 9.0,
    "latency_ms": None,
    "history": [],
}  # fmt: skip


def write(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({**REPORT, **changes}))
    return folder


def test_runs_are_read_in_the_order_given(tmp_path: Path) -> None:
    first = write(tmp_path / "b")
    second = write(tmp_path / "a", name="fer-full", rung="full", latency_ms=8.5)
    one, two = read_runs([first, second / "report.json"])
    assert (one.name, two.name) == ("fer-frozen", "fer-full")
    assert (one.accuracy, one.accuracy_interval, one.macro_f1_interval) == (0.62, (0.6, 0.64), None)
    assert (one.trainable, one.seconds, two.latency_ms) == (71_463, 9.0, 8.5)
    assert one.measured_on == "fer/val, 2,871 images"
    assert compare_notes([one, two]) == []


def test_runs_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    names = [run.name for run in read_runs([write(tmp_path / "x"), write(tmp_path / "y")])]
    assert names == ["fer-frozen (x)", "fer-frozen (y)"]


def test_other_images_are_told(tmp_path: Path) -> None:
    runs = read_runs([write(tmp_path / "x"), write(tmp_path / "y", split="test", n=3589)])
    (note,) = compare_notes(runs)
    assert "fer/val, 2,871 images; fer/test, 3,589 images" in note


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "pretrain"}, "not the report of `facekit transfer`"),
        ({"metrics": {"accuracy": 0.5}}, r"metrics\.macro_precision"),
        ({"n": 0}, "n: "),
        ({"parameters": "many"}, "parameters: "),
        ({"metrics": {**REPORT["metrics"], "accuracy": 62}}, r"metrics\.accuracy"),  # type: ignore[dict-item]
    ],
)
def test_a_foreign_report_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_runs([write(tmp_path / "x", **changes)])
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no report\.json"):
        read_runs([tmp_path])
    with pytest.raises(DataError, match="does not exist"):
        read_runs([tmp_path / "nowhere"])
    run = write(tmp_path / "x")
    with pytest.raises(UsageError, match="given twice"):
        read_runs([run, run / "report.json"])
    with pytest.raises(UsageError, match="at least one"):
        read_runs([])
    (run / "report.json").write_text("{torn")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read_runs([run])
    (run / "report.json").write_text("[1]")
    with pytest.raises(DataError, match="not the report"):
        read_runs([run])


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    runs = read_runs([write(tmp_path / "x")])
    write_comparison(tmp_path / "page.html", runs)
    assert "fer-frozen" in (tmp_path / "page.html").read_text("utf-8")
    for bad in (tmp_path, tmp_path / "nowhere" / "page.html"):
        with pytest.raises(UsageError, match="--html"):
            write_comparison(bad, runs)


def test_classes_published_numbers_and_other_data_come_along(tmp_path: Path) -> None:
    history = [
        {"epoch": epoch, "seconds": seconds, "images_per_second": 100.0}
        for epoch, seconds in ((1, 50.0), (2, 40.0), (3, 41.0))
    ]
    measured = {key: REPORT[key] for key in ("metrics", "intervals")}
    run = write(
        tmp_path / "run", labels=["a", "b"], confusion=[[3, 1], [0, 4]], history=history,
        per_class={"a": {"f1": 0.86, "support": 4}, "b": {"f1": None, "support": 0}},
        cross={**measured, "dataset": "ckplus", "split": "test", "n": 918},
        cross_sample={**measured, "dataset": "ckplus", "split": "test", "n": 100},
    )  # fmt: skip
    (run / "recipe.toml").write_text(find_recipe("fer-cnn-simple").read_text())
    (one,) = read_runs([run])
    assert (one.classes, one.confusion) == (("a", "b"), ((3, 1), (0, 4)))
    assert one.class_f1 == (0.86, None)
    assert (one.epochs, one.epoch_seconds) == (3, 41.0)
    assert (one.reported_accuracy, one.reported_macro_f1) == (0.5391, 0.4878)
    assert [other.measured_on for other in one.elsewhere] == [
        "ckplus/test, 100 images", "ckplus/test, 918 images"
    ]  # fmt: skip


def test_a_run_without_its_recipe_has_no_published_numbers(tmp_path: Path) -> None:
    run = write(tmp_path / "run", labels=["a", "b"], confusion=[[3, 1]])
    (run / "recipe.toml").write_text("not = [a recipe")
    (one,) = read_runs([run])
    assert one.reported_accuracy is None and one.epochs is None
