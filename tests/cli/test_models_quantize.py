"""``facekit models quantize``: an int8 graph for a model that is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facekit.bundle.int8 import INT8
from facekit.workflows import quantize as room


@pytest.fixture
def copy(tiny_bundle: Path, facekit_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_it_is_made_again_added_and_listed(
    run, copy: Path, cartoon_celeba: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FEWEST", 8)
    for _ in range(2):
        answer = run("models", "quantize", copy, "--data", cartoon_celeba)
        assert answer.code == 0 and "points lost: attributes" in answer.out
    assert (copy / "card.md").read_text("utf-8").count("## The second graph") == 1
    assert run("models", "add", copy).code == 0
    assert (facekit_home / "models" / "tiny" / INT8).read_bytes() == (copy / INT8).read_bytes()
    rows = {row["name"]: row["graphs"] for row in run("models", "list", "--json").json}
    assert rows["tiny"] == "float, int8", "nobody can be compared in these few: no default"


def test_too_few_images_are_code_2(run, copy: Path, cartoon_celeba: Path) -> None:
    answer = run("models", "quantize", copy, "--data", cartoon_celeba)
    assert (answer.code, answer.out) == (2, "") and not (copy / INT8).exists()
    assert "256 are needed to calibrate" in answer.err


def test_precision_of_predict(run, copy: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"")
    for given, words in (("int8", "tiny has no int8 graph"), ("int9", "did you mean int8")):
        answer = run("predict", photo, "--model", copy, "--precision", given)
        assert (answer.code, answer.out) == (2, "") and words in answer.err
    answer = run("predict", photo, "--model", "fer-full", "--precision", "int8")
    assert "facekit models quantize fer-full --data DIR --source fer" in answer.err
