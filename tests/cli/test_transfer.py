"""``facekit transfer folder`` and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.workflows.transfer import run as workflow


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


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the workflow was called with."""
    seen: dict[str, Any] = {}

    def record(dataset: str, data: Path | None, **options: Any) -> workflow.TransferResult:
        seen.update(options, dataset=dataset, data=data)
        return workflow.TransferResult(tmp_path, "full", None, {"val_accuracy": 0.25}, False)

    monkeypatch.setattr(workflow, "transfer", record)
    return seen


def test_the_defaults(run, given: dict[str, Any]) -> None:
    answer = run("transfer", "fer", "--data", "faces")
    assert answer.code == 0
    assert given == {
        "dataset": "fer", "data": Path("faces"), "rung": None, "recipe": None, "overrides": (),
        "out": None, "resume": False, "epochs": None, "labels": None, "people": None,
        "exclude": None, "cross": None, "allow_missing": False,
    }  # fmt: skip
    assert "stopped: go on with --resume" in answer.out and "0.25" in answer.out


def test_every_option_arrives(run, given: dict[str, Any]) -> None:
    answer = run(
        *("transfer", "folder", "--data", "d", "--rung", "last", "--recipe", "mine.toml"),
        *("--set", "head.kind=mlp", "--set", "best=loss", "--out", "run", "--resume"),
        *("--epochs", "4", "--labels", "ferplus", "--people", "who.csv", "--exclude", "bad.csv"),
        *("--cross", "ck", "--allow-missing"),
    )
    assert answer.code == 0
    assert given == {
        "dataset": "folder", "data": Path("d"), "rung": "last", "recipe": "mine.toml",
        "overrides": ["head.kind=mlp", "best=loss"], "out": Path("run"), "resume": True,
        "epochs": 4, "labels": "ferplus", "people": Path("who.csv"), "exclude": Path("bad.csv"),
        "cross": Path("ck"), "allow_missing": True,
    }  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; of folders the name alone."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def place(faces: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with good data and several kinds of bad data."""
    shutil.rmtree(faces / "lonely")
    here = tmp_path / "here"
    shutil.copytree(tiny_bundle, here / "tiny")
    shutil.copytree(faces / "a", here / "alone" / "a")
    (here / "empty").mkdir()
    (here / "file").write_text("mine")
    (here / "foreign.csv").write_text("id\nnobody.png\n")
    (here / "headless.csv").write_text("name,what\na,b\n")
    (here / "torn.toml").write_text("name = ")
    for part in ("train", "test"):
        shutil.copytree(faces / "a", here / "fer" / part / "happy")
        shutil.copytree(faces / "b", here / "fer" / part / "sad")
    faces.rename(here / "faces")
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("folder --data nowhere", "nowhere cannot be read as a folder"),
        ("folder --data file", "file cannot be read as a folder: Not a directory"),
        ("folder --data empty", "empty has no pictures in class folders"),
        ("folder --data alone", "alone has one class (a); wanted are two"),
        ("folder --data faces --recipe folder-frosen", "did you mean folder-frozen?"),
        ("folder --data faces --recipe no/such.toml", "recipe file no/such.toml does not exist"),
        ("folder --data faces --recipe torn.toml", "torn.toml is not valid TOML"),
        ("folder --data faces --set head.kindd=linear", "key head.kindd; did you mean kind?"),
        ("folder --data faces --set nonsense", "cannot read 'nonsense': write key=value"),
        ("folder --data faces --set head.strengths=abc", "head.strengths='abc'"),
        ("folder --data faces --set features.parts=['voice']", "names voice, tiny has"),
        ("folder --data faces --set model=./empty", "empty is no model: it has no manifest.json"),
        ("folder --data faces --set data.validation=test", "folder has no test images"),
        ("folder --data faces --set data.limit=2", "has a single picture"),
        ("folder --data faces --resume", "--resume needs --out"),
        ("folder --data faces --resume --out new", "new has no checkpoint to resume"),
        ("folder --data faces --exclude foreign.csv", "not in folder, such as 'nobody.png'"),
        ("folder --data faces --exclude headless.csv", "wanted is id or file"),
        ("folder --data faces --exclude none.csv", "none.csv cannot be read"),
        ("folder --data faces --people headless.csv", "wanted are file and person"),
        ("folder --data faces --people none.csv", "none.csv cannot be read"),
        ("folder --data faces --out file", "--out file is a file: name a folder"),
        ("folder --data faces --out file/run", "--out file/run lies in file, which is a file"),
        ("folder --data faces --cross fer", "--cross needs a recipe"),
        ("fer --data fer --labels ferplus", "ferplus_votes.csv is missing"),
        ("fer --data fer --recipe ckplus-cross --cross empty", "empty is no CK+"),
        ("ckplus --data faces", "class folder 'a'"),
        ("tfrecord --data faces", "holds no *.tfrecord"),
    ],
)
def test_bad_data_are_one_line_and_leave_nothing(run, place: Path, args: str, words: str) -> None:
    before = everything(place)
    model = () if "model=" in args else ("--set", "model=./tiny")
    answer = run("transfer", *args.split(), "--set", "data.aligned=fer", *model)
    assert answer.code == 2 and words in answer.err, answer.err
    assert answer.out == ""
    told = [line for line in answer.err.splitlines() if line.startswith("facekit: ")]
    assert len(told) == 1 and answer.err.rstrip("\n").endswith(told[0]), answer.err
    assert everything(place) == before


def test_a_run_that_is_there_stays_as_it_is(run, place: Path) -> None:
    command = ("transfer", "folder", "--data", "faces", "--out", "run", "--set", "model=./tiny",
               "--set", "data.aligned=fer")  # fmt: skip
    assert run(*command).code == 0
    before = everything(place)
    for more, words in (
        ((), "run holds a run already: name another folder with --out"),
        (("--resume",), "a frozen head takes seconds: leave --resume"),
    ):
        answer = run(*command, *more)
        assert (answer.code, answer.out) == (2, "") and words in answer.err
        assert answer.err.count("\n") == 1 and everything(place) == before


@pytest.mark.parametrize("verb", [("transfer", "folder"), ("pretrain", "celeba")])
def test_a_folder_that_another_process_works_in_is_left_alone(
    run, place: Path, verb: tuple[str, str]
) -> None:
    from facekit.system.files import exclusive
    from facekit.workflows.run_folder import LOCK

    Path("run").mkdir()
    Path("run", "checkpoint.npz").touch()
    with exclusive(Path("run") / LOCK):
        for more in ((), ("--resume",)):
            before = everything(place)
            answer = run(*verb, "--data", "faces", "--out", "run", *more)
            assert (answer.code, answer.out) == (2, "")
            assert answer.err.startswith("facekit: another process is working in run: wait")
            assert answer.err.count("\n") == 1 and everything(place) == before


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
