"""File names of any bytes go through audit, list, transfer and evaluation."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import facekit
from facekit.datasets.splits import read_excluded
from facekit.workflows.audit.run import audit
from facekit.workflows.transfer.run import transfer

ODD = (
    b"\xff.png", b"Smith, John.png", b'the "one".png', b"two\nlines.png", b"#1;2.png", b"=1+1.png"
)  # fmt: skip


def test_names_of_any_bytes(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")  # as Python opens it
    monkeypatch.setattr(sys, "stderr", told)
    data, rng = tmp_path / "fer", np.random.default_rng(0)
    for name in ("happy", "sad"):
        (data / "train" / name).mkdir(parents=True)
        for i in range(8):
            blots = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (48, 48))
            assert cv2.imwrite(str(data / "train" / name / f"{i}.png"), blots)
    odd = [os.fsdecode(name) for name in ODD]
    try:
        for i, name in enumerate(odd):
            shutil.copy(data / "train" / "happy" / f"{i}.png", data / "train" / "sad" / name)
    except OSError:
        pytest.skip("this file system has no such names")
    wanted = {f"train/sad/{name}" for name in odd}
    wanted |= {f"train/happy/{i}.png" for i in range(len(odd))}
    listed, folder = tmp_path / "bad.csv", tmp_path / "audit"
    done = audit("fer", data, out=folder, model=tiny_bundle, exclude_out=listed)
    assert set(done.excluded) == wanted == read_excluded(listed)
    json.loads((folder / "audit.json").read_text("utf-8"))
    (folder / "audit.html").read_text("utf-8")
    text = os.fsdecode((folder / "findings.csv").read_bytes())
    assert wanted <= {row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    changes = [f"model={tiny_bundle}", "head.strengths=[0.1]"]
    recipe = "fer-frozen-linear"
    for name, given in (("all", None), ("some", listed)):
        out = tmp_path / name
        result = transfer("fer", data, recipe=recipe, overrides=changes, out=out, exclude=given)
        images = json.loads((out / "data.json").read_text("utf-8"))["images"]
        assert images["train"] == (22 if given is None else 10)
        for file in ("report.json", "bundle/manifest.json"):
            json.loads((out / file).read_text("utf-8"))
        found = facekit.evaluate("fer", data, split="train", model=result.bundle)
        assert found.taught == images["train"]
    assert found.n == 22 and "12 are on the list" in read(told)


def read(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
