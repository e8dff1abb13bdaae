"""The feature store: what is computed again and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facekit.bundle.write import write_bundle
from facekit.cache import features as shelf
from facekit.cache.crops import CropCache
from facekit.cache.extract import MIRROR, PLAIN, augmented_views
from facekit.cache.features import FeatureStore
from facekit.errors import BundleError, UsageError
from facekit.frame import FaceFrame
from facekit.recipe.schema import AugmentSpec

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

ROOT = Path(__file__).resolve().parents[2]
CROPS = np.random.default_rng(0).integers(0, 256, size=(30, 40, 40, 3), dtype=np.uint8)
PARTS = {"pooled": (3,), "grid": (4, 4, 3), "grid_mid": (4, 4, 4), "identity": (8,)}


def test_parts_are_those_of_the_bundle(bundle: Any) -> None:
    assert {part: tuple(shape) for part, shape in bundle.parts.items()} == PARTS


def test_everything_is_computed_once(
    store: FeatureStore, bundle: Any, expect: Callable[..., None]
) -> None:
    for computed in (60, 0):
        found = store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
        assert bundle.count() == computed
        assert len(found) == 60 and dict(found.parts) == PARTS
        expect(found, bundle, CROPS)
        expect(found, bundle, CROPS[:, :, ::-1], view=1)
    assert FeatureStore(store.root).features(CROPS, [3], bundle).read(None, "pooled").shape == (
        1,
        3,
    )
    assert bundle.count() == 0


def test_a_changed_image_is_the_only_one_computed(
    store: FeatureStore, bundle: Any, expect: Callable[..., None]
) -> None:
    old = store.features(CROPS, None, bundle)
    assert bundle.count() == 30
    changed = CROPS.copy()
    changed[11, 20, 20, 1] ^= 255
    new = store.features(changed, None, bundle)
    assert bundle.seen == [changed[11].tobytes()]
    expect(new, bundle, changed)
    expect(old, bundle, CROPS)  # and the old picture keeps its own
    assert not np.array_equal(old.read([11], "grid"), new.read([11], "grid"))


def test_added_images_cost_only_themselves(
    store: FeatureStore, bundle: Any, expect: Callable[..., None]
) -> None:
    store.features(CROPS, np.arange(20), bundle, views=[PLAIN, MIRROR])
    assert bundle.count() == 40
    order = np.random.default_rng(1).permutation(30)  # another order is nothing new
    found = store.features(CROPS[order], None, bundle, views=[PLAIN, MIRROR])
    assert bundle.count() == 20
    expect(found, bundle, CROPS[order])


def test_labels_do_not_matter_and_equal_pictures_are_one(
    store: FeatureStore, bundle: Any, tmp_path: Path, expect: Callable[..., None]
) -> None:
    """The same pixels under other ids, in another source, twice in one request."""
    twice = np.concatenate([CROPS, CROPS[:7]])
    found = store.features(twice, None, bundle)
    assert bundle.count() == 30
    expect(found, bundle, twice)
    ids = np.array([f"relabelled-{i}" for i in range(30)])
    cache = CropCache(tmp_path, CROPS, ids, np.ones(30, bool), {}, FaceFrame(40), "another")
    expect(store.features(cache, None, bundle), bundle, CROPS)
    assert bundle.count() == 0


def test_other_weights_compute_everything(
    store: FeatureStore,
    bundle: Any,
    tiny_contents: BundleContents,
    tmp_path: Path,
    expect: Callable[..., None],
    counted: type[Any],
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(tiny_contents.onnx)
    kernel = next(each for each in model.graph.initializer if each.name == "kernel")
    values = onnx.numpy_helper.to_array(kernel).copy()
    values[0, 0] += 0.5
    kernel.CopyFrom(onnx.numpy_helper.from_array(values, "kernel"))
    contents = replace(tiny_contents, onnx=model.SerializeToString())
    other = counted(write_bundle(tmp_path / "other", contents))
    store.features(CROPS, None, bundle)
    found = store.features(CROPS, None, other)
    assert other.count() == 30
    expect(found, other, CROPS)
    expect(store.features(CROPS, None, bundle), bundle, CROPS)
    assert bundle.count() == 30  # the first time only


def test_another_frame_computes_everything(
    store: FeatureStore,
    bundle: Any,
    tiny_contents: BundleContents,
    tmp_path: Path,
    counted: type[Any],
) -> None:
    frame = FaceFrame(side=40, eye_y=0.4)
    contents = replace(tiny_contents, frame=frame)
    other = counted(write_bundle(tmp_path / "other", contents))
    store.features(CROPS, None, bundle)
    store.features(CROPS, None, other)
    assert other.count() == 30
    cache = CropCache(tmp_path, CROPS, np.array([]), np.ones(30, bool), {}, frame, "key")
    with pytest.raises(UsageError, match=r"eye_y=0\.4.*tiny reads .*eye_y=0\.45"):
        store.features(cache, None, bundle)


def test_a_part_that_is_new_is_computed_alone(
    store: FeatureStore, bundle: Any, expect: Callable[..., None]
) -> None:
    store.features(CROPS, None, bundle, parts=["pooled"])
    assert set(bundle.asked) == {("pooled",)}
    bundle.asked.clear()
    found = store.features(CROPS, None, bundle, parts=["grid", "pooled"])
    assert set(bundle.asked) == {("grid",)}
    assert list(found.parts) == ["grid", "pooled"]
    expect(store.features(CROPS, None, bundle), bundle, CROPS)


def test_augmented_views(store: FeatureStore, bundle: Any, expect: Callable[..., None]) -> None:
    views = augmented_views(AugmentSpec(rotation=8), 2, seed=5)
    found = store.features(CROPS, None, bundle, views=views)
    assert bundle.count() == 60
    for i, view in enumerate(views):
        expect(found, bundle, view.apply(CROPS, found.crops.hashes), view=i)
    more = augmented_views(AugmentSpec(rotation=8), 3, seed=5)
    store.features(CROPS[::-1], None, bundle, views=more)
    assert bundle.count() == 30  # one more view
    other = augmented_views(AugmentSpec(rotation=9), 1, seed=5)
    store.features(CROPS, None, bundle, views=other)
    assert bundle.count() == 30


def test_rows_parts_and_types(store: FeatureStore, bundle: Any) -> None:
    found = store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
    rows = np.array([40, 2, 2, 59, 0])
    matrix = found.matrix(rows, ["identity", "grid"], np.float32)
    assert matrix.shape == (5, 56) and matrix.dtype == np.float32
    assert np.array_equal(matrix[:, :8], found.read(rows, "identity"))
    assert np.array_equal(matrix[:, 8:], found.read(rows, "grid").reshape(5, -1))
    assert np.array_equal(found.read(np.arange(60) >= 58, "pooled"), found.read([58, 59], "pooled"))
    assert found.matrix(np.zeros(60, bool)).shape == (0, 3 + 48 + 64 + 8)
    with pytest.raises(BundleError, match="no part 'face' here, only pooled, grid"):
        found.matrix(None, ["face"])
    with pytest.raises(UsageError, match="rows do not fit 60"):
        found.read([60], "grid")


def test_what_does_not_fit_is_refused_before_anything_is_written(
    store: FeatureStore, bundle: Any
) -> None:
    with pytest.raises(BundleError, match="no part 'face': the backbone has pooled, grid"):
        store.features(CROPS, None, bundle, parts=["face"])
    with pytest.raises(UsageError, match=r"needed is uint8 of shape \(n, 40, 40, 3\)"):
        store.features(CROPS[:, :20], None, bundle)
    with pytest.raises(UsageError, match="no view"):
        store.features(CROPS, None, bundle, views=[])
    with pytest.raises(UsageError, match="rows do not fit 30"):
        store.features(CROPS, [30], bundle)
    assert not store.root.exists()


def test_progress_counts_what_is_missing(
    store: FeatureStore, bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "BLOCK", 8)
    store.features(CROPS, np.arange(10), bundle)
    said: list[tuple[int, int]] = []

    def progress(done: int, every: int) -> None:
        said.append((done, every))

    store.features(CROPS, None, bundle, views=[PLAIN, MIRROR], progress=progress)
    assert said == [(8, 50), (16, 50), (20, 50), (28, 50), (36, 50), (44, 50), (50, 50)]
    store.features(CROPS, None, bundle, views=[PLAIN, MIRROR], progress=progress)
    assert len(said) == 7


def test_numbers_that_float16_cannot_keep_are_refused(
    store: FeatureStore, bundle: Any, expect: Callable[..., None], counted: type[Any]
) -> None:
    class Loud(counted):
        def embed(self, crops: np.ndarray, parts: Sequence[str] | None = None) -> dict[str, Any]:
            found = super().embed(crops, parts)
            return found | {"grid": found["grid"] * 1e6}

    loud = Loud(bundle.bundle)
    with pytest.raises(BundleError, match=r"part 'grid'.* float16"):
        store.features(CROPS, None, loud, parts=["grid"])
    expect(store.features(CROPS, None, bundle), bundle, CROPS)


def test_memory_holds_one_block(
    store: FeatureStore, bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops are taken from the source a block at a time, however many there are."""
    monkeypatch.setattr(shelf, "BLOCK", 8)
    sizes: list[int] = []
    show = shelf.Shelf._show

    def watched(self: shelf.Shelf, crops: Any) -> np.ndarray:
        sizes.append(len(crops))
        return show(self, crops)

    monkeypatch.setattr(shelf.Shelf, "_show", watched)
    found = store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
    assert sizes == [8, 8, 8, 6] * 2
    held = sum(w.places.nbytes + w.checks.nbytes for by in found._found for w in by.values())
    assert held == 12 * 4 * 2 * 30
