"""``facekit transfer fer --rung last|full|scratch`` from the pictures to the bundle.

All runs train a backbone of a few thousand numbers on a cartoon FER-2013, most of
them with MixUp and CutMix, averaged weights and dropout: a resume must bring all of
it back.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.bundle.write import write_bundle
from facekit.cli.app import main
from facekit.errors import DataError, RecipeError, UsageError
from facekit.frame import FaceFrame
from facekit.labels import EMOTIONS
from facekit.recipe.load import load_recipe
from facekit.recipe.schema import BackboneSpec
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.transfer.data import Sources, open_data
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.run import transfer
from facekit.workflows.transfer.tune import _batches, require_training

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

SPEC = BackboneSpec(widths=(8, 12), blocks=(1, 1), identity_size=6)
TINY = (
    "data.holdout=0.25",
    "head.dropout=0.2",
    "mix.share=0.6",
    "training.average=0.9",
    "training.batch_size=8",
    "training.epochs=2",
)
TIMES = {"seconds", "images_per_second"}

#: Runs the command line and kills itself while step 3 of epoch 2 is being saved.
KILLED = """
import os, signal
from facekit.cli.app import main
from facekit.training import checkpoint, loop

save = loop.save_checkpoint

def save_or_die(path, model, note):
    if (note["epoch"], note["step"]) == (1, 3):
        checkpoint.os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
    save(path, model, note)

loop.save_checkpoint = save_or_die
main()
"""


@pytest.fixture(scope="module")
def base(tiny_contents: BundleContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a Keras backbone of random weights and no heads."""
    from facekit.backbones.catalog import build_backbone
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras

    start_keras(seed=5)
    contents = replace(
        tiny_contents,
        name="small",
        onnx=to_onnx(build_backbone(SPEC, 32)),
        frame=FaceFrame(side=32),
        family="compact",
        config=SPEC.model_dump(mode="json"),
        heads={},
    )
    return write_bundle(tmp_path_factory.mktemp("bundles") / "small", contents).folder


Train = Callable[..., TransferResult]


@pytest.fixture(scope="module")
def train(cartoon_fer: Path, base: Path) -> Train:
    """``train(folder, "key=value", rung="full")``."""

    def run(out: Path, *changes: str, **options: Any) -> TransferResult:
        options = {"rung": "full", **options}
        if options.get("resume"):
            options["rung"] = None
        else:
            changes = (f"model={base}", *TINY, *changes)
        return transfer("fer", cartoon_fer, overrides=changes, out=out, **options)

    return run


def command(base: Path, data: Path, out: Path) -> list[str]:
    changes = [part for change in (f"model={base}", *TINY) for part in ("--set", change)]
    return ["transfer", "fer", "--data", str(data), "--rung", "full", *changes, "--out", str(out)]


def run_main(*args: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["facekit", *args])
        try:
            main()
        except SystemExit as end:
            assert not end.code


@pytest.fixture(scope="module")
def whole(base: Path, cartoon_fer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs in one sitting, through the command line."""
    out = tmp_path_factory.mktemp("whole") / "run"
    run_main(*command(base, cartoon_fer, out))
    return out


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name != "note"}


def note_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as stored:
        return dict(json.loads(str(stored["note"])))


def weights_of(bundle: Path) -> dict[str, Any]:
    import onnx

    graph = onnx.load(str(bundle / "backbone.onnx")).graph
    return {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}


def assert_same_training(one: Path, two: Path) -> None:
    for name in ("checkpoint.npz", "best.npz"):
        a, b = arrays_of(one / name), arrays_of(two / name)
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert np.allclose(value, b[key], rtol=1e-4, atol=1e-4), f"{name}: {key}"
    for row, other in zip(rows_of(one), rows_of(two), strict=True):
        for key in row.keys() - TIMES:
            assert other[key] == pytest.approx(row[key], rel=1e-3, abs=1e-4), key


@pytest.mark.tf
def test_a_run_leaves_everything_it_promises(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "best.npz", "bundle", "card.md", "checkpoint.npz", "data.json", "metrics.jsonl",
        "predictions.csv", "recipe.toml", "report.html", "report.json", "tensorboard",
        "validation.csv",
    }  # fmt: skip
    assert [row["epoch"] for row in rows_of(whole)] == [1, 2]
    assert {"loss", "val_loss", "val_accuracy", "val_macro_f1"} <= set(rows_of(whole)[0])
    images = json.loads((whole / "data.json").read_text())["images"]
    assert images["test"] == 21 and images["train"] + images["val"] == 56 and images["val"] >= 7
    report = json.loads((whole / "report.json").read_text())
    assert (report["rung"], report["split"], report["n"]) == ("full", "test", 21)
    assert set(report["flips"]) == {"mirror", "shift", "jpeg"}
    assert report["seconds"] == pytest.approx(
        sum(row["seconds"] for row in rows_of(whole)), abs=0.1
    )
    bundle = load_bundle(whole / "bundle")
    assert list(bundle.heads) == ["emotions"] and bundle.heads["emotions"].labels == EMOTIONS
    assert bundle.manifest.mirror and bundle.manifest.base is None
    assert list(bundle.parts) == ["pooled"]  # what no head reads is not shipped
    spec = BackboneSpec.model_validate({**bundle.manifest.backbone.config})
    assert (spec.widths, spec.identity_size) == (SPEC.widths, 0)
    assert report["trainable"] < report["parameters"] and report["macs"] > 0
    assert note_of(whole / "checkpoint.npz")["plateau"]["best"] == pytest.approx(
        min(1 - row["val_accuracy"] for row in rows_of(whole))
    )


@pytest.mark.tf
def test_the_bundle_answers_as_keras_does(whole: Path, base: Path, cartoon_fer: Path) -> None:
    """The best weights, put into a freshly built classifier."""
    from facekit.training.checkpoint import load_weights
    from facekit.training.classifier import build_classifier, predict_logits
    from facekit.training.keras import assign_all, restore_backbone

    recipe = load_recipe(whole / "recipe.toml", (), TransferRecipe)
    model = build_classifier(restore_backbone(load_bundle(base)), recipe, 7, None)
    assign_all(model.weights, load_weights(whole / "best.npz"))
    crops = np.array(data_of(cartoon_fer, base)[1].crops)
    logits = predict_logits(model, crops, np.arange(len(crops)), mirror=True)
    bundle = load_bundle(whole / "bundle")
    head = bundle.heads["emotions"]
    views = [head.logits(bundle.embed(x), calibrated=False) for x in (crops, crops[:, :, ::-1])]
    assert np.abs(np.mean(views, axis=0) - logits).max() < 1e-2
    assert np.ptp(logits, axis=0).min() > 0.2  # the answers do differ
    assert head.calibration is not None
    power = np.exp(logits * head.calibration[:, 0] + head.calibration[:, 1])
    found = bundle.scores(crops, ["emotions"])["emotions"]
    assert np.abs(found - power / power.sum(1, keepdims=True)).max() < 1e-2


@pytest.mark.tf
def test_evaluate_takes_the_bundle(
    whole: Path, cartoon_fer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    model = str(whole / "bundle")
    run_main("evaluate", "fer", "--data", str(cartoon_fer), "--model", model, "--json")
    record = json.loads(capsys.readouterr().out)
    report = json.loads((whole / "report.json").read_text())
    assert (record["task"], record["split"], record["n"]) == ("emotions", "test", 21)
    assert record["metrics"]["accuracy"] == report["metrics"]["accuracy"]
    assert record["confusion"] == report["confusion"]


@pytest.mark.tf
def test_sittings_are_one_training(train: Train, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = train(run, epochs=1)
    assert not first.finished and first.bundle is None and first.metrics["epoch"] == 1
    assert not (run / "bundle").exists()
    again = train(run, resume=True, epochs=5)
    assert again.finished and again.bundle == run / "bundle"
    assert_same_training(whole, run)
    for name, value in weights_of(run / "bundle").items():
        assert np.allclose(value, weights_of(whole / "bundle")[name], atol=1e-3), name


@pytest.mark.tf
@pytest.mark.slow
def test_a_killed_run_goes_on(
    train: Train, whole: Path, base: Path, cartoon_fer: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    often = ["--set", "training.checkpoint_minutes=1e-9"]
    words = [*command(base, cartoon_fer, run), *often]
    dead = subprocess.run(
        [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, timeout=1800
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    note = note_of(run / "checkpoint.npz")
    assert (note["epoch"], note["step"]) == (1, 2)
    assert train(run, resume=True).finished
    assert_same_training(whole, run)


@pytest.mark.tf
def test_the_last_rung_keeps_the_rest_of_the_backbone(
    train: Train, base: Path, tmp_path: Path
) -> None:
    result = train(
        tmp_path / "run", "best=loss", "head.balance=sampling", "mix.share=0", rung="last"
    )
    assert result.finished and result.rung == "last"
    before, after = weights_of(base), weights_of(tmp_path / "run" / "bundle")
    for name, value in after.items():
        same = np.array_equal(value, before[name])
        assert same == (not name.startswith("stage2_")) or "constant" in name, name
    best = note_of(tmp_path / "run" / "checkpoint.npz")["plateau"]["best"]
    assert best == pytest.approx(min(row["val_loss"] for row in rows_of(tmp_path / "run")))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["trainable"] < 0.95 * report["parameters"]


@pytest.mark.tf
@pytest.mark.slow
def test_another_family_from_scratch(train: Train, tmp_path: Path) -> None:
    changes = ["backbone.family=mobilenetv2", "frame.side=32", "training.epochs=1", "mix.share=0"]
    result = train(tmp_path / "run", *changes, rung="scratch")
    assert result.finished
    bundle = load_bundle(tmp_path / "run" / "bundle")
    assert bundle.manifest.backbone.family == "mobilenetv2" and bundle.manifest.base is None
    assert bundle.parts == {"pooled": (1280,)}
    scores = bundle.scores(np.zeros((2, 32, 32, 3), np.uint8), ["emotions"])["emotions"]
    assert scores.sum(1) == pytest.approx(np.ones(2), abs=1e-4)
    assert bundle.manifest.training["rung"] == "scratch"


@pytest.mark.tf
@pytest.mark.slow
def test_the_shipped_backbone_tuned_takes_at_most_8_mb() -> None:
    from facekit.bundle.onnx import to_onnx
    from facekit.training.backend import start_keras
    from facekit.training.classifier import build_trunk
    from facekit.training.keras import restore_backbone

    start_keras()
    assert len(to_onnx(build_trunk(restore_backbone(load_bundle("celeba-compact"))))) < 7_500_000


@pytest.mark.tf
@pytest.mark.slow
def test_auto_climbs_for_real(train: Train, tmp_path: Path) -> None:
    """Hardly anything can be learned here: what counts is that the pieces fit."""
    run = tmp_path / "run"
    changes = ["mix.share=0", "training.epochs=1", "head.epochs=2"]
    result = train(run, *changes, rung="auto")
    told = json.loads((run / "climb.json").read_text())
    assert result.finished and result.rung == told["kept"] and result.bundle == run / "bundle"
    tried = [step["rung"] for step in told["steps"]]
    assert tried[:2] == ["frozen", "last"]
    assert load_recipe(run / "recipe.toml").rung == "auto"
    for rung in tried:
        assert load_recipe(run / rung / "recipe.toml").rung == rung
        facts = json.loads((run / rung / "data.json").read_text())
        assert facts["images"]["val"] >= 7
    kept = (run / told["kept"] / "report.json").read_bytes()
    assert (run / "report.json").read_bytes() == kept
    assert list(load_bundle(run / "bundle").heads) == ["emotions"]
    before = [(run / rung / "report.html").stat().st_mtime_ns for rung in tried]
    again = train(run, resume=True)
    assert again.rung == result.rung and again.metrics == result.metrics
    assert [(run / rung / "report.html").stat().st_mtime_ns for rung in tried] == before


def data_of(cartoon_fer: Path, base: Path, *changes: str) -> tuple[Any, Any]:
    recipe = load_recipe("fer-full", [f"model={base}", *TINY, *changes], TransferRecipe)
    source = Sources(cartoon_fer)
    return recipe, open_data(recipe, source, load_bundle(base), cross_validated=False)


@pytest.mark.tf
@pytest.mark.parametrize("balance", ["none", "weights", "sampling", "augment"])
def test_rare_classes_count_as_the_recipe_says(cartoon_fer: Path, base: Path, balance: str) -> None:
    recipe, data = data_of(cartoon_fer, base, f"head.balance={balance}")
    rows = data.train[(data.labels[data.train] != 1) | (np.arange(len(data.train)) % 3 == 0)]
    rare = replace(data, train=rows)
    counts = np.bincount(rare.labels[rows], minlength=7)
    assert counts[1] < counts.min(where=np.arange(7) != 1, initial=99)
    batches = _batches(recipe, rare)
    seen = np.concatenate([batches.order(epoch) for epoch in range(60)])
    assert len(seen) == 60 * len(rows)
    drawn = np.bincount(rare.labels[seen], minlength=7)
    sums = batches.targets.rows(rows)["classes"].sum(1)
    if balance in ("sampling", "augment"):
        assert np.abs(drawn / drawn.mean() - 1).max() < 0.25
        assert set(seen) == set(rows)
    else:
        assert np.array_equal(drawn, 60 * counts)
    totals = np.bincount(rare.labels[rows], weights=sums, minlength=7)
    assert np.ptp(totals) < 1e-3 if balance == "weights" else np.array_equal(totals, counts)
    if balance == "augment":
        few, many = (rare.labels[rows] == 1), (rare.labels[rows] == counts.argmax())
        (strong,) = {spec.rotation for spec in batches.specs(rows[few])}
        (usual,) = {spec.rotation for spec in batches.specs(rows[many])}
        assert usual == recipe.augment.rotation > 0
        assert strong == pytest.approx(usual * (counts.max() / counts[1]) ** 0.5)
    else:
        assert batches.stronger is None
    assert np.array_equal(batches.order(3), _batches(recipe, rare).order(3))
    assert not np.array_equal(batches.order(3), batches.order(4))


@pytest.mark.tf
def test_too_few_images_are_one_line(tiny_bundle: Path, tmp_path: Path, cartoon_fer: Path) -> None:
    for emotion in EMOTIONS[:2]:
        folder = tmp_path / "fer" / "train" / emotion
        folder.mkdir(parents=True)
        shutil.copy(cartoon_fer / "train" / emotion / "0.png", folder)
    with pytest.raises(DataError, match="too few images to hold any out") as caught:
        transfer(
            "fer", tmp_path / "fer", rung="full", overrides=[f"model={tiny_bundle}"],
            out=tmp_path / "run",
        )  # fmt: skip
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.tf
def test_a_resumed_run_keeps_its_measure_and_its_rung(whole: Path, train: Train) -> None:
    before = (whole / "recipe.toml").read_bytes()
    for change in ("best=loss", "rung=last"):
        with pytest.raises(RecipeError, match=change.partition("=")[0]) as caught:
            train(whole, change, resume=True)
        assert "\n" not in str(caught.value)
    assert (whole / "recipe.toml").read_bytes() == before


@pytest.mark.tf
def test_what_cannot_be_trained_is_said_before_the_images_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"out": tmp_path / "run"}
    with pytest.raises(RecipeError, match="did you mean mobilenetv2"):
        transfer("fer", "nowhere", rung="scratch", overrides=["backbone.family=mobilnet"], **given)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UsageError, match="KERAS_BACKEND is 'torch'"):
        transfer("fer", "nowhere", rung="full", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.jax
def test_cutmix_has_its_limit_on_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    recipe = load_recipe("fer-full", ["mix.cutmix=1.5"], TransferRecipe)
    with pytest.raises(RecipeError, match="at most 1 on jax"):
        require_training(recipe)
