"""Views of crops."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from facekit.cache.extract import MIRROR, PLAIN, View, augmented_views
from facekit.cache.rows import hash_crops
from facekit.errors import UsageError
from facekit.recipe.schema import AugmentSpec

CROPS = np.random.default_rng(0).integers(0, 256, size=(6, 40, 40, 3), dtype=np.uint8)
HASHES = hash_crops(CROPS, np.arange(6)).hashes
SPEC = AugmentSpec(rotation=8, erase=0.5)


def test_plain_and_mirror() -> None:
    assert np.array_equal(PLAIN.apply(CROPS, HASHES), CROPS)
    assert np.array_equal(MIRROR.apply(CROPS, HASHES), CROPS[:, :, ::-1])


def test_an_augmented_crop_depends_on_nothing_but_itself() -> None:
    view = View("augmented", 3, SPEC)
    whole = view.apply(CROPS, HASHES)
    assert whole.shape == CROPS.shape and whole.dtype == np.uint8
    assert all(not np.array_equal(a, b) for a, b in zip(whole, CROPS, strict=True))
    for order in list(permutations(range(6)))[::131]:
        some = list(order[:4])
        assert np.array_equal(view.apply(CROPS[some], HASHES[some]), whole[some])
    other = View("augmented", 4, SPEC).apply(CROPS, HASHES)
    assert all(not np.array_equal(a, b) for a, b in zip(whole, other, strict=True))


def test_the_key_changes_with_the_pictures_only() -> None:
    views = [PLAIN, MIRROR, *augmented_views(SPEC, 3), View("augmented", 0, AugmentSpec())]
    assert len({view.key for view in views}) == len(views)
    assert View("augmented", 1, AugmentSpec(rotation=8, erase=0.5)).key == views[3].key
    assert all(view.key.replace("-", "").isalnum() for view in views)


def test_more_views_keep_the_first_ones() -> None:
    assert augmented_views(SPEC, 4, seed=7)[:2] == augmented_views(SPEC, 2, seed=7)
    assert augmented_views(SPEC, 0) == ()


@pytest.mark.parametrize(
    ("kind", "seed", "spec"),
    [("augmented", 0, None), ("augmented", -1, SPEC), ("plain", 0, SPEC), ("mirror", 2, None)],
)
def test_a_view_that_makes_no_sense_is_refused(kind, seed: int, spec: AugmentSpec | None) -> None:
    with pytest.raises(UsageError, match=f"a {kind} view"):
        View(kind, seed, spec)


def test_hashes_follow_the_pixels() -> None:
    again = np.array(CROPS[:, :, ::-1])[:, :, ::-1]  # equal, but laid out otherwise
    assert np.array_equal(hash_crops(again, np.arange(6)).hashes, HASHES)
    again = CROPS.copy()
    again[2, 39, 39, 2] ^= 1
    changed = (hash_crops(again, np.arange(6)).hashes != HASHES).any(1)
    assert np.flatnonzero(changed).tolist() == [2]
    picked = hash_crops(CROPS, np.array([4, 1])).pick(np.array([True, False]))
    assert len(picked) == 1 and np.array_equal(picked.hashes, HASHES[[4]])
