"""The examples of docs/extending.md are run, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_face, make_person

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in TEXT.split("\n## ")[1:]}

#: What is done with each example, once it has run.
USES = {
    "A data set": """
import facekit
result = facekit.transfer("moods", {data!r}, recipe="folder-frozen",
                          overrides=["features.parts=['pooled']"], out={out!r})
assert result.finished and result.metrics["cv_accuracy"] >= 0.5, result
from facekit.recipe.load import load_recipe
load_recipe("folder-frozen", ["data.source=moods"])
""",
    "A backbone family": """
import facekit
from facekit.backbones.catalog import build_backbone, last_stage
from facekit.recipe.schema import BackboneSpec
spec = BackboneSpec(family="plain-strided", widths=(16, 32), blocks=(1, 1), identity_size=8)
model = build_backbone(spec, 32)
assert {{name: tuple(part.shape[1:]) for name, part in model.output.items()}} == {{
    "pooled": (32,), "grid": (8, 8, 32), "identity": (8,)}}
assert last_stage("plain-strided", 2) == ("stage2_",)
""",
    "A head": """
import facekit
result = facekit.transfer("folder", {data!r}, recipe="folder-frozen", out={out!r}, overrides=[
    "features.parts=['pooled']", "head.kind=centroids", "data.validation=holdout",
    "data.aligned=fer"])
assert result.finished and result.metrics["val_accuracy"] >= 0.5, result
from facekit.bundle.load import load_bundle
(head,) = [h for h in load_bundle(result.bundle).heads.values() if h.kind == "centroids"]
assert head.labels == ("calm", "glad")
""",
    "An attribute set": """
import facekit
from facekit.bundle.load import load_bundle
result = facekit.pretrain({data!r}, source="hats", recipe="demo", out={out!r}, overrides=[
    "training.epochs=1", "training.batch_size=8", "data.source=hats"])
head = load_bundle(result.bundle).heads["attributes"]
assert head.labels == ("Hat", "Smiling") and head.sizes[1] == 2
""",
}
NEEDS_TENSORFLOW = ("A backbone family", "An attribute set")


def draw(path: Path, person: int, number: int, *, glad: bool) -> None:
    rng = np.random.default_rng([person, number])
    mood = "happy" if glad else "neutral"
    face = draw_face(make_person(3, person), mood, rng, (48, 48), aligned="fer")[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(face, cv2.COLOR_RGB2BGR))


def data_of(section: str, folder: Path) -> Path:
    """A small folder in the layout that the example reads."""
    rows = ["file,person,split,Hat,Smiling"]
    for person in range(8):
        for number in range(4):
            glad = number % 2 == 1
            mood = "glad" if glad else "calm"
            if section == "A head":
                draw(folder / mood / f"p{person}__{number}.png", person, number, glad=glad)
            else:
                name = f"p{person}-{mood}-{number}.png"
                draw(folder / name, person, number, glad=glad)
                split = "train" if person < 6 else "val"
                rows.append(f"{name},p{person},{split},,{int(glad)}")
                rows[-1] = rows[-1].replace(",,", f",{person % 2},")
    (folder / "hats.csv").write_text("\n".join(rows))
    return folder


def test_every_section_has_an_example_and_is_used() -> None:
    assert set(SECTIONS) == set(USES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "section",
    [pytest.param(s, marks=[pytest.mark.tf] if s in NEEDS_TENSORFLOW else []) for s in USES],
)
def test_the_example_works(section: str, tmp_path: Path, facekit_home: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", SECTIONS[section], re.DOTALL)
    data = data_of(section, tmp_path / "data")
    script = example + USES[section].format(data=str(data), out=str(tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
