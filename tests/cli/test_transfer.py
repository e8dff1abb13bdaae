"""``facekit transfer folder`` and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three pictures of each of two classes, one of a third."""
    for k, name in enumerate(("a", "b", "lonely")):
        for i in range(3 if k < 2 else 1):
            path = tmp_path / "faces" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blots = np.random.default_rng([k, i]).integers(0, 256, (6, 6, 3), np.uint8)
            assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48)))
    return tmp_path / "faces"


@pytest.fixture
def options(faces: Path, tiny_bundle: Path, tmp_path: Path) -> tuple[object, ...]:
    sets = ("--set", f"model={tiny_bundle}", "--set", "data.aligned=fer")
    return ("--data", faces, "--out", tmp_path / "run", *sets)


def test_a_class_of_one_picture_is_one_line_and_exit_code_2(run, options, tmp_path: Path) -> None:
    answer = run("transfer", "folder", *options)
    assert answer.code == 2 and answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("facekit: ")]
    assert len(lines) == 1 and "class 'lonely' has a single picture" in lines[0]
    assert not (tmp_path / "run").exists()


def test_a_run_says_where_it_is_and_how_sure_it_is(
    run, options, faces: Path, tmp_path: Path
) -> None:
    (faces / "lonely" / "0.png").rename(faces / "a" / "3.png")
    (faces / "lonely").rmdir()
    answer = run("transfer", "folder", *options)
    assert answer.code == 0, answer.err
    told = dict(line.split(None, 1) for line in answer.out.splitlines())
    assert told["run"] == str(tmp_path / "run") and told["state"] == "finished"
    assert told["rung"] == "frozen" and Path(told["bundle"]).is_dir()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert float(told["cv_accuracy"]) == pytest.approx(report["metrics"]["accuracy"], rel=1e-3)
    low, high = report["intervals"]["accuracy"]
    assert told["accuracy"] == (
        f"{100 * report['metrics']['accuracy']:.1f} %, 95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f} % (7 images, cv)"
    )
    assert report["command"].startswith("facekit transfer folder --data faces")
    answer = run("predict", faces / "a" / "0.png", "--model", told["bundle"], "--detector", "none",
                 "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    found = answer.json[0] if isinstance(answer.json, list) else answer.json
    assert set(found["faces"][0]["classes"]) == {"a", "b"}
    assert sum(found["faces"][0]["classes"].values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("folders",), "data set 'folders' is not known; did you mean folder?"),
        (("fer", "--rung", "frosen"), "did you mean frozen?"),
        (("fer",), "--data is missing: name what holds train/<emotion>"),
        (("folder", "--data", "nowhere"), "nowhere cannot be read as a folder"),
        (("fer", "--data", ".", "--labels", "votes"), "--labels 'votes'"),
        (("folder", "--data", ".", "--labels", "ferplus"), "--labels goes with fer"),
        (("fer", "--data", ".", "--people", "who.csv"), "--people goes with folder"),
        (("fer", "--data", ".", "--set", "head.kind=tree"), "head.kind='tree'"),
        (("fer", "--data", ".", "--recipe", "demo"), "is for `facekit pretrain`"),
        (("fer", "--data", ".", "--set", "model=nobody"), "no model is named 'nobody'"),
        (("fer", "--data", ".", "--rung", "frozen", "--resume"), "--resume needs --out"),
        (("fer", "--data", ".", "--epochs", "3"), "leave --resume and --epochs out"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run("transfer", *args)
    assert answer.code == 2 and words in answer.err, answer.err
    assert answer.err.count("\n") == 1 and answer.out == ""
    assert list(tmp_path.iterdir()) == []
