"""The same training on JAX, with TensorFlow out of reach."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.jax]

#: Runs commands of the command line in one process in which nothing can import
#: TensorFlow; each line of standard input is the JSON list of a command's words.
COMMANDS = """
import json, os, sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}")

os.environ["KERAS_BACKEND"] = "jax"
sys.meta_path.insert(0, NoTensorFlow())
from facekit.cli.app import main

for line in sys.stdin:
    sys.argv = ["facekit", *json.loads(line)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
import keras
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
"""


#: Mixes four batches, then the last two again as a resumed run does.
MIXING = """
import os, sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras_cv"):
            raise ModuleNotFoundError(f"No module named {name!r}")

os.environ["KERAS_BACKEND"] = "jax"
sys.meta_path.insert(0, NoTensorFlow())
import numpy as np
from facekit.augment.mixing import Mixer
from facekit.recipe.schema import MixSpec

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (4, 6, 32, 32, 3), dtype=np.uint8)
targets = np.eye(6, dtype=np.float32)

def mix(spec, epoch=0, start=0):
    mixer = Mixer(spec, 0)
    mixer.begin(epoch, start, images.shape[1:], 6)
    return [mixer.mix(images[step], targets, epoch, step) for step in range(start, 4)]

for spec in (MixSpec(share=1, mixup=0.4, cutmix=1.0), MixSpec(randaugment=0.6)):
    whole, rest, other = mix(spec), mix(spec, start=2), mix(spec, epoch=1)
    for (x, y), (u, v) in zip(whole[2:], rest, strict=True):
        assert np.array_equal(x, u) and np.array_equal(y, v)
    for (x, y), (u, _), before in zip(whole, other, images, strict=True):
        assert x.dtype == np.uint8 and x.shape == before.shape
        assert (x != before).any() and not np.array_equal(x, u)
        assert np.allclose(y.sum(1), 1, atol=1e-5)
"""


def run_python(code: str, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True,
        text=True,
        timeout=1800,
        cwd=Path(__file__).resolve().parents[2],
    )


def test_keras_own_layers_mix_and_can_begin_anywhere() -> None:
    done = run_python(MIXING)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("engine", "precision"), [("host", "auto"), ("device", "mixed_bfloat16")])
def test_pretrain_then_tune_in_sittings_and_evaluate(
    cartoon_celeba: Path, cartoon_fer: Path, tmp_path: Path, engine: str, precision: str
) -> None:
    base, run = tmp_path / "base", tmp_path / "run"
    sets = ["frame.side=32", "backbone.widths=[8,12]", "backbone.blocks=[1,1]"]
    kind = [f"training.engine={engine}", f"training.precision={precision}"]
    sets += ["training.batch_size=16", "training.epochs=1", *kind]
    start = [part for one in (*sets, "mix.share=0.8", "mix.cutmix=1") for part in ("--set", one)]
    sets = [f"model={base / 'bundle'}", "training.epochs=2", "training.batch_size=16"]
    sets += ["mix.share=0.8", "mix.mixup=0.2", "training.average=0.9", *kind]
    sets += ["head.balance=augment"]
    tune = [part for one in sets for part in ("--set", one)]
    transfer = ["transfer", "fer", "--data", str(cartoon_fer), "--out", str(run)]
    evaluate = ["evaluate", "fer", "--data", str(cartoon_fer), "--model", str(run / "bundle")]
    celeba = ["pretrain", "celeba", "--data", str(cartoon_celeba), "--out", str(base)]
    done = run_python(
        COMMANDS,
        [*celeba, "--recipe", "demo", *start],
        [*transfer, "--rung", "full", *tune, "--epochs", "1"],
        [*transfer, "--resume"],
        [*evaluate, "--json"],
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert ("input_seconds" in rows[0]) == (engine == "device")
    report = json.loads((run / "report.json").read_text())
    assert (report["rung"], report["n"]) == ("full", 21)
    record = json.loads(done.stdout[done.stdout.index("{") :])
    assert record["confusion"] == report["confusion"] and record["n"] == 21


def test_published_networks_train_and_resume(cartoon_fer: Path, tmp_path: Path) -> None:
    """Pixel mean, grey, L2, flattened grid; then bottlenecks, RMSprop and steps."""
    shared = ["training.batch_size=16", "training.epochs=2", "data.holdout=0.25"]

    def learn(name: str, *changes: str) -> list[str]:
        sets = [part for one in (*changes, *shared) for part in ("--set", one)]
        where = ["--data", str(cartoon_fer), "--out", str(tmp_path / name)]
        return ["transfer", "fer", *where, "--recipe", name, *sets]

    resnet = learn("fer-resnet104-v1", "backbone.depth=8")
    dense = learn("fer-densenet-bc-03", "backbone.depth=12", "backbone.growth=4")
    commands = [[*resnet, "--epochs", "1"], [*resnet[:6], "--resume"], dense]
    measure = ["evaluate", "fer", "--data", str(cartoon_fer), "--json"]
    model = tmp_path / "fer-resnet104-v1" / "bundle"
    done = run_python(COMMANDS, *commands, [*measure, "--model", str(model)])
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout[done.stdout.index("{") :])
    report = json.loads((model.parent / "report.json").read_text())
    assert record["confusion"] == report["confusion"] and record["n"] == 21


def test_pretrain_resume_export_and_evaluate(cartoon_celeba: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = ["pretrain", "celeba", "--data", str(cartoon_celeba), "--out", str(run)]
    sets = ["frame.side=32", "backbone.widths=[8,16]", "backbone.blocks=[1,1]"]
    sets += ["training.batch_size=8", "training.epochs=2", "backbone.dropout=0.1"]
    changes = [part for one in sets for part in ("--set", one)]
    measure = ["evaluate", "celeba", "--data", str(cartoon_celeba), "--json"]
    commands = [
        [*train, "--recipe", "demo", *changes, "--epochs", "1"],
        [*train, "--resume"],
        [*measure, "--model", str(run / "bundle")],
    ]
    done = run_python(COMMANDS, *commands)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["loss"] < rows[0]["loss"]
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    assert manifest["training"]["backend"] == "jax"
    assert (run / "report.html").is_file() and list((run / "tensorboard").iterdir())
    record = json.loads(done.stdout[done.stdout.index("{") :])
    assert record["n"] == 5 and 0.4 < record["metrics"]["mean_accuracy"] <= 1
