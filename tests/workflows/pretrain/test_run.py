"""``facekit pretrain`` from table to bundle, in sittings and through a SIGKILL.

All runs train the same tiny recipe on a cartoon CelebA whose test images are
not there.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import read_strangers
from facekit.datasets.celeba import read_partitions
from facekit.errors import DataError, FacekitError, InterruptedRunError, RecipeError, UsageError
from facekit.labels import ATTRIBUTES
from facekit.recipe.load import load_recipe
from facekit.recipe.schema import PretrainRecipe
from facekit.workflows.pretrain import run as workflow
from facekit.workflows.pretrain.run import PretrainResult, pretrain
from facekit.workflows.sources import Source

TINY = (
    "frame.side=32",
    "backbone.widths=[8,16]",
    "backbone.blocks=[1,1]",
    "backbone.dropout=0.1",  # so that a resume must bring random states back, too
    "optimizer.learning_rate=2e-3",
    "training.batch_size=8",
    "training.epochs=2",
)
TIMES = {"seconds", "images_per_second"}

#: Runs the command line and kills itself while step 4 of epoch 2 is being saved:
#: the new checkpoint is written, but has not got its name yet.
KILLED = """
import os, signal, sys
from facekit.cli.app import main
from facekit.training import checkpoint, loop

save, replace = loop.save_checkpoint, os.replace

def save_or_die(path, model, note):
    if (note["epoch"], note["step"]) == (1, 4):
        checkpoint.os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
    save(path, model, note)

loop.save_checkpoint = save_or_die
main()
"""


@pytest.fixture(scope="module")
def data(cartoon_celeba: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cartoon CelebA without its test images."""
    folder = Path(shutil.copytree(cartoon_celeba, tmp_path_factory.mktemp("data") / "celeba"))
    for name, split in read_partitions(folder / "list_eval_partition.txt").items():
        if split == "test":
            (folder / "img_align_celeba" / name).unlink()
    return folder


Train = Callable[..., PretrainResult]


@pytest.fixture(scope="module")
def train(data: Path) -> Train:
    """``train(folder, "key=value", resume=True)``."""

    def run(out: Path, *changes: str, recipe: str = "demo", **options: Any) -> PretrainResult:
        overrides = changes if options.get("resume") else (*TINY, *changes)
        return pretrain(data, recipe=recipe, overrides=overrides, out=out, **options)

    return run


@pytest.fixture(scope="module")
def whole(train: Train, tmp_path_factory: pytest.TempPathFactory) -> PretrainResult:
    """Two epochs in one sitting."""
    return train(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def half(train: Train, tmp_path_factory: pytest.TempPathFactory) -> PretrainResult:
    """The first of two epochs; copy it before you go on."""
    return train(tmp_path_factory.mktemp("half") / "run", epochs=1)


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name != "note"}


def assert_same_training(one: Path, two: Path) -> None:
    for name in ("checkpoint.npz", "best.npz"):
        a, b = arrays_of(one / name), arrays_of(two / name)
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert np.allclose(value, b[key], rtol=1e-4, atol=1e-4), f"{name}: {key}"
    first, second = rows_of(one), rows_of(two)
    assert [row["epoch"] for row in second] == [row["epoch"] for row in first] == [1, 2]
    for row, other in zip(first, second, strict=True):
        for key in row.keys() - TIMES:
            assert other[key] == pytest.approx(row[key], rel=1e-3, abs=1e-4), key


@pytest.mark.tf
def test_a_run_leaves_everything_it_promises(whole: PretrainResult) -> None:
    run = whole.run
    assert whole.finished and whole.bundle == run / "bundle"
    names = {path.name for path in run.iterdir()}
    assert names == {
        "best.npz", "bundle", "card.md", "checkpoint.npz", "data.json", "metrics.jsonl",
        "recipe.toml", "report.html", "report.json", "tensorboard",
    }  # fmt: skip
    assert [row["epoch"] for row in rows_of(run)] == [1, 2]
    assert json.loads((run / "data.json").read_text())["images"] == {"train": 50, "val": 5}
    assert load_recipe(run / "recipe.toml").training.epochs == 2
    page = (run / "report.html").read_text()
    assert "Wearing_Hat" in page or "Wearing Hat" in page
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)
    assert (run / "card.md").read_text().startswith("# ")


@pytest.mark.tf
def test_the_report_is_the_validation_record(whole: PretrainResult) -> None:
    record = json.loads((whole.run / "report.json").read_text())
    assert (record["task"], record["split"], record["n"]) == ("attributes", "val", 5)
    assert set(record["per_attribute"]) == set(ATTRIBUTES)
    assert whole.metrics["val_mean_accuracy"] == record["metrics"]["mean_accuracy"]
    assert "val_identity_cosine" not in whole.metrics


@pytest.mark.tf
def test_the_bundle_answers_with_the_best_weights(whole: PretrainResult) -> None:
    bundle = load_bundle(whole.bundle)
    assert set(bundle.manifest.parts) == {"pooled", "grid", "grid_mid"}  # no teacher, no identity
    assert bundle.manifest.training["images"] == {"train": 50, "val": 5}
    assert list(bundle.manifest.data_licences) == ["cartoon"]
    strangers = read_strangers(bundle, "pooled")  # what a head of anybody's own is held against
    assert len(strangers.vectors) >= 2 and strangers.part == "pooled"
    scores = bundle.scores(np.zeros((3, 32, 32, 3), np.uint8), ["attributes"])["attributes"]
    assert scores.shape == (3, 40) and ((scores > 0) & (scores < 1)).all()
    import onnx

    graph = onnx.load(str(whole.bundle / "backbone.onnx")).graph
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    kernel = stored["stem/kernel"].transpose(2, 3, 1, 0)  # to Keras' order
    best = [a for a in arrays_of(whole.run / "best.npz").values() if a.shape == kernel.shape]
    assert len(best) == 1 and np.array_equal(best[0].astype(np.float16), kernel)  # as stored


@pytest.mark.tf
def test_tensorboard_can_read_the_epochs(whole: PretrainResult) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (path,) = (whole.run / "tensorboard").iterdir()
    seen = {
        (value.tag, event.step)
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    }
    assert {("val_loss", 1), ("val_loss", 2), ("lr", 1), ("mean_accuracy", 2)} <= seen


@pytest.mark.tf
def test_two_sittings_are_one_training(
    train: Train, whole: PretrainResult, half: PretrainResult, tmp_path: Path
) -> None:
    assert not half.finished and half.bundle is None
    assert half.metrics["epoch"] == 1 and not (half.run / "bundle").exists()
    run = Path(shutil.copytree(half.run, tmp_path / "run"))
    again = train(run, resume=True, epochs=1)
    assert again.finished and again.bundle is not None
    assert_same_training(whole.run, run)
    assert load_bundle(again.bundle).manifest.parts == load_bundle(whole.bundle).manifest.parts


@pytest.mark.tf
def test_a_run_killed_in_an_epoch_goes_on(
    train: Train, whole: PretrainResult, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    changes = [part for change in TINY for part in ("--set", change)]
    command = ["pretrain", "celeba", "--data", str(data), "--recipe", "demo", *changes]
    command += ["--set", "training.checkpoint_minutes=1e-9", "--out", str(run)]
    dead = subprocess.run(
        [sys.executable, "-c", KILLED, *command], capture_output=True, text=True, timeout=600
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    with np.load(run / "checkpoint.npz", allow_pickle=False) as stored:
        note = json.loads(str(stored["note"]))
    assert (note["epoch"], note["step"]) == (1, 3)
    again = train(run, resume=True)
    assert again.finished
    assert_same_training(whole.run, run)


@pytest.mark.tf
def test_a_resumed_run_takes_another_learning_rate(
    train: Train, half: PretrainResult, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(half.run, tmp_path / "run"))
    changes = ("optimizer.learning_rate=1e-5", "schedule.kind=constant", "training.epochs=3")
    result = train(run, *changes, resume=True, epochs=1)
    assert not result.finished
    first, second = rows_of(run)
    assert first["lr"] > 1e-4 and second["lr"] == pytest.approx(1e-5)
    assert load_recipe(run / "recipe.toml").optimizer.learning_rate == 1e-5


@pytest.mark.tf
def test_a_resumed_run_keeps_its_backbone(half: PretrainResult, train: Train) -> None:
    before = (half.run / "recipe.toml").read_bytes()
    with pytest.raises(RecipeError, match="backbone") as caught:
        train(half.run, "backbone.widths=[8,24]", resume=True)
    assert "\n" not in str(caught.value)
    assert (half.run / "recipe.toml").read_bytes() == before


@pytest.mark.tf
def test_a_resumed_run_keeps_its_data(
    cartoon_celeba: Path, half: PretrainResult, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))
    (other / "img_align_celeba" / "000001.jpg").unlink()
    with pytest.raises(InterruptedRunError, match=r"50 train.*49 train"):
        pretrain(other, out=half.run, resume=True, allow_missing=True)


@pytest.mark.tf
def test_what_is_listed_is_left_out(
    data: Path, train: Train, tmp_path: Path, facekit_home: Path
) -> None:
    """The list of an audit names images of any split, also of one that is not there."""
    parts = read_partitions(data / "list_eval_partition.txt")
    of = {split: [name for name in parts if parts[name] == split] for split in parts.values()}
    listed = tmp_path / "bad.csv"
    listed.write_text("\n".join(["id", *of["train"][:3], of["val"][0], of["test"][0]]) + "\n")
    run = tmp_path / "run"
    result = train(run, exclude=str(listed), epochs=1)
    assert not result.finished
    facts = json.loads((run / "data.json").read_text())
    assert facts["images"] == {"train": 47, "val": 4}
    with pytest.raises(InterruptedRunError, match=r"47 train, 4 val.*50 train.*--exclude"):
        train(run, resume=True)
    listed.write_text("\n".join(["id", *of["train"][2:5], of["val"][1]]) + "\n")
    with pytest.raises(InterruptedRunError, match="other labels or partitions"):
        train(run, resume=True, exclude=listed)
    listed.write_text("\n".join(["id", *of["train"][:3], of["val"][0]]) + "\n")
    assert train(run, resume=True, exclude=listed).finished
    trained = load_bundle(run / "bundle").manifest.training
    assert trained["images"] == {"train": 47, "val": 4}
    assert (
        len([path for path in (facekit_home / "cache" / "crops").iterdir() if path.is_dir()]) == 1
    )
    listed.write_text("id\n000000.jpg\n")
    with pytest.raises(DataError, match=r"such as '000000\.jpg'"):
        train(tmp_path / "other", exclude=listed)
    assert not (tmp_path / "other").exists()


@pytest.mark.tf
def test_lists_share_what_the_teacher_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have taken hours: the teacher is shown every image, with any list."""
    shown: list[int] = []

    def teach(source: Source, views: int) -> np.ndarray:
        shown.append(len(source.table))
        return np.ones((len(source.cache.ids), 8), np.float32)

    monkeypatch.setattr(workflow, "teach_identity", teach)
    monkeypatch.setattr(workflow, "require_identity", lambda *args, **options: None)
    listed = tmp_path / "bad.csv"
    listed.write_text("id\n000001.jpg\n")
    recipe = load_recipe(
        "demo",
        [*TINY, "targets.identity.weight=1", "targets.identity.teacher=dlib"],
        PretrainRecipe,
    )
    source, vectors, _ = workflow._open(recipe, data, listed, None, False)
    assert shown == [55] and len(source.table) == 54
    assert vectors is not None and len(vectors) == 55


@pytest.mark.tf
def test_a_used_folder_is_refused(half: PretrainResult, train: Train) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in half.run.iterdir())
    with pytest.raises(InterruptedRunError, match="--resume"):
        train(half.run)
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in half.run.iterdir())


def test_resume_needs_a_run(train: Train, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--out"):
        pretrain(data, resume=True)
    with pytest.raises(InterruptedRunError, match="no checkpoint"):
        train(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.tf
def test_bad_input_leaves_no_folder(train: Train, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "table.npz").write_text("no table")
    (tmp_path / "empty").mkdir()
    identity = ("targets.identity.weight=1", "targets.identity.teacher=dlib")
    wrong: list[tuple[type[FacekitError], str, Callable[[], object]]] = [
        (RecipeError, "learning_rate", lambda: train(run, "optimizer.learning_rat=1")),
        (RecipeError, "compact", lambda: train(run, "backbone.family=compct")),
        (RecipeError, "identity_size", lambda: train(run, *identity, "backbone.identity_size=0")),
        (RecipeError, "no teacher", lambda: train(run, "targets.identity.weight=1")),
        (RecipeError, "give an alpha", lambda: train(run, "mix.share=0.5")),
        (UsageError, "--epochs", lambda: train(run, epochs=0)),
        (UsageError, "--data", lambda: pretrain(recipe="demo", out=run)),
        (DataError, "list_attr", lambda: pretrain(tmp_path / "empty", recipe="demo", out=run)),
        (
            DataError,
            "teacher table",
            lambda: train(run, *identity, teacher_table=tmp_path / "table.npz"),
        ),
        (UsageError, "is a file", lambda: train(tmp_path / "table.npz")),
    ]
    for kind, words, attempt in wrong:
        with pytest.raises(kind, match=words) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert not run.exists(), words


@pytest.mark.tf
@pytest.mark.slow
def test_the_shipped_network_teaches_without_dlib(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    changes = ("targets.identity.views=2", "training.epochs=1")
    result = train(tmp_path / "run", *changes, recipe="celeba-compact")
    assert "val_identity_cosine" in result.metrics and result.bundle is not None
    said = load_bundle(result.bundle).manifest.training["teachers"]["identity"]
    wanted = r"dlib \(dlib-identity 1, sha256 [0-9a-f]{16}, the mean of 2 views\)"
    assert re.fullmatch(wanted, said)


@pytest.mark.tf
def test_weight_zero_trains_without_a_teacher(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "teach_identity", None)
    change = "targets.identity.weight=0"
    result = train(tmp_path / "run", change, recipe="celeba-compact", epochs=1)
    assert "identity_cosine" not in result.metrics
    assert result.metrics["val_loss"] == pytest.approx(result.metrics["val_attributes_loss"])


@pytest.mark.tf
def test_a_table_of_vectors_is_a_teacher(train: Train, data: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (data / "img_align_celeba").iterdir())
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float16)
    np.savez(tmp_path / "table.npz", names=np.array(names), vectors=vectors)
    changes = ("targets.identity.weight=1", "targets.identity.relation_weight=1")
    options: dict[str, Any] = {"teacher_table": tmp_path / "table.npz"}
    with pytest.raises(RecipeError, match="identity_size=8"):
        train(tmp_path / "run", *changes, **options)
    with pytest.raises(RecipeError, match=r"views=4 says nothing to --teacher-table"):
        train(tmp_path / "run", *changes, "targets.identity.views=4", **options)
    more = ("backbone.identity_size=8", "training.epochs=1")
    result = train(tmp_path / "run", *changes, *more, **options)
    (row,) = rows_of(result.run)
    assert row["val_loss"] == pytest.approx(row["val_attributes_loss"] + row["val_identity_loss"])
    bundle = load_bundle(result.bundle)
    assert bundle.manifest.parts["identity"] == (8,)
    said = bundle.manifest.training["teachers"]["identity"]
    assert re.fullmatch(r"unnamed \(vectors in table\.npz, sha256 [0-9a-f]{16}\)", said)
    # The same vectors through ONNX with float16 weights.
    assert result.metrics["val_identity_cosine"] == pytest.approx(row["identity_cosine"], abs=0.01)
    np.savez(tmp_path / "other.npz", names=np.array(names), vectors=-vectors)
    with pytest.raises(InterruptedRunError, match="--teacher-table it began with"):
        train(result.run, resume=True, teacher_table=tmp_path / "other.npz")


@pytest.mark.tf
@pytest.mark.slow
def test_two_sittings_mix_as_one(train: Train, data: Path, tmp_path: Path) -> None:
    """Attributes and vectors, some of them unknown, by MixUp and CutMix."""
    names = sorted(path.name for path in (data / "img_align_celeba").iterdir())
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float16)
    vectors[::4] = np.nan
    np.savez(tmp_path / "table.npz", names=np.array(names), vectors=vectors)
    changes = ["targets.identity={weight=1,relation_weight=2}", "backbone.identity_size=8"]
    changes += ["mix={share=0.8,mixup=0.4,cutmix=1.0}", "training.average=0.9"]
    options: dict[str, Any] = {"teacher_table": tmp_path / "table.npz"}
    one, two = (tmp_path / name for name in ("one", "two"))
    train(one, *changes, **options)
    train(two, *changes, epochs=1, **options)
    train(two, resume=True, **options)
    assert_same_training(one, two)
    train(tmp_path / "plain", *changes, "mix.share=0", epochs=1, **options)
    mixed, plain = (rows_of(run)[0]["identity_loss"] for run in (one, tmp_path / "plain"))
    assert abs(mixed - plain) > 1e-3


@pytest.mark.tf
def test_weights_that_cannot_be_had_are_told_before_anything_is_read(tmp_path: Path) -> None:
    changes = ["backbone.family=mobilenetv2", "backbone.weights=typo.h5"]
    changes += ["backbone.widths=[32,64,128,256]", "backbone.blocks=[1,2,2,2]"]
    with pytest.raises(RecipeError, match=r"typo\.h5.*is no file"):
        pretrain(tmp_path / "nowhere", recipe="demo", overrides=changes, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
