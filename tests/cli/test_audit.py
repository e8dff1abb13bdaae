"""``facekit audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.workflows.audit import run as workflow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures of noise in two classes; one of test is in train too."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 2)):
        for emotion in ("happy", "sad"):
            place = tmp_path / "fer" / split / emotion
            place.mkdir(parents=True)
            for i in range(count):
                noise = cv2.resize(rng.integers(0, 255, (16, 16), np.uint8), (48, 48))
                cv2.imwrite(str(place / f"{i}.png"), noise)
    source = tmp_path / "fer" / "train" / "sad" / "1.png"
    (tmp_path / "fer" / "test" / "sad" / "again.png").write_bytes(source.read_bytes())
    return tmp_path / "fer"


@pytest.fixture
def options(tiny_bundle: Path, facekit_home: Path, tmp_path: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_bundle), "--out", str(tmp_path / "out"))


def test_json_is_the_record_and_nothing_else(run, folder: Path, options) -> None:
    answer = run("audit", "fer", "--data", folder, *options, "--json")
    assert answer.code == 0, answer.err
    record = answer.json
    assert (record["task"], record["dataset"], record["n"]) == ("audit", "fer", 13)
    assert record["findings"]["exact_overlap"] == {"all": 1, "test": 1}
    assert record["cross_validated_accuracy"] is None  # too few pictures to tell


def test_people_get_tables_and_files(run, folder: Path, options, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    answer = run("audit", "fer", "--data", folder, *options, "--exclude-out", listed)
    assert answer.code == 0, answer.err
    assert "fer: 13 pictures" in answer.out and "exact_overlap" in answer.out
    assert "dataset card" in answer.out and "28709" in answer.out
    assert "1 ids to leave out" in answer.out
    assert listed.read_text().split() == ["id", "test/sad/again.png"]
    assert (tmp_path / "out" / "audit.html").is_file()
    assert "what copies are worth" in answer.out


def test_choices_are_separated_by_commas(run, folder: Path, options, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    command = ("audit", "fer", "--data", folder, *options, "--exclude-out", listed)
    assert run(*command, "--exclude", "conflicts, broken").code == 0
    assert listed.read_text().split() == ["id"]
    refused = run(*command, "--exclude", "conflicts,duplicate")
    assert (refused.code, refused.out) == (2, "")
    assert "did you mean duplicates" in refused.err


def test_every_option_arrives(run, folder: Path, tmp_path: Path, monkeypatch) -> None:
    given: dict[str, Any] = {}

    def record(dataset: str, data: Path, **options: Any) -> workflow.Audit:
        given.update(options, dataset=dataset, data=data)
        return workflow.Audit({"task": "audit"}, (), (), tmp_path)

    monkeypatch.setattr(workflow, "audit", record)
    usual = {
        "dataset": "fer", "data": Path("d"), "out": Path("facekit-audit"), "model": None,
        "people": None, "exclude_out": None, "exclude": ["duplicates", "conflicts", "broken"],
        "keep": "train",
    }  # fmt: skip
    assert run("audit", "fer", "--data", "d", "--json").json == {"task": "audit"}
    assert given == usual
    answer = run(
        *("audit", "folder", "--data", "d", "--out", "o", "--model", "m", "--people", "who.csv"),
        *("--exclude-out", "l.csv", "--exclude", "suspects,near-conflicts", "--keep", "test"),
        "--json",
    )
    assert answer.code == 0
    assert given == {
        "dataset": "folder", "data": Path("d"), "out": Path("o"), "model": "m",
        "people": Path("who.csv"), "exclude_out": Path("l.csv"),
        "exclude": ["suspects", "near-conflicts"], "keep": "test",
    }  # fmt: skip


def test_an_audit_that_cannot_be_made_leaves_nothing(run, options, tmp_path: Path) -> None:
    (tmp_path / "one" / "a").mkdir(parents=True)
    for dataset, data, words in (
        ("fer", tmp_path / "nowhere", "is no FER-2013"),
        ("folder", tmp_path / "nowhere", "cannot be read as a folder"),
        ("folder", tmp_path / "one", "wanted are two classes"),
        ("celeba", tmp_path / "nowhere", "no such folder"),
    ):
        answer = run("audit", dataset, "--data", data, *options)
        assert (answer.code, answer.out) == (2, "") and words in answer.err, answer.err
        assert answer.err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_data_and_a_known_data_set_are_needed(run, folder: Path, options) -> None:
    assert "--data" in run("audit", "fer", *options).err
    answer = run("audit", "lfw", "--data", folder, *options)
    assert answer.code == 2 and "fer, celeba, folder" in answer.err
