"""What a store holds."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest

from facekit.cache.extract import MIRROR, PLAIN
from facekit.cache.features import FeatureStore, clear_sets, list_sets
from facekit.errors import DataError

CROPS = np.random.default_rng(0).integers(0, 256, size=(9, 40, 40, 3), dtype=np.uint8)


def test_sets_are_listed_and_deleted(store: FeatureStore, bundle: Any, counted: type[Any]) -> None:
    assert list_sets(store.root) == [] and clear_sets(store.root) == 0
    other = counted(bundle.bundle)
    other.key, other.name = "0" * 16, "other"
    store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
    store.features(CROPS[:4], None, bundle)
    store.features(CROPS[:2], None, other)
    first, second = list_sets(store.root)
    assert (first.key, first.model, first.views, first.rows) == ("0" * 16, "other", 1, 2)
    assert (second.key, second.model, second.views, second.rows) == (bundle.key, "tiny", 2, 9)
    features = 2 * 9 * (2 * (3 + 48 + 64 + 8) + 4 * 20)
    assert features < second.size < features + 1000
    with pytest.raises(DataError, match=f"'nothing': there are .*{bundle.key}"):
        clear_sets(store.root, ("nothing",))
    assert clear_sets(store.root, ("0" * 16,)) == first.size
    assert [one.key for one in list_sets(store.root)] == [bundle.key]
    assert clear_sets(store.root) == second.size
    assert list(store.root.iterdir()) == []
    bundle.count()
    store.features(CROPS, None, bundle)
    assert bundle.count() == 9


def test_who_deletes_waits_for_who_writes(store: FeatureStore, bundle: Any) -> None:
    store.features(CROPS, None, bundle)
    lock = filelock.FileLock(next(store.root.glob("*/plain/lock")))
    thread = threading.Thread(target=lambda: clear_sets(store.root))
    with lock:
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and len(list_sets(store.root)) == 1
    thread.join(30)
    assert list_sets(store.root) == []


@pytest.mark.parametrize("text", ["[", "[" * 100_000, "\ufffd", "[1]", '{"model": 1}'])
def test_a_note_that_is_damaged_hides_nothing(text: str, store: FeatureStore, bundle: Any) -> None:
    store.features(CROPS, None, bundle)
    note: Path = next(store.root.glob("*/set.json"))
    note.write_text(text, "utf-8")
    assert list_sets(store.root)[0].model in ("unknown", "1")
    assert clear_sets(store.root) > 0
