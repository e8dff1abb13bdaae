"""``facekit evaluate fer`` and what its options go with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.evaluation.measures import Evaluation
from facekit.heads.kinds import LinearHead
from facekit.labels import EMOTIONS


@pytest.fixture
def options(
    tiny_bundle: Path, facekit_home: Path, tmp_path: Path, add_head: Callable[..., None]
) -> tuple[object, ...]:
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "emotional"))
    given = {"parts": ("pooled",), "labels": EMOTIONS, "activation": "softmax"}
    weight = np.random.default_rng(0).normal(size=(3, 7))
    add_head(folder, "emotions", LinearHead(weight=weight, bias=np.zeros(7), **given))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for emotion in EMOTIONS[:4]:
        place = tmp_path / "fer" / "test" / emotion
        place.mkdir(parents=True)
        for i in range(3):
            assert cv2.imwrite(str(place / f"{i}.png"), rng.integers(0, 255, (48, 48), np.uint8))
    return ("--data", tmp_path / "fer", "--model", folder)


def test_json_is_the_record_and_nothing_else(run, options) -> None:
    answer = run("evaluate", "fer", *options, "--json")
    assert answer.code == 0, answer.err
    record = answer.json
    assert list(record) == [
        "task", "dataset", "split", "n", "model", "metrics", "intervals", "per_class", "confusion",
        "flips",
    ]  # fmt: skip
    assert (record["task"], record["dataset"], record["n"]) == ("emotions", "fer", 12)
    assert {
        "accuracy", "macro_precision", "macro_recall", "macro_f1", "balanced_accuracy", "ece"
    } <= set(record["metrics"])  # fmt: skip
    assert set(record["metrics"]) == set(record["intervals"])
    assert list(record["per_class"]) == list(EMOTIONS)
    assert len(record["confusion"]) == 7


def test_a_sample_is_even_over_classes(run, options) -> None:
    record = run("evaluate", "fer", *options, "--sample", "6", "--json").json
    support = [row["support"] for row in record["per_class"].values()]
    assert record["n"] == 6 and sorted(support) == [0, 0, 0, 1, 1, 2, 2]


def test_people_get_tables(run, options) -> None:
    answer = run("evaluate", "fer", *options)
    assert "emotions on fer/test, 12 images, model tiny" in answer.out
    assert "macro_f1" in answer.out and "label, answered:" in answer.out
    lines = answer.out.splitlines()
    assert sum(line.startswith("surprise") for line in lines) == 2  # per class, and a row
    assert re.search(r"another answer for [\d.]+ % mirrored, [\d.]+ % moved by 5 %, ", answer.out)
    assert next(line for line in lines if line.startswith("surprise")).split()[1:] == [*"---0"]


@pytest.mark.parametrize(
    ("dataset", "option", "words"),
    [
        ("fer", ("--source", "tfds"), "--source tfds goes with celeba"),
        ("ckplus", ("--labels", "ferplus"), "--labels ferplus goes with fer"),
        ("celeba", ("--aligned", "fer"), "--aligned goes with folder"),
        ("fer", ("--people", "x.csv"), "--people goes with folder"),
        ("celeba", ("--sample", "9"), "--sample goes with fer or ckplus or folder or tfrecord"),
        ("fer", ("--labels", "fer+"), "did you mean fer"),
        ("ferr", (), "did you mean fer"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    run, options, dataset: str, option: tuple[str, ...], words: str
) -> None:
    answer = run("evaluate", dataset, *options, *option, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


def test_every_option_arrives(run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def record(dataset: str, data: Path, **options: Any) -> Evaluation:
        given.update(options, dataset=dataset, data=data)
        return Evaluation("classes", "x", "x", 3, "x", {}, {})

    monkeypatch.setattr("facekit.workflows.evaluate.run.evaluate", record)
    shared = ("--data", "d", "--split", "val", "--model", "m", "--exclude", "bad.csv", "--json")
    told = {
        "data": Path("d"), "split": "val", "model": "m", "exclude": Path("bad.csv"),
        "allow_missing": False, "labels": "fer", "people": None, "aligned": None, "sample": 0,
        "source": "celeba",
    }  # fmt: skip
    more = ("--people", "who.csv", "--aligned", "fer", "--allow-missing", "--sample", "7")
    assert run("evaluate", "folder", *shared, *more).json["task"] == "classes"
    assert given == told | {
        "dataset": "folder", "people": Path("who.csv"), "aligned": "fer", "allow_missing": True,
        "sample": 7,
    }  # fmt: skip
    given.clear()
    run("evaluate", "fer", *shared, "--labels", "ferplus")
    assert given == told | {"dataset": "fer", "labels": "ferplus"}
    given.clear()
    run("evaluate", "celeba", *shared, "--source", "tfds")
    assert given == told | {"dataset": "celeba", "source": "tfds"}


def test_bad_data_are_one_line(run, options, tmp_path: Path) -> None:
    _, data, *model = options
    (tmp_path / "empty").mkdir()
    for args, words in (
        (("fer", "--data", tmp_path / "nowhere", *model), "is no FER-2013: wanted is"),
        (("fer", *options, "--split", "train"), "train"),
        (("fer", *options, "--labels", "ferplus"), "ferplus_votes.csv is missing"),
        (("ckplus", "--data", tmp_path / "empty", *model), "is no CK+"),
        (("folder", "--data", data, *model, "--split", "val"), "(it has: test): name another"),
        (("folder", "--data", data, *model, "--aligned", "lfw"), "aligned 'lfw' is not among"),
        (("fer", "--data", data, "--model", "nobody"), "no model is named 'nobody'"),
        (("fer", *options, "--exclude", tmp_path / "empty"), "cannot be read as a list"),
    ):
        answer = run("evaluate", *args, "--json")
        assert (answer.code, answer.out) == (2, "") and words in answer.err, answer.err
        assert answer.err.count("\n") == 1


def test_a_missing_list_is_one_line(run, options, tmp_path: Path) -> None:
    answer = run("evaluate", "fer", *options, "--exclude", tmp_path / "no.csv")
    assert answer.code == 2 and "no.csv" in answer.err and answer.err.count("\n") == 1
