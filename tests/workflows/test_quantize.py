"""The int8 graph: made, measured, put in, and used for prediction alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.int8 import INT8
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import MANIFEST, read_manifest, render
from facekit.bundle.write import BundleContents, write_bundle
from facekit.cartoon import draw_celeba
from facekit.datasets.sources import open_attributes
from facekit.errors import BundleError, DataError, UsageError
from facekit.predict import load
from facekit.workflows import quantize as room
from facekit.workflows.quantize import measure_loss, quantize, quantize_bundle, ship_int8
from facekit.workflows.sources import Source, crop_source


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn people, several of them held out; read only."""
    return draw_celeba(tmp_path_factory.mktemp("many") / "celeba", people=30, photos=4, seed=3)


@pytest.fixture(scope="module")
def made(tiny_bundle: Path, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with an int8 graph; read only."""
    pytest.importorskip("onnx")
    folder = Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("int8") / "tiny"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "FEWEST", 8)
        quantize(folder, many)
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture(scope="module")
def source(tiny_bundle: Path, many: Path) -> Source:
    table = open_attributes("celeba", many, ("train", "val"))
    return crop_source(table, load_bundle(tiny_bundle).frame, progress=False)


def with_default(folder: Path, default: bool) -> None:
    manifest = read_manifest(folder)
    assert manifest.int8 is not None
    entry = manifest.int8.model_copy(update={"default": default})
    changed = manifest.model_copy(update={"int8": entry})
    (folder / MANIFEST).write_bytes(render(changed).encode())


def test_it_is_a_second_graph_of_the_same_bundle(made: Path, tiny_bundle: Path) -> None:
    before, after = load_bundle(tiny_bundle), load_bundle(made)
    assert after.key == before.key, "heads and enrolments stay those of the float graph"
    assert (after.precision, after.graph.name) == ("float", "backbone.onnx")
    quick = load_bundle(made, precision="int8")
    assert (quick.precision, quick.graph, quick.key) == ("int8", after.graph, after.key)
    entry = after.manifest.int8
    assert entry is not None and set(entry.loss) == {"attributes", "fnmr_at_fmr_1pct"}
    assert entry.facts["calibrated_on"].endswith("training images of cartoon")
    card = (made / "card.md").read_text("utf-8")
    assert card.startswith("# tiny\n") and card.count("## The second graph") == 1 and INT8 in card
    assert json.loads((tiny_bundle / MANIFEST).read_text("utf-8")).get("int8") is None


def test_it_says_nearly_the_same(made: Path, source: Source) -> None:
    crops = source.cache.crops[source.rows[:16]]
    plain, quick = (load_bundle(made, precision=one) for one in ("float", "int8"))
    for part, value in plain.embed(crops).items():
        other = quick.embed(crops)[part]
        assert 0 < np.abs(value - other).max() < 0.03 * np.abs(value).max(), part


@pytest.mark.parametrize("default", [False, True])
def test_the_mark_decides_what_predicts(copy: Path, default: bool) -> None:
    with_default(copy, default)
    chosen = {
        p: load(copy, "none", precision=p).bundle.precision for p in ("auto", "float", "int8")
    }
    assert chosen == {"auto": "int8" if default else "float", "float": "float", "int8": "int8"}
    assert load_bundle(copy).precision == "float", "what fits and measures is never told"


@pytest.mark.parametrize("precision", ["float", "int8"])
def test_a_damaged_one_is_refused_whatever_runs(copy: Path, precision: str) -> None:
    whole = (copy / INT8).read_bytes()
    (copy / INT8).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"backbone-int8\.onnx has been altered"):
        load_bundle(copy, precision=precision)  # type: ignore[arg-type]
    (copy / INT8).unlink()
    with pytest.raises(BundleError, match=r"backbone-int8\.onnx cannot be read"):
        load_bundle(copy, precision=precision)  # type: ignore[arg-type]


def test_what_is_not_there_is_said(tiny_bundle: Path) -> None:
    assert load_bundle(tiny_bundle, precision="auto").precision == "float"
    with pytest.raises(BundleError, match="tiny has no int8 graph: use --precision float"):
        load_bundle(tiny_bundle, precision="int8")
    with pytest.raises(UsageError, match="did you mean int8"):
        load_bundle(tiny_bundle, precision="int9")  # type: ignore[arg-type]


def test_heads_on_a_base_are_read_with_its_graph(
    made: Path, tiny_contents: BundleContents, facekit_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, facekit_home / "models" / "tiny")
    with_default(facekit_home / "models" / "tiny", True)
    above = write_bundle(tmp_path / "above", replace(tiny_contents, name="above", base="tiny"))
    assert above.precision == "float"
    assert load_bundle(tmp_path / "above", precision="auto").precision == "int8"
    with pytest.raises(UsageError, match="reads the backbone of tiny: quantise that one"):
        quantize(tmp_path / "above", tmp_path)


def test_what_another_graph_loses_is_found(tiny_bundle: Path, source: Source) -> None:
    bundle = load_bundle(tiny_bundle)
    same, facts = measure_loss(bundle, bundle, source, source.places("val"))
    assert same == {"attributes": 0, "fnmr_at_fmr_1pct": 0} and facts["identity_cosine"] == 1

    class Deaf(Bundle):
        def embed(self, crops, parts=None):  # type: ignore[no-untyped-def]
            rng = np.random.default_rng(0)
            found = super().embed(crops, parts)
            return {k: rng.normal(size=v.shape).astype(np.float32) for k, v in found.items()}

    deaf = Deaf(bundle.folder, bundle.manifest, bundle.heads, bundle.backbone, bundle.graph)
    loss, _ = measure_loss(bundle, deaf, source, source.places("val"))
    assert loss["fnmr_at_fmr_1pct"] > 10


def test_where_nobody_can_be_told_apart_it_is_no_default(
    tiny_bundle: Path, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    monkeypatch.setattr(room, "FEWEST", 8)
    monkeypatch.setattr(room, "MARK", 100.0)
    nameless = replace(source, table=replace(source.table, person=None))
    splits = source.places("train"), source.places("val")
    entries = [quantize_bundle(copy, one, *splits).manifest.int8 for one in (nameless, source)]
    assert [(e and e.default, e and sorted(e.loss)) for e in entries] == [
        (False, ["attributes"]),
        (True, ["attributes", "fnmr_at_fmr_1pct"]),
    ]


@pytest.mark.parametrize("worst", [0.09, 0.1])
def test_the_worst_loss_decides_what_predicts(
    tiny_bundle: Path, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worst: float
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    monkeypatch.setattr(room, "FEWEST", 8)
    monkeypatch.setattr(room, "to_int8", lambda graph, crops: graph.read_bytes())
    for loss in ((0.0, worst), (worst, -0.5)):
        found = dict(zip(("attributes", "fnmr_at_fmr_1pct"), loss, strict=True))
        monkeypatch.setattr(room, "measure_loss", lambda *_, found=found: (found, {}))
        made = quantize_bundle(copy, source, source.places("train"), source.places("val"))
        assert made.manifest.int8 is not None
        assert made.manifest.int8.default == (worst < 0.1), loss


def test_a_training_is_not_lost_by_it(
    tiny_bundle: Path, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    splits = source.places("train"), source.places("val")
    ship_int8(copy, source, *splits)
    assert not caplog.records and load_bundle(copy).manifest.int8 is None, "too few, as documented"
    monkeypatch.setattr(room, "FEWEST", 8)
    (copy / "backbone.onnx").write_bytes(b"")
    ship_int8(copy, source, *splits)
    assert "has no int8 graph" in caplog.text
    shutil.copytree(tiny_bundle, copy, dirs_exist_ok=True)
    ship_int8(copy, source, *splits)
    assert load_bundle(copy).manifest.int8 is not None


def test_too_few_images_are_refused_and_leave_the_bundle(
    tiny_bundle: Path, cartoon_celeba: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    with pytest.raises(DataError, match="256 are needed to calibrate"):
        quantize(copy, cartoon_celeba)
    assert not (copy / INT8).exists()
