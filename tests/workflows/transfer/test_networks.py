"""Every published network, made small, through ``facekit transfer fer`` to its bundle.

Recipes and procedures are the real ones; widths, depths and pictures are not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.errors import RecipeError
from facekit.labels import EMOTIONS
from facekit.recipe.load import load_recipe
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer.data import Sources, open_data
from facekit.workflows.transfer.run import transfer

#: What makes a recipe small; the picture stays whole.
SMALL = {
    "fer-cnn-simple": ["backbone.widths=[4,6]"],
    "fer-cnn-blocks": ["backbone.widths=[4,6,8,8]", "top.widths=[12]"],
    "fer-densenet-bc-07": ["backbone.depth=12", "backbone.growth=4"],
    "fer-resnet104-v1": ["backbone.depth=8"],
    "fer-resnet155-v2": ["backbone.depth=11"],
}
TINY = ("training.batch_size=8", "training.epochs=2", "data.holdout=0.25", "data.validation=auto")

Train = Callable[..., Path]


@pytest.fixture(scope="module")
def train(cartoon_fer: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """``train(out, recipe, "key=value")`` gives the run folder."""

    def run(out: Path, name: str, *changes: str, **options: Any) -> Path:
        given = () if options.get("resume") else (*SMALL.get(name, ()), *TINY, *changes)
        transfer("fer", cartoon_fer, recipe=name, overrides=given, out=out, **options)
        return out

    return run


def logits_of(run: Path, crops: Any, classes: int = len(EMOTIONS)) -> Any:
    """Of a freshly built classifier with the best weights of the run."""
    from facekit.training.backend import start_keras
    from facekit.training.checkpoint import load_weights
    from facekit.training.classifier import build_classifier
    from facekit.training.keras import assign_all
    from facekit.workflows.transfer.backbone import open_network

    start_keras(seed=9)
    recipe = load_recipe(run / "recipe.toml", (), TransferRecipe)
    network = open_network(recipe, None, weights=False)
    model = build_classifier(network.backbone, recipe, classes, None)
    assign_all(model.weights, load_weights(run / "best.npz"))
    return model.predict_on_batch(crops)["classes"]


def crops_of(bundle: Bundle, n: int) -> Any:
    side = bundle.frame.side
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


@pytest.mark.tf
@pytest.mark.parametrize("name", SMALL)
def test_a_network_trains_and_its_bundle_answers_alike(
    name: str, train: Train, tmp_path: Path
) -> None:
    run = train(tmp_path / "run", name)
    bundle = load_bundle(run / "bundle")
    crops = crops_of(bundle, 6)
    wanted = logits_of(run, crops)
    head = bundle.heads["emotions"]
    found = head.logits(bundle.embed(crops), calibrated=False)
    assert np.abs(found - wanted).max() < 0.01 * max(1.0, np.abs(wanted).max())
    assert np.ptp(wanted, axis=0).max() > 1e-3
    assert not bundle.manifest.mirror and bundle.manifest.base is None
    assert bundle.manifest.training["backbone"] == {"began": "random weights"}
    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0] or name == "fer-densenet-bc-07"  # RMSprop is rough here
    if name == "fer-cnn-blocks":
        _read_without_keras(run / "bundle")
    report = json.loads((run / "report.json").read_text())
    assert report["parameters"] == report["trainable"] + _still(run)


def _read_without_keras(bundle: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from facekit.bundle.load import load_bundle\n"
        f"bundle = load_bundle({str(bundle)!r})\n"
        "scores = bundle.scores(np.zeros((1, 48, 48, 3), np.uint8), ['emotions'])\n"
        "assert scores['emotions'].shape == (1, 7)\n"
        "assert not {'tensorflow', 'keras', 'jax', 'onnx'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _still(run: Path) -> int:
    """Moving statistics, two for each channel of a normalisation."""
    from facekit.workflows.describe import describe_network

    told = describe_network(load_recipe(run / "recipe.toml"))
    norms = [row for row in told["summary"] if row["kind"] == "BatchNormalization"]
    return sum(row["parameters"] // 2 for row in norms)


@pytest.mark.tf
def test_the_mean_training_image_is_taken_off_and_kept(
    train: Train, cartoon_fer: Path, tmp_path: Path
) -> None:
    """It is measured once, rests in the checkpoint, and goes into the bundle."""
    import onnx

    run = train(tmp_path / "run", "fer-resnet104-v1", epochs=1)
    train(run, "fer-resnet104-v1", resume=True)
    graph = onnx.load(str(run / "bundle" / "backbone.onnx")).graph
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    mean = stored["pixel_mean/mean"].astype(np.float64)
    assert mean.shape == (48, 48, 1)
    recipe = load_recipe(run / "recipe.toml", (), TransferRecipe)
    data = open_data(recipe, Sources(cartoon_fer), None, cross_validated=False)
    grey = data.crops[data.train].astype(np.float64) @ (0.299, 0.587, 0.114)
    assert mean[:, :, 0] == pytest.approx(grey.mean(0) / 255, abs=1e-3)


@pytest.mark.tf
def test_a_network_is_trained_on_from_its_bundle(train: Train, tmp_path: Path) -> None:
    """Rung last begins with the bundle's own layers and moves the last block alone."""
    import onnx

    first = train(tmp_path / "first", "fer-cnn-blocks")
    model = f"model={first / 'bundle'}"
    run = train(
        tmp_path / "second", "fer-cnn-blocks", model, "rung=last",
        "optimizer.learning_rate=1e-6", "training.epochs=1",
    )  # fmt: skip
    kept: list[dict[str, Any]] = []
    for folder in (first, run):
        graph = onnx.load(str(folder / "bundle" / "backbone.onnx")).graph
        kept.append({one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer})
    before, after = kept
    for name, value in after.items():
        assert np.array_equal(value, before[name]) == (not name.startswith("block4_")), name
    heads = [load_bundle(folder / "bundle").heads["emotions"] for folder in (first, run)]
    crops = crops_of(load_bundle(run / "bundle"), 4)
    answers = [
        head.logits(load_bundle(folder / "bundle").embed(crops), calibrated=False)
        for head, folder in zip(heads, (first, run), strict=True)
    ]
    assert answers[1] == pytest.approx(answers[0], abs=0.02 * float(np.abs(answers[0]).max()))


@pytest.mark.tf
def test_layers_that_no_head_has_begin_at_random_and_that_is_told(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train(tmp_path / "first", "fer-cnn-simple")
    capsys.readouterr()
    train(
        tmp_path / "second", "fer-cnn-simple", f"model={first / 'bundle'}", "rung=full",
        "top.widths=[5]", "training.epochs=1",
    )  # fmt: skip
    told = capsys.readouterr().err
    assert "fer-cnn-simple has no head of 864 to 5 to 7 numbers" in told
    assert "begin at random" in told


@pytest.mark.tf
def test_a_resumed_run_keeps_its_layers(train: Train, tmp_path: Path) -> None:
    run = train(tmp_path / "run", "fer-cnn-simple", epochs=1)
    with pytest.raises(RecipeError, match="--set changes top of the run"):
        transfer("fer", "nowhere", out=run, resume=True, overrides=["top.pool=average"])


@pytest.mark.tf
@pytest.mark.slow
def test_mobilenet_begins_at_random_or_says_what_is_missing(
    train: Train, cartoon_fer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From FER folders over a TFRecord of six classes to the bundle."""
    name = "fer-mobilenetv2-tfrecord"

    def fetch(*args: object, **keys: object) -> str:
        raise OSError("no such host")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fetch)
    with pytest.raises(RecipeError, match=r"ImageNet weights .* --set backbone.weights=none"):
        train(tmp_path / "run", name)
    assert not (tmp_path / "run").exists()
    from facekit.workflows.export_tfrecord import export_tfrecord

    (tmp_path / "records").mkdir()
    export_tfrecord(cartoon_fer, tmp_path / "records" / "fer.tfrecord", classes="six")
    run = tmp_path / "run"
    changes = ["frame.side=48", "backbone.alpha=0.35", "backbone.weights=none", "top.widths=[12]"]
    transfer(
        "tfrecord", tmp_path / "records", recipe=name, out=run,
        overrides=[*changes, *TINY, "training.epochs=1"],
    )  # fmt: skip
    bundle = load_bundle(run / "bundle")
    head = bundle.heads["classes"]
    assert head.labels == ("angry", "disgust", "happy", "natural", "sad", "surprise")
    crops = crops_of(bundle, 4)
    found = head.logits(bundle.embed(crops), calibrated=False)
    assert np.abs(found - logits_of(run, crops, 6)).max() < 0.02
    assert json.loads((run / "data.json").read_text())["images"]["test"] == 3 * 6
    import keras

    whole = keras.saving.load_model(run / "model.keras")
    shares = whole.predict_on_batch(crops)
    assert np.allclose(shares, keras.ops.softmax(logits_of(run, crops, 6)), atol=1e-5)
