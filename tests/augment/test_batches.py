"""Augmentation of training batches."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.augment.batches import augment_batch, augment_crop
from facekit.recipe.schema import AugmentSpec

OFF = AugmentSpec(
    mirror=0, rotation=0, zoom=0, tighten=0, shift=0, stretch=0, light=0, colour=0,
    grey=0, low_resolution=0, blur=0, noise=0, erase=0,
)  # fmt: skip


@pytest.fixture
def crops() -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    return np.repeat(np.repeat(smooth, 6, 1), 6, 2)


def test_everything_off_changes_nothing(crops: np.ndarray) -> None:
    assert np.array_equal(augment_batch(crops, OFF, np.random.default_rng(0)), crops)


def test_the_same_generator_gives_the_same_pictures(crops: np.ndarray) -> None:
    first = augment_batch(crops, AugmentSpec(), np.random.default_rng(7))
    again = augment_batch(crops, AugmentSpec(), np.random.default_rng(7))
    other = augment_batch(crops, AugmentSpec(), np.random.default_rng(8))
    assert first.dtype == np.uint8 and first.shape == crops.shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_crop_may_have_its_own_strength(crops: np.ndarray) -> None:
    specs = [OFF, OFF.model_copy(update={"mirror": 1.0})] * 3
    out = augment_batch(crops, specs, np.random.default_rng(0))
    assert np.array_equal(out[::2], crops[::2])
    assert np.array_equal(out[1::2], crops[1::2, :, ::-1])


def test_stronger_multiplies_all_but_the_mirror() -> None:
    spec = AugmentSpec(rotation=6, noise=0.4, blur=0.7, shift=0.04)
    twice = spec.stronger(2)
    assert (twice.rotation, twice.noise, twice.blur) == (12, 0.8, 1.0)
    assert twice.shift == pytest.approx(0.08) and twice.mirror == spec.mirror
    assert spec.stronger(1) == spec


def test_the_input_is_left_alone(crops: np.ndarray) -> None:
    kept = crops.copy()
    augment_batch(crops, AugmentSpec(erase=1, noise=1), np.random.default_rng(0))
    assert np.array_equal(crops, kept)


def test_mirror_alone_is_the_mirror_image(crops: np.ndarray) -> None:
    spec = OFF.model_copy(update={"mirror": 1.0})
    out = augment_crop(crops[0], spec, np.random.default_rng(0))
    assert np.array_equal(out, crops[0][:, ::-1])


def test_grey_has_three_equal_channels(crops: np.ndarray) -> None:
    spec = OFF.model_copy(update={"grey": 1.0})
    out = augment_crop(crops[0], spec, np.random.default_rng(0))
    assert np.array_equal(out[..., 0], out[..., 1]) and np.array_equal(out[..., 1], out[..., 2])


def test_shift_moves_by_no_more_than_it_says() -> None:
    crop = np.zeros((80, 80, 3), np.uint8)
    crop[38:42, 38:42] = 255
    spec = OFF.model_copy(update={"shift": 0.1})
    for seed in range(20):
        out = augment_crop(crop, spec, np.random.default_rng(seed))
        ys, xs = np.nonzero(out[..., 0] > 64)
        assert abs(ys.mean() - 39.5) <= 8.6 and abs(xs.mean() - 39.5) <= 8.6


@pytest.mark.parametrize(
    "name", ["tighten", "low_resolution", "blur", "noise", "erase", "light", "colour"]
)
def test_each_kind_changes_the_picture(crops: np.ndarray, name: str) -> None:
    spec = OFF.model_copy(update={name: 0.5 if name in {"light", "colour"} else 1.0})
    out = augment_batch(crops, spec, np.random.default_rng(1))
    assert not np.array_equal(out, crops)


def test_low_resolution_smooths() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    spec = OFF.model_copy(update={"low_resolution": 1.0})
    out = augment_crop(crop, spec, np.random.default_rng(0))
    assert (
        np.abs(np.diff(out.astype(int), axis=1)).mean()
        < 0.6 * np.abs(np.diff(crop.astype(int), axis=1)).mean()
    )


def test_brightness_moves_all_pixels_alike(crops: np.ndarray) -> None:
    grey = np.full_like(crops[0], 128)
    spec = OFF.model_copy(update={"brightness": 0.08})
    rng = np.random.default_rng(0)
    moved = [int(np.unique(augment_crop(grey, spec, rng)).item()) - 128 for _ in range(60)]
    assert min(moved) < -12 and max(moved) > 12 and max(map(abs, moved)) <= 20
    assert augment_crop(np.full_like(grey, 250), spec, np.random.default_rng(1)).max() <= 255
    light = OFF.model_copy(update={"brightness": 1.0})
    ends = [augment_crop(crops[0], light, rng) for _ in range(40)]
    assert all(out.dtype == np.uint8 for out in ends)
    order = np.argsort(crops[0].ravel(), kind="stable")
    assert all((np.diff(out.ravel()[order].astype(int)) >= 0).all() for out in ends)  # no wrap
