"""``facekit models strangers``."""

from __future__ import annotations

import shutil
from pathlib import Path

from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import read_strangers


def test_a_model_gets_strangers(
    run, tiny_bundle: Path, cartoon_celeba: Path, facekit_home: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    answer = run("models", "strangers", copy, "--data", cartoon_celeba, "--people", 6)
    assert answer.code == 0 and "6 people, 3 to calibrate" in answer.out
    assert len(read_strangers(load_bundle(copy))) == 6
    assert run("models", "show", copy).code == 0
    more = run("models", "strangers", copy, "--data", cartoon_celeba, "--part", "pooled")
    assert more.code == 0 and "(part pooled)" in more.out
    assert len(read_strangers(load_bundle(copy))) == 6, "those of the identity are still there"
    assert read_strangers(load_bundle(copy), "pooled").vectors.shape[1] == 3


def test_what_cannot_be_done_is_said_in_one_line(
    run, tiny_bundle: Path, facekit_home: Path, tmp_path: Path
) -> None:
    before = sorted(path.read_bytes() for path in tiny_bundle.iterdir())
    for args in (
        (tiny_bundle, "--data", tmp_path),
        ("nobody", "--data", tmp_path),
        (tiny_bundle, "--data", tmp_path, "--part", "grid"),
    ):
        answer = run("models", "strangers", *args)
        assert answer.code == 2 and answer.err.count("\n") == 1
    assert before == sorted(path.read_bytes() for path in tiny_bundle.iterdir())
