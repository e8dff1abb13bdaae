"""The light path loads no TensorFlow, Keras or JAX, and opens no socket.

A fresh process proves it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

HEAVY = {"tensorflow", "keras", "jax", "torch", "tensorflow_datasets", "keras_cv", "matplotlib"}
#: Loaded by predict and by nothing that only prints help (typer itself may take pydantic).
MIDDLE = {"numpy", "cv2", "onnxruntime", "sklearn", "scipy", "albumentations", "rich"}

PROBE = """
import atexit, gc, json, os, sys
sockets = []
sys.addaudithook(lambda name, _: name.startswith("socket.") and sockets.append(name))
@atexit.register
def report():
    modules = sorted({name.split(".")[0] for name in sys.modules})
    blas = os.environ.get("OPENBLAS_NUM_THREADS")
    seen = {"modules": modules, "sockets": sockets, "frozen": gc.get_freeze_count(), "blas": blas}
    print(json.dumps(seen), file=sys.stderr)
"""


@dataclass(frozen=True)
class Seen:
    """What a fresh process did."""

    code: int
    out: str
    modules: set[str]
    sockets: list[str]
    frozen: int
    blas: str | None


def python(code: str) -> Seen:
    done = subprocess.run(
        [sys.executable, "-c", PROBE + code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )
    assert "Traceback" not in done.stderr, done.stderr
    seen = json.loads(done.stderr.strip().splitlines()[-1])
    seen["modules"] = set(seen["modules"])
    return Seen(done.returncode, done.stdout, **seen)


def facekit(*args: object) -> Seen:
    words = ["facekit", *map(str, args)]
    return python(f"sys.argv = {words!r}\nfrom facekit.cli.app import main\nmain()")


def test_the_probe_sees_modules_and_sockets() -> None:
    seen = python("import numpy, socket; socket.socket().close()")
    assert "numpy" in seen.modules
    assert seen.sockets


def test_import_loads_next_to_nothing() -> None:
    assert not python("import facekit; assert facekit.ATTRIBUTES").modules & (HEAVY | MIDDLE)


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("predict", "--help")])
def test_help_loads_next_to_nothing(args: tuple[str, ...]) -> None:
    seen = facekit(*args)
    assert seen.code == 0
    assert not seen.modules & (HEAVY | MIDDLE)


@pytest.mark.parametrize("verb", ["recipes", "models", "doctor", "data"])
def test_the_small_verbs_load_nothing_heavy(verb: str) -> None:
    seen = facekit(verb)
    assert seen.code in ((0, 1) if verb == "doctor" else (0,))
    assert not seen.modules & HEAVY
    assert not seen.sockets


@pytest.mark.parametrize("detector", ["none", "haar"])
def test_predict_loads_nothing_heavy_and_opens_no_socket(
    tiny_bundle: Path, tmp_path: Path, detector: str
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(cv2.imencode(".png", np.full((90, 120, 3), 99, np.uint8))[1].tobytes())
    options = ("--model", tiny_bundle, "--detector", detector, "--json")
    seen = facekit("predict", photo, *options, "--annotate", tmp_path / "out")
    assert seen.code == 0
    assert json.loads(seen.out)[0]["width"] == 120
    assert not seen.modules & (HEAVY | {"sklearn", "albumentations", "scipy"})
    assert not seen.sockets
    assert seen.frozen  # no last collection of all that was imported
    assert seen.blas == os.environ.get("OPENBLAS_NUM_THREADS", "1")  # what the user set stays


def test_import_sets_nothing() -> None:
    seen = python("import facekit, facekit.predict")
    assert (seen.frozen, seen.blas) == (0, os.environ.get("OPENBLAS_NUM_THREADS"))


def test_evaluate_compare_and_sweep_load_nothing_heavy(
    tiny_bundle: Path, tmp_path: Path, add_head: Callable[..., None]
) -> None:
    from facekit.heads.kinds import LinearHead
    from facekit.labels import EMOTIONS

    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "emotional"))
    common = {"parts": ("pooled",), "labels": EMOTIONS, "activation": "softmax"}
    add_head(bundle, "emotions", LinearHead(weight=np.eye(3, 7), bias=np.zeros(7), **common))  # type: ignore[arg-type]
    for emotion in EMOTIONS[:2]:
        (tmp_path / "test" / emotion).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "test" / emotion / "0.png"), np.full((48, 48), 99, np.uint8))
    seen = facekit("evaluate", "fer", "--data", tmp_path, "--model", bundle, "--json")
    assert seen.code == 0
    assert json.loads(seen.out)["n"] == 2
    assert not seen.modules & (HEAVY | {"sklearn", "albumentations"})
    assert not seen.sockets
    assert not facekit("compare", tmp_path).modules & (HEAVY | {"sklearn", "onnxruntime"})
    looked = facekit("sweep", "demo", "--data", tmp_path, "--set", "training.seed=0,1", "--dry-run")
    assert looked.code == 0 and not looked.modules & (HEAVY | {"sklearn", "onnxruntime"})


def test_enrolling_is_light_and_offline(
    tmp_path: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.cartoon import draw_face, make_person

    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE")  # users do not set it
    for i in range(3):
        face = draw_face(make_person(0, 1), "happy", np.random.default_rng(i), (178, 218))[0]
        assert cv2.imwrite(str(tmp_path / f"{i}.png"), face[:, :, ::-1])
    photos = sorted(tmp_path.glob("*.png"))
    seen = facekit("enroll", *photos, "--detector", "none", "--yes")
    assert seen.code == 0
    assert "albumentations" in seen.modules
    assert not seen.modules & HEAVY
    assert not seen.sockets
    assert (facekit_home / "enrolled" / "me" / "manifest.json").exists()


def test_enrolling_on_another_network_is_light_and_offline(
    tiny_bundle: Path, tmp_path: Path, facekit_home: Path
) -> None:
    from facekit.bundle.load import load_bundle
    from facekit.bundle.strangers import Strangers
    from facekit.cartoon import draw_face, make_person
    from facekit.workflows.pretrain.strangers import add_strangers

    model = Path(shutil.copytree(tiny_bundle, tmp_path / "model"))
    rng = np.random.default_rng(0)
    vectors = rng.random((80, 3), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    looks, half = np.zeros((80, 40), np.uint8), np.arange(80) % 2 == 0
    # "identity" chooses the face, and "pooled" is what the neuron of me-binary reads.
    for part, rows in (("pooled", vectors), ("identity", rng.normal(size=(80, 8)) / 3)):
        people = Strangers(np.float32(rows), looks, half, load_bundle(model).key, part)
        add_strangers(model, people)
    face = draw_face(make_person(0, 1), "happy", np.random.default_rng(1), (178, 218))[0]
    photo = tmp_path / "photo.png"
    assert cv2.imwrite(str(photo), face[:, :, ::-1])
    options = ("--recipe", "me-binary", "--model", model, "--augment", 20, "--detector", "none")
    seen = facekit("enroll", photo, *options, "--yes", "--json")
    assert seen.code == 0
    assert json.loads(seen.out)["splits"]["leaky"]["taught"] == 1
    assert not seen.modules & HEAVY
    assert not seen.sockets
