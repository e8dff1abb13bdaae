"""``python -m benchmarks head``: heads on cached features against the backbone in every epoch.

``facekit transfer fer`` runs as a process of its own, features warm, and cannot
import TensorFlow or Keras while it does. Beside it Keras trains one dense layer on
the same frozen backbone: an epoch of a sample of crops, scaled to all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.features import paired
from benchmarks.registry import BenchOptions
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.errors import FacekitError, UsageError
from facekit.labels import EMOTIONS
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.system.pool import cores

#: Recipes by what they are called here.
_RECIPES: Final = {"linear": "fer-frozen-linear", "default": "fer-frozen-mlp"}
#: Crops of a Keras epoch when the user names no limit.
_LIMIT: Final = 1024
_ROUNDS: Final = 2
_BATCH: Final = 128
#: A process that cannot import what the light path must do without.
_COMMAND: Final = """
import sys

class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "jax"):
            raise ModuleNotFoundError(f"{name} is not for the light path", name=name)

sys.meta_path.insert(0, Refuse)
from facekit.cli.app import main
main()
"""


@dataclass(frozen=True)
class HeadRun:
    """One run of ``facekit transfer``.

    Attributes:
        images: Training images.
        epochs: Epochs over them, 1 for a linear head.
        seconds: What the run says that training took.
        accuracy: On what it was measured on, in [0, 1].
    """

    images: int
    epochs: int
    seconds: float
    accuracy: float


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on FER-2013 in ``options.data`` or its folder ``fer2013``.

    Args:
        options: Folder, model, crops of a Keras epoch, seed.

    Returns:
        As ``measure_head``.

    Raises:
        UsageError: No folder is given.
        FacekitError: A run failed, or Keras is not installed.
    """
    if options.data is None:
        raise UsageError("head needs --data: the folder of FER-2013, or one that holds it")
    inner = options.data / "fer2013"
    recipe = load_recipe(_RECIPES["default"], (), TransferRecipe)
    bundle = load_bundle(options.model or recipe.model)
    data = inner if inner.is_dir() else options.data
    keras_epoch = build_epoch(bundle, recipe, options.limit or _LIMIT, options.seed)
    return measure_head(data, bundle, keras_epoch, options.limit or _LIMIT)


def measure_head(
    data: Path,
    bundle: Bundle,
    keras_epoch: Callable[[], object],
    sample: int,
    *,
    rounds: int = _ROUNDS,
) -> dict[str, Any]:
    """Time both heads and a Keras epoch in turn.

    Args:
        data: FER-2013.
        bundle: The frozen backbone.
        keras_epoch: Trains an epoch of ``sample`` crops; warmed up.
        sample: How many crops that is, in [1, inf).
        rounds: How often each is timed, in [1, inf).

    Returns:
        For each head the ``seconds`` of training and of the whole ``process``
        (medians); ``keras_epoch_seconds`` of all training images; ``ratio``, that
        time over an epoch of the default head; and what was measured on.

    Raises:
        FacekitError: A run failed.
    """
    done: dict[str, list[HeadRun]] = {name: [] for name in _RECIPES}
    for name in _RECIPES:  # not timed: makes the features that are missing
        _transfer(data, bundle, name)
    sides: dict[str, Callable[[], object]] = {
        name: lambda name=name: done[name].append(_transfer(data, bundle, name))  # type: ignore[misc]
        for name in _RECIPES
    }
    laps = paired({"keras": keras_epoch, **sides}, rounds)
    seconds = {name: statistics.median(lap.seconds for lap in each) for name, each in laps.items()}
    default = done["default"][0]
    keras_seconds = seconds["keras"] * default.images / sample
    heads: dict[str, dict[str, Any]] = {
        name: {
            "recipe": _RECIPES[name],
            "seconds": round(statistics.median(each.seconds for each in runs), 2),
            "process_seconds": round(seconds[name], 2),
            "epochs": runs[0].epochs,
            "accuracy": round(runs[0].accuracy, 4),
        }
        for name, runs in done.items()
    }
    epoch = heads["default"]["seconds"] / default.epochs
    return {
        "model": bundle.name,
        "cores": cores(),
        "images": default.images,
        "rounds": rounds,
        "heads": heads,
        "epoch_seconds": round(epoch, 3),
        "keras_sample": sample,
        "keras_epoch_seconds": round(keras_seconds, 1),
        "ratio": round(keras_seconds / epoch, 1),
        "linear_ratio": round(keras_seconds / heads["linear"]["seconds"], 1),
    }


def build_epoch(
    bundle: Bundle, recipe: TransferRecipe, sample: int, seed: int = 0
) -> Callable[[], object]:
    """An epoch of Keras ``fit`` on random crops, compiled and run once.

    Args:
        bundle: Made by ``facekit pretrain``.
        recipe: Says which parts the head reads.
        sample: Crops, in [1, inf); speed does not depend on what they show.
        seed: Of the crops.

    Returns:
        What trains the epoch.

    Raises:
        MissingExtraError: Keras is not installed.
    """
    from facekit.training.backend import start_keras

    start_keras(seed=seed)
    from benchmarks.frozen import build_frozen

    parts = [part for part in recipe.features.parts if part in bundle.parts]
    model = build_frozen(bundle, parts, len(EMOTIONS))
    rng, side = np.random.default_rng(seed), bundle.frame.side
    crops = rng.integers(0, 256, (sample, side, side, 3), np.uint8)
    labels = rng.integers(len(EMOTIONS), size=sample)

    def epoch() -> object:
        return model.fit(crops, labels, batch_size=_BATCH, epochs=1, verbose=0)

    epoch()
    return epoch


def render(record: dict[str, Any]) -> str:
    """Lines for people.

    Args:
        record: From ``run``.
    """
    what = f"{record['model']}, {record['images']:,} training images of FER-2013"
    lines = [f"{what}, {record['cores']} cores, median of {record['rounds']}"]
    for name, head in record["heads"].items():
        whole = f"whole `facekit transfer` {head['process_seconds']:.1f} s"
        accuracy = f"accuracy {100 * head['accuracy']:.1f} %"
        lines.append(f"{name + ' head':20}{head['seconds']:9.2f} s   ({whole}, {accuracy})")
    sample = f"from {record['keras_sample']:,} crops"
    times = f"{record['ratio']:.0f} times as fast; linear in all {record['linear_ratio']:.0f} times"
    lines += [
        f"{'its epoch':20}{record['epoch_seconds']:9.2f} s   ({times})",
        f"{'Keras fit, an epoch':20}{record['keras_epoch_seconds']:9.2f} s   ({sample})",
    ]
    return "\n".join(lines)


def _transfer(data: Path, bundle: Bundle, name: str) -> HeadRun:
    """``facekit transfer fer`` as a process that finds no TensorFlow."""
    with tempfile.TemporaryDirectory(prefix="facekit-bench-") as scratch:
        out = Path(scratch) / "run"
        # All of train/ is learnt from, as the numbers that this is compared with did.
        settings = ["--set", "data.validation=test", "--set", f"model={bundle.folder}"]
        words = ["transfer", "fer", "--data", data, "--out", out, "--recipe", _RECIPES[name]]
        command = [sys.executable, "-c", _COMMAND, *map(str, words), *settings]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
        if done.returncode:
            raise FacekitError(f"facekit transfer failed: {done.stderr.strip()[-300:]}")
        report = json.loads((out / "report.json").read_text("utf-8"))
        fed = json.loads((out / "data.json").read_text("utf-8"))
        recipe = tomllib.loads((out / "recipe.toml").read_text("utf-8"))
    epochs = recipe["head"]["epochs"] if recipe["head"]["kind"] == "mlp" else 1
    accuracy = report["metrics"]["accuracy"]
    return HeadRun(fed["images"]["train"], epochs, report["seconds"], accuracy)
