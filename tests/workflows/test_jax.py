"""The same training on JAX, with TensorFlow out of reach."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("jax", "keras", "onnx")),
        reason="JAX is not installed: pip install 'facekit[jax]'",
    ),
]

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
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True,
        text=True,
        timeout=900,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["loss"] < rows[0]["loss"]
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    assert manifest["training"]["backend"] == "jax"
    assert (run / "report.html").is_file() and list((run / "tensorboard").iterdir())
    record = json.loads(done.stdout[done.stdout.index("{") :])
    assert record["n"] == 5 and 0.4 < record["metrics"]["mean_accuracy"] <= 1
