"""Epochs on the device (JAX) against the host's loop: losses, average, resume, blocks, teachers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.jax]

#: Trains small networks and prints the rows of each run as one JSON object.
RUNS = """
import json, sys
from types import SimpleNamespace
from pathlib import Path
import numpy as np

from facekit.training.backend import start_keras
start_keras(seed=0)
import jax, jax.numpy as jnp, keras
from facekit.augment.mixing import Mixer
from facekit.backbones.catalog import build_backbone
from facekit.recipe.schema import AugmentSpec, MixSpec, PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.training import device
from facekit.training.batches import Batches
from facekit.training.classifier import ClassTargets, build_classifier, validate_classes
from facekit.training.device import DeviceRun
from facekit.training.loop import TrainingRun
from facekit.training.outputs import DeviceOutputs, predict_rows
from facekit.training.trunk import Targets, build_trainer, validate

rng = np.random.default_rng(0)
CROPS = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
LABELS = rng.integers(-1, 2, (60, 40)).astype(np.int8)
VECTORS = rng.normal(size=(60, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
VECTORS[::5] = 0  # the teacher could not read them
CLASSES = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 60)] * rng.uniform(0, 2, (60, 1))
TRAIN, VAL = np.arange(48), np.arange(48, 60)
STILL = dict.fromkeys(AugmentSpec.model_fields, 0.0)
IDENTITY = {"relation_weight": 2.0, "weight": 1.5}
NET = {"widths": [8, 12], "blocks": [1, 1], "identity_size": 8}

def trunk(kind, name, dropout=0.0, augment=STILL, teach=None, labels=LABELS, mix={}, **training):
    keras.utils.set_random_seed(0)
    recipe = PretrainRecipe.model_validate({
        "name": "x", "backbone": {**NET, "dropout": dropout}, "augment": augment, "mix": mix,
        "targets": {"attributes": {"smoothing": 0.1}, "identity": IDENTITY},
        "optimizer": {"clip_norm": 0.5, "weight_decay": 0.5},
        "training": {"epochs": 3, "batch_size": 8, "average": 0.9} | training})
    targets = Targets(labels, VECTORS)
    model = build_trainer(build_backbone(recipe.backbone, 32), recipe, targets)
    mixer = Mixer(recipe.mix, recipe.training.seed)
    batches = Batches(CROPS, TRAIN, targets, recipe.augment, 8, recipe.training.seed, mixer)
    predict = DeviceOutputs() if kind is DeviceRun else predict_rows
    measure = lambda: validate(model, recipe, CROPS, targets, VAL, predict)
    return open_run(kind, name, recipe, model, batches, measure, teach)

def classes(kind, name, mix={}, augment=STILL, chance=None, stronger=None, **recipe):
    keras.utils.set_random_seed(0)
    recipe = TransferRecipe.model_validate({
        "name": "x", "rung": "last", "mix": mix, "augment": augment, "backbone": NET,
        "head": {"smoothing": 0.1, "dropout": 0.0}, "schedule": {"kind": "plateau", "patience": 1},
        "training": {"epochs": 3, "batch_size": 8}} | recipe)
    model = build_classifier(build_backbone(recipe.backbone, 32), recipe, 3, None)
    targets, mixer = ClassTargets(CLASSES.astype(np.float32)), Mixer(recipe.mix, 0)
    batches = Batches(
        CROPS, TRAIN, targets, recipe.augment, 8, 0, mixer, chance, stronger)
    labels = CLASSES[VAL].argmax(1)
    measure = lambda: validate_classes(model, CROPS, VAL, labels, mirror=False)
    return open_run(kind, name, recipe, model, batches, measure)

def open_run(kind, name, recipe, model, batches, measure, teach=None):
    folder = Path(sys.argv[1]) / name
    folder.mkdir(exist_ok=True)
    run = kind(folder, recipe, model, batches, measure)
    if teach is not None:
        run.batches.teach = SimpleNamespace(traced=teach)
    return run

out = {}
def sit(name, run, epochs=None):
    out.setdefault(name, []).extend(run.sit(epochs).history)

MOVING = AugmentSpec().model_dump()
ALL = dict(dropout=0.3, augment=MOVING)
"""


TIMES = {"seconds", "images_per_second", "compile_seconds", "input_seconds", "validation_seconds"}


def histories(code: str, folder: Path) -> dict[str, Any]:
    """Rows of every run by name, from a process in which Keras runs on JAX."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-", str(folder)],
        input=RUNS + code + "\nprint(json.dumps(out))",
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def numbers(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def same(one: list[dict[str, float]], other: list[dict[str, float]], error: float) -> bool:
    pairs = zip(numbers(one), numbers(other), strict=True)
    return all(a == pytest.approx(b, rel=error, abs=error) for a, b in pairs)


def test_a_step_is_that_of_the_host(tmp_path: Path) -> None:
    """Losses, masks, clip, decay, schedule, average, frozen layers; no augmentation."""
    code = """
for kind in (TrainingRun, DeviceRun):
    sit("trunk " + kind.__name__, trunk(kind, kind.__name__))
    sit("last " + kind.__name__, classes(kind, "last " + kind.__name__))
device.is_processor = lambda: False  # a whole epoch in one program
sit("trunk scan", trunk(DeviceRun, "scan"))
"""
    rows = histories(code, tmp_path)
    for name in ("trunk", "last"):
        host, made = rows[f"{name} TrainingRun"], rows[f"{name} DeviceRun"]
        assert len(host) == 3 and host[0]["loss"] != host[2]["loss"]
        assert same(host, made, 2e-4), name
        assert set(made[2]) - TIMES == set(host[2]) - TIMES and "validation_seconds" in made[2]
    assert same(rows["trunk DeviceRun"], rows["trunk scan"], 2e-4)
    assert rows["trunk DeviceRun"][0]["compile_seconds"] > 0


def test_seeds_resumes_and_blocks_give_the_same_losses(tmp_path: Path) -> None:
    code = """
sit("one", trunk(DeviceRun, "one", **ALL))
sit("again", trunk(DeviceRun, "again", **ALL))
sit("other", trunk(DeviceRun, "other", seed=1, **ALL), 1)
sit("resumed", trunk(DeviceRun, "sittings", **ALL), 2)
run = trunk(DeviceRun, "sittings", **ALL)
assert run.resume() == 2
sit("resumed", run)
one, sittings = (Path(sys.argv[1]) / name / "best.npz" for name in ("one", "sittings"))
with np.load(one) as a, np.load(sittings) as b:
    assert all(np.array_equal(a[k], b[k]) for k in a) and len(a.files) == len(b.files)

# A run of the host that was stopped within an epoch goes on here.
halted = trunk(TrainingRun, "halted")
halted.sit(1)
inputs = halted.batches.epoch(1)
for _ in range(2):
    halted._train_step(*next(inputs))
inputs.close()
halted._save()
run = trunk(DeviceRun, "halted")
assert run.resume() == 1 and run._step == 2
sit("halted", run)
sit("whole", trunk(TrainingRun, "whole"))

device.device_memory = lambda: 8 * 2 * 2 * 2 * (32 * 32 * 3 + 4 * 48)  # two blocks of two steps
run = trunk(DeviceRun, "blocks", **ALL)
assert run._steps_per_block() == 2
sit("blocks", run)
"""
    rows = histories(code, tmp_path)
    assert numbers(rows["one"]) == numbers(rows["again"]) == numbers(rows["resumed"])
    assert rows["one"][0]["loss"] != rows["other"][0]["loss"]
    assert same(rows["whole"][1:], rows["halted"], 2e-4)
    assert same(rows["one"], rows["blocks"], 1e-6)


def test_mixing_drawing_and_strengths(tmp_path: Path) -> None:
    code = """
mix = {"share": 0.7, "mixup": 0.4, "cutmix": 1.0}
for name in ("mixed", "mixed again"):
    sit(name, classes(DeviceRun, name, mix=mix, rung="full"))
sit("plain", classes(DeviceRun, "plain", rung="full"))
chance = np.r_[np.full(8, 1 / 8), np.zeros(40)]
few = classes(DeviceRun, "few", augment=MOVING, chance=chance, stronger=np.linspace(1, 2, 60))
sit("few", few)
device.device_memory = lambda: 8 * 2 * 2 * 2 * (32 * 32 * 3 + 12)
again = {"augment": MOVING, "chance": chance, "stronger": np.linspace(1, 2, 60)}
sit("few blocks", classes(DeviceRun, "few blocks", **again))
"""
    rows = histories(code, tmp_path)
    assert numbers(rows["mixed"]) == numbers(rows["mixed again"])
    assert abs(rows["mixed"][0]["loss"] - rows["plain"][0]["loss"]) > 1e-3
    assert same(rows["few"], rows["few blocks"], 1e-6)


def test_a_trunk_is_told_the_same_of_mixed_images_on_both(tmp_path: Path) -> None:
    """They mix other pairs, so means over many epochs are compared, of a network at rest."""
    code = """
mix = {"share": 1.0, "mixup": 1.0, "cutmix": 1.0}
for name, kind, told in (("host", TrainingRun, mix), ("device", DeviceRun, mix),
                         ("again", DeviceRun, mix), ("plain", DeviceRun, {})):
    run = trunk(kind, name, mix=told, epochs=2 if name == "again" else 40)
    run._rate = lambda step: 0.0
    sit(name, run)
"""
    rows = histories(code, tmp_path)
    assert numbers(rows["again"]) == numbers(rows["device"][:2])
    losses = {
        name: np.array([[row["attributes_loss"], row["identity_loss"]] for row in kept])
        for name, kept in rows.items()
    }
    host, device, plain = (losses[name] for name in ("host", "device", "plain"))
    error = np.sqrt((host.var(0) + device.var(0)) / 40)
    assert (np.abs(host.mean(0) - device.mean(0)) < 3 * error).all()
    assert (plain.mean(0) - device.mean(0))[1] > 8 * error[1]
    assert (np.abs(host.std(0) / device.std(0) - 1) < 0.4).all()
    assert (device.std(0) > 1.5 * plain.std(0)).all()


def test_a_teacher_sees_the_images_of_the_network(tmp_path: Path) -> None:
    """What it says takes the place of a target, or stands beside it."""
    code = """
def teach(images):
    assert images.dtype == "uint8" and images.shape[1:] == (32, 32, 3)
    return {"attributes": jnp.ones((len(images), 40))}

sit("taught", trunk(DeviceRun, "taught", teach=teach, **ALL))
sit("told", trunk(DeviceRun, "told", labels=np.ones_like(LABELS), **ALL))
sit("plain", trunk(DeviceRun, "plain", **ALL))
"""
    rows = histories(code, tmp_path)
    for taught, told, plain in zip(rows["taught"], rows["told"], rows["plain"], strict=True):
        assert taught["loss"] == pytest.approx(told["loss"], rel=1e-5)
        assert taught["loss"] != pytest.approx(plain["loss"], rel=1e-3)


def test_a_checkpoint_is_not_written_at_every_epoch(tmp_path: Path) -> None:
    """And a run killed between two goes on from the last one, its best weights with it."""
    code = """
saved = []
def open_trunk(name, **training):
    run = trunk(DeviceRun, name, **training)
    run.measure = lambda: {"val_loss": [3.0, 1.0, 2.0][run._epoch]}
    save = run._save
    run._save = lambda: (saved.append(run._epoch), save())
    return run

sit("whole", open_trunk("whole"))
rare = open_trunk("rare")
rare.sit(1)
first = rare.checkpoint.read_bytes(), rare.best.read_bytes()
rare._train_epoch()  # and is killed
assert (rare.checkpoint.read_bytes(), rare.best.read_bytes()) == first and rare._better
assert len((rare.folder / "metrics.jsonl").read_text().splitlines()) == 2
run = open_trunk("rare", checkpoint_minutes=0)
assert run.resume() == 1
sit("rare", run)
one, other = (Path(sys.argv[1]) / name / "best.npz" for name in ("whole", "rare"))
with np.load(one) as a, np.load(other) as b:
    assert all(np.array_equal(a[k], b[k]) for k in a) and len(a.files) == len(b.files)
out["kept"] = [json.loads(line) for line in (run.folder / "metrics.jsonl").open()]
out["saved"] = saved
"""
    rows = histories(code, tmp_path)
    assert numbers(rows["whole"][1:]) == numbers(rows["rare"])
    assert numbers(rows["kept"]) == numbers(rows["whole"])
    assert rows["saved"] == [1, 3, 1, 2, 3]  # the whole run, the first sitting, the resumed one


def test_validation_on_the_device_gives_the_numbers_of_the_host(tmp_path: Path) -> None:
    """As one program and block by block, with a remainder, mirrored, of new weights."""
    code = """
from facekit.training import outputs
outputs.BLOCK = 16
seen = []
run = classes(DeviceRun, "outputs", rung="full")
rows = rng.permutation(60)[:37]
for processor in (True, False):
    device.is_processor = lambda: processor
    for mirror in (False, True):
        kept = DeviceOutputs()
        for _ in range(2):
            host = predict_rows(run.model, CROPS, rows, mirror=mirror)["classes"]
            made = kept(run.model, CROPS, rows, mirror=mirror)["classes"]
            assert made.shape == (37, 3) and np.allclose(made, host, 1e-5, 1e-5)
            seen.append(host)
            run.model.set_weights([1.1 * w for w in run.model.get_weights()])
        few = kept(run.model, CROPS, rows[:5], mirror=mirror)["classes"]
        host = predict_rows(run.model, CROPS, rows[:5], mirror=mirror)["classes"]
        assert np.allclose(few, host, 1e-5, 1e-5)
assert all(np.abs(one - two).max() > 0.01 for one, two in zip(seen, seen[1:]))
device.device_memory = lambda: 1  # no room: the host's way
assert DeviceOutputs()(run.model, CROPS, rows)["classes"].shape == (37, 3)
"""
    assert histories(code, tmp_path) == {}
