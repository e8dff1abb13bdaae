"""Crops through a backbone in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.cache.crops import CropCache
from facekit.cache.extract import extract
from facekit.errors import UsageError
from facekit.frame import FaceFrame

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, size=(23, 40, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.mark.parametrize("block", [1, 7, 23, 100])
def test_blocks_change_nothing(bundle: Bundle, block: int) -> None:
    whole = bundle.embed(CROPS)
    found = extract(CROPS, bundle, block=block)
    assert list(found) == list(whole)
    for name, value in whole.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


def test_rows_parts_and_mirror(bundle: Bundle) -> None:
    rows = [5, 2, 2, 22]
    found = extract(CROPS, bundle, parts=["grid"], rows=rows, mirror=True, block=3)
    assert list(found) == ["grid"]
    plain = bundle.embed(CROPS)["grid"][rows]
    np.testing.assert_allclose(found["grid"][:, :, ::-1], plain, atol=1e-6)
    mask = np.arange(23) % 2 == 0
    assert len(extract(CROPS, bundle, rows=mask, parts=["pooled"])["pooled"]) == 12
    with pytest.raises(UsageError, match="rows do not fit 23 crops"):
        extract(CROPS, bundle, rows=[23])


def test_nothing_gives_empty_arrays(bundle: Bundle) -> None:
    found = extract(CROPS[:0], bundle)
    assert found["grid"].shape == (0, 4, 4, 3)


def test_progress_is_told_after_each_block(bundle: Bundle) -> None:
    counts: list[tuple[int, int]] = []
    extract(CROPS, bundle, parts=["grid"], block=10, progress=lambda *state: counts.append(state))
    assert counts == [(10, 23), (20, 23), (23, 23)]


def test_a_crop_cache_is_read_block_by_block(bundle: Bundle, tmp_path: Path) -> None:
    np.save(tmp_path / "crops.npy", CROPS)
    crops = np.load(tmp_path / "crops.npy", mmap_mode="r")
    ids = np.array([str(i) for i in range(23)])
    ok = np.ones(23, bool)
    cache = CropCache(tmp_path, crops, ids, ok, {}, FaceFrame(40), "key")
    seen: list[int] = []

    class Watched:
        def embed(
            self, images: np.ndarray, parts: Sequence[str] | None = None
        ) -> dict[str, np.ndarray]:
            seen.append(len(images))
            return bundle.embed(images, parts)

    found = extract(cache, Watched(), parts=["pooled"], block=8)["pooled"]  # type: ignore[arg-type]
    assert seen == [1, 8, 8, 7], "a blank one first"
    np.testing.assert_allclose(found.mean(0), CROPS.mean(axis=(0, 1, 2)) / 255, rtol=1e-4)
