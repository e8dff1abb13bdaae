"""The VGGFace recipes from pictures to bundles: frozen on cached features, then block 5."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.bundle.session import OnnxBackbone
from facekit.errors import RecipeError
from facekit.heads.kinds import MlpHead
from facekit.labels import EMOTIONS
from facekit.workflows.transfer.run import transfer

pytestmark = [pytest.mark.tf, pytest.mark.slow]

SMALL = ("frame.side=32", "data.holdout=0.25")
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def train(cartoon_fer: Path, vggface_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """``train(out, recipe, "key=value")`` gives the run folder."""

    def run(out: Path, name: str, *changes: str, **options: Any) -> Path:
        given = (*SMALL, f"backbone.weights={vggface_file}", *changes)
        transfer("fer", cartoon_fer, recipe=name, overrides=given, out=out)
        return out

    return run


@pytest.fixture(scope="module")
def frozen(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("frozen") / "run", "fer-vggface-frozen")


def graph_of(run: Path) -> dict[str, Any]:
    import onnx

    graph = onnx.load(str(run / "bundle" / "backbone.onnx")).graph
    return {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}


def test_the_run_has_the_published_numbers(frozen: Path, vggface_file: Path) -> None:
    report = json.loads((frozen / "report.json").read_text())
    assert (report["parameters"], report["trainable"]) == (14_847_815, 133_127)
    assert (report["rung"], report["split"], report["n"]) == ("frozen", "test", 21)
    assert report["metrics"]["accuracy"] > 2 / 7  # VGG features, random as they are, tell faces
    bundle = load_bundle(frozen / "bundle")
    head = bundle.heads["emotions"]
    assert isinstance(head, MlpHead) and head.labels == EMOTIONS and head.parts == ("pooled",)
    assert [weight.shape for weight, _ in head.layers] == [(512, 256), (256, 7)]
    assert bundle.manifest.base is None and not bundle.manifest.mirror
    assert bundle.manifest.training["backbone"]["began"].startswith(vggface_file.name)
    assert set(bundle.manifest.data_licences) == {"VGGFace", "FER-2013"}


def test_the_bundle_answers_alone(frozen: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from facekit.bundle.load import load_bundle\n"
        f"bundle = load_bundle({str(frozen / 'bundle')!r})\n"
        "scores = bundle.scores(np.zeros((1, 32, 32, 3), np.uint8), ['emotions'])\n"
        "assert scores['emotions'].shape == (1, 7)\n"
        "assert not {'tensorflow', 'keras', 'jax', 'onnx', 'h5py'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_second_run_reads_no_backbone(
    frozen: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    embed = OnnxBackbone.embed

    def watched(self: OnnxBackbone, crops: Any, parts: Any = None) -> Any:
        seen.append(len(crops) > 1 and bool(crops.any()))  # one face is timed, black ones tried
        return embed(self, crops, parts)

    monkeypatch.setattr(OnnxBackbone, "embed", watched)
    monkeypatch.setattr("facekit.workflows.transfer.backbone._export", None)
    run = train(tmp_path / "run", "fer-vggface-frozen")
    assert seen and not any(seen)
    first, again = (load_bundle(one / "bundle") for one in (frozen, run))
    assert again.key == first.key
    a, b = (bundle.heads["emotions"].weights() for bundle in (first, again))
    assert all(np.allclose(a[name], b[name], atol=1e-3) for name in a)


def test_only_block_5_and_the_head_move(frozen: Path, train: Train, tmp_path: Path) -> None:
    changes = (f"model={frozen / 'bundle'}", "training.epochs=1", "training.batch_size=8")
    run = train(tmp_path / "run", "fer-vggface-block5", *changes, "optimizer.learning_rate=1e-4")
    before, after = graph_of(frozen), graph_of(run)
    moved = {name for name in before if name.startswith("conv")
             and not np.array_equal(before[name], after[name])}  # fmt: skip
    kernels = {f"conv5_{i}/kernel" for i in (1, 2, 3)}
    assert kernels <= moved and all(name.startswith("conv5_") for name in moved)
    heads = [load_bundle(one / "bundle").heads["emotions"] for one in (frozen, run)]
    assert heads[1].mean is None and heads[1].parts == ("pooled",)
    assert heads[0].parameters == heads[1].parameters == 133_127
    report = json.loads((run / "report.json").read_text())
    assert (report["parameters"], report["trainable"]) == (14_847_815, 133_127 + 7_079_424)
    training = load_bundle(run / "bundle").manifest.training["backbone"]
    assert training["began"].startswith("fer-vggface-frozen, backbone ")


def test_training_on_begins_with_the_frozen_head(
    frozen: Path, train: Train, tmp_path: Path
) -> None:
    """With next to no rate the answers are still those of the frozen run."""
    changes = (f"model={frozen / 'bundle'}", "training.epochs=1", "training.batch_size=8")
    run = train(tmp_path / "run", "fer-vggface-block5", *changes, "optimizer.learning_rate=1e-9")
    crops = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    bundles = [load_bundle(one / "bundle") for one in (frozen, run)]
    wanted, found = (
        bundle.heads["emotions"].logits(bundle.embed(crops), calibrated=False) for bundle in bundles
    )
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    moved = bundles[1].heads["emotions"].weights()["weight_1"]
    assert np.abs(moved - bundles[0].heads["emotions"].weights()["weight_1"]).max() < 1e-3


def test_without_a_saved_run_it_says_what_is_missing(train: Train, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"leaves open which: --set model=RUN/bundle"):
        train(tmp_path / "run", "fer-vggface-block5")
    assert not (tmp_path / "run").exists()
