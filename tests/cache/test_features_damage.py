"""The feature store on a disk that cuts, alters, loses or refuses."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.cache import features as shelf
from facekit.cache.features import FeatureStore
from facekit.errors import DataError

CROPS = np.random.default_rng(0).integers(0, 256, size=(30, 40, 40, 3), dtype=np.uint8)


def the_file(store: FeatureStore, name: str) -> Path:
    (path,) = store.root.glob(f"*/plain/{name}")
    return path


@pytest.mark.parametrize(
    "damage", ["half", "gone", "flipped", "noise", "zeros", "empty", "swapped"]
)
def test_altered_rows_are_computed_again_and_never_returned(
    store: FeatureStore, bundle: Any, damage: str, expect: Callable[..., None]
) -> None:
    found = store.features(CROPS, None, bundle)
    path = the_file(store, "grid.f16")
    whole, row = path.read_bytes(), 96
    bad = {"half": 15, "flipped": 1, "swapped": 2}.get(damage, 30)
    if damage == "gone":
        path.unlink()
    elif damage == "swapped":
        path.write_bytes(whole[row : 2 * row] + whole[:row] + whole[2 * row :])
    else:
        flipped = bytearray(whole)
        flipped[1000] ^= 4
        noise = np.random.default_rng(3).bytes(len(whole))
        written = {"half": whole[: len(whole) // 2], "flipped": bytes(flipped), "noise": noise}
        path.write_bytes(written.get(damage, b"\0" * len(whole) if damage == "zeros" else b""))
    bundle.count()
    expect(found, bundle, CROPS)  # a set that was open
    assert bundle.count() == bad
    again = FeatureStore(store.root).features(CROPS, None, bundle)
    expect(again, bundle, CROPS)
    assert bundle.count() == 0


@pytest.mark.parametrize("damage", ["half", "gone", "noise", "flipped"])
def test_an_altered_index_serves_nothing_wrong(
    store: FeatureStore, bundle: Any, damage: str, expect: Callable[..., None]
) -> None:
    store.features(CROPS, None, bundle)
    path = the_file(store, "grid.index")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[5 * 20 + 3], flipped[9 * 20 + 17] = flipped[5 * 20 + 3] ^ 1, flipped[9 * 20 + 17] ^ 1
    if damage == "gone":
        path.unlink()
    else:
        noise = np.random.default_rng(3).bytes(len(whole))
        new = {"half": whole[: len(whole) // 2 + 3], "noise": noise, "flipped": bytes(flipped)}
        path.write_bytes(new[damage])
    bundle.count()
    for computed in ({"half": 15, "flipped": 2}.get(damage, 30), 0):
        expect(store.features(CROPS, None, bundle), bundle, CROPS)
        assert bundle.count() == computed


def test_a_disk_that_forgets_is_told(
    store: FeatureStore, bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = store.features(CROPS, None, bundle)
    the_file(store, "grid.f16").write_bytes(b"")
    monkeypatch.setattr(shelf.RowFile, "append", lambda *_: None)
    with pytest.raises(DataError, match=r"grid\.f16 does not keep what is written"):
        found.read(None, "grid")


def test_a_full_disk_is_noticed_before_anything_is_computed(
    store: FeatureStore, bundle: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=30 * (3 + 48 + 64 + 8) * 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"need 0 MB .*FACEKIT_HOME"):
        store.features(CROPS, None, bundle)
    assert bundle.count() == 0
    store.features(CROPS[:20], None, bundle)  # which fit


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path, bundle: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be kept in .*FACEKIT_HOME"):
        FeatureStore(tmp_path / "file").features(CROPS, None, bundle)


def test_a_failed_embedding_keeps_what_was_done(
    store: FeatureStore,
    bundle: Any,
    monkeypatch: pytest.MonkeyPatch,
    expect: Callable[..., None],
    counted: type[Any],
) -> None:
    monkeypatch.setattr(shelf, "BLOCK", 5)

    class Interrupted(counted):
        def embed(self, crops: np.ndarray, parts: Sequence[str] | None = None) -> dict[str, Any]:
            if len(self.seen) >= 15:
                raise KeyboardInterrupt
            return super().embed(crops, parts)

    with pytest.raises(KeyboardInterrupt):
        store.features(CROPS, None, Interrupted(bundle.bundle))
    expect(store.features(CROPS, None, bundle), bundle, CROPS)
    assert bundle.count() == 15


def test_two_threads_share_a_set(
    store: FeatureStore, bundle: Any, expect: Callable[..., None]
) -> None:
    found = store.features(CROPS, None, bundle)
    the_file(store, "grid.f16").write_bytes(b"")
    read: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: read.append(found.read(None, "grid"))) for _ in range(3)
    ]
    bundle.count()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert bundle.count() == 30
    assert len(read) == 3 and all(np.array_equal(each, read[0]) for each in read)
    expect(found, bundle, CROPS)
