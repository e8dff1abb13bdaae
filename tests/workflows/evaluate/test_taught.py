"""Evaluation says what the head was fitted on: numbers on that are no measure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import facekit
from facekit.datasets.table import Table
from facekit.workflows import taught
from facekit.workflows.transfer.run import transfer


def paint(path: Path, seed: int) -> None:
    """A picture like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blots = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48), interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("pictures", [12, 80])
def test_what_taught_the_head_is_counted(
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pictures: int,
) -> None:
    """Of few images all are known, of many a share; whatever they are called now."""
    monkeypatch.setattr(taught, "_KEPT", 40)
    faces = tmp_path / "faces"
    for part in ("train", "test"):
        for i in range(pictures):
            paint(faces / part / "ab"[i % 2] / f"{i}.png", i + 1000 * (part == "test"))
    changes = [f"model={tiny_bundle}", "data.aligned=fer", "head.strengths=[0.1]"]
    bundle = transfer("folder", faces, overrides=changes, out=tmp_path / "run").bundle
    told = f"of these {pictures} images taught this head"
    for kind in ("a", "b"):
        source = faces / ("train" if kind == "a" else "test") / kind
        shutil.copytree(source, tmp_path / "mixed" / "test" / f"{kind}")
        for path in (tmp_path / "mixed" / "test" / kind).iterdir():
            path.rename(path.with_stem(f"renamed{path.stem}"))
    for data, part, count in (
        (faces, "test", 0),
        (faces, "train", pictures),
        (tmp_path / "mixed", "test", pictures // 2),
    ):
        capsys.readouterr()
        found = facekit.evaluate("folder", data, split=part, model=bundle, aligned="fer")
        assert found.taught is not None and found.record()["taught"] == found.taught
        assert abs(found.taught - count) <= (12 if pictures > 40 and data != faces else 0)
        assert (told in capsys.readouterr().err) is bool(count)


def test_a_bundle_without_a_sketch_is_known_by_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    labels, split = np.zeros(1, np.int64), np.array(["train"])
    table = Table("fer", np.array(["a"]), [Path("a")], labels, ("x",), split)
    assert taught.count_taught({"data": "fer"}, table, "train") == 1
    assert "1 of these 1 images taught this head" in capsys.readouterr().err
    assert taught.count_taught({"data": "fer"}, table, "test") == 0
    assert taught.count_taught({"data": "x", "backbone": {"data": "fer"}}, table, "train") == 1
    assert taught.count_taught({"data": "celeba"}, table, "train") is None
    assert taught.count_taught({"data": "folder"}, replace(table, name="folder"), "train") is None
    assert "taught" not in capsys.readouterr().err.replace("1 of these 1 images taught", "")
