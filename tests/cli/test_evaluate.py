"""``facekit evaluate celeba``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

KEYS = ["task", "dataset", "split", "n", "model", "metrics", "intervals", "per_attribute"]
METRICS = {
    "mean_accuracy", "balanced_accuracy", "average_precision", "ece", "majority_accuracy",
}  # fmt: skip


@pytest.fixture
def options(tiny_bundle: Path, facekit_home: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_bundle))


def test_json_is_the_record_and_nothing_else(run, cartoon_celeba: Path, options) -> None:
    answer = run("evaluate", "celeba", "--data", cartoon_celeba, *options, "--json")
    assert answer.code == 0, answer.err
    record = answer.json
    assert list(record) == KEYS
    assert (record["task"], record["dataset"]) == ("attributes", "celeba")
    assert (record["split"], record["n"], record["model"]) == ("test", 5, "tiny")
    assert set(record["metrics"]) == set(record["intervals"]) == METRICS
    assert len(record["per_attribute"]) == 40


def test_a_folder_with_one_partition_is_enough(
    run, cartoon_celeba: Path, options, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))
    lines = (folder / "list_eval_partition.txt").read_text().splitlines()
    for name, part in (line.split() for line in lines):
        if part != "2":
            (folder / "img_align_celeba" / name).unlink()
    assert run("evaluate", "celeba", "--data", folder, *options, "--json").json["n"] == 5
    refused = run("evaluate", "celeba", "--data", folder, *options, "--split", "val", "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "5" in refused.err


def test_what_is_wrong_stays_out_of_the_answer(
    run, cartoon_celeba: Path, options, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))
    lines = (folder / "list_eval_partition.txt").read_text().splitlines()
    first, second, *_ = (line.split()[0] for line in lines if line.endswith("2"))
    (folder / "img_align_celeba" / first).unlink()
    cut = folder / "img_align_celeba" / second
    cut.write_bytes(cut.read_bytes()[:40])
    command = ("evaluate", "celeba", "--data", folder, *options, "--json")
    refused = run(*command)
    assert (refused.code, refused.out) == (2, "")
    answer = run(*command, "--allow-missing")
    assert answer.code == 0 and answer.json["n"] == 3
    assert "listed, not on disk" in answer.err and first in answer.err and second in answer.err


def test_listed_images_are_left_out(run, cartoon_celeba: Path, options, tmp_path: Path) -> None:
    lines = (cartoon_celeba / "list_eval_partition.txt").read_text().splitlines()
    name = next(line.split()[0] for line in lines if line.endswith("2"))
    listed = tmp_path / "bad.csv"
    listed.write_text(f"id\n{name}\n")
    command = ("evaluate", "celeba", "--data", cartoon_celeba, *options, "--json")
    answer = run(*command, "--exclude", listed)
    assert answer.code == 0 and answer.json["n"] == 4
    assert "5 images, 1 are on the list: left out" in answer.err
    listed.write_text("id\nnobody.jpg\n")
    refused = run(*command, "--exclude", listed)
    assert (refused.code, refused.out) == (2, "")
    assert "'nobody.jpg'" in refused.err and refused.err.count("\n") == 1


def test_people_get_tables(run, cartoon_celeba: Path, options) -> None:
    answer = run("evaluate", "celeba", "--data", cartoon_celeba, *options, "--split", "val")
    assert answer.code == 0
    assert "attributes on celeba/val, 5 images, model tiny" in answer.out
    assert "majority_accuracy" in answer.out and "Wearing_Hat" in answer.out


def test_a_folder_is_needed(run, options) -> None:
    answer = run("evaluate", "celeba", *options)
    assert answer.code == 2
    assert "--data" in answer.err
