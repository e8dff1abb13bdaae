"""What JAX augments and mixes has the distribution of what OpenCV and Keras do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from facekit.augment.batches import augment_batch
from facekit.recipe.schema import AugmentSpec, MixSpec

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'facekit-transfer[jax]'")

SIDE, COUNT = 40, 6000
OFF: dict[str, float] = dict.fromkeys(AugmentSpec.model_fields, 0.0)
#: Each switch alone, strong; then all of the defaults.
SWITCHES: dict[str, dict[str, float]] = {
    "mirror": {"mirror": 0.3},
    "rotation": {"rotation": 20.0},
    "zoom": {"zoom": 0.4},
    "tighten": {"tighten": 0.7},
    "shift": {"shift": 0.15},
    "stretch": {"stretch": 0.4},
    "light": {"light": 0.3},
    "colour": {"colour": 0.3},
    "grey": {"grey": 0.5},
    "low_resolution": {"low_resolution": 0.8},
    "blur": {"blur": 0.8},
    "noise": {"noise": 0.8},
    "erase": {"erase": 0.8},
    "brightness": {"brightness": 0.2},
}
CASES = {**{key: {**OFF, **one} for key, one in SWITCHES.items()}, "all": {"brightness": 0.1}}


def picture() -> Any:
    """One crop without any symmetry: a bright ellipse off the middle, and stripes."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    blob = np.exp(-(((x - 0.4) / 0.15) ** 2) - ((y - 0.55) / 0.25) ** 2)
    stripes = 0.5 + 0.5 * np.sin(40 * x + 9 * y)
    planes = 40 + 160 * blob, 60 + 90 * blob + 50 * stripes, 200 - 120 * blob - 30 * y
    return np.stack(planes, -1).astype(np.uint8)


def on_device(crops: Any, *specs: AugmentSpec, seed: int = 0) -> Any:
    from facekit.augment.device import augment, resampling, strengths

    switched = frozenset(key for key, value in specs[0] if value)
    numbers, tables = strengths(specs), resampling(crops.shape[1])
    call = jax.jit(augment, static_argnames="switched")
    made = np.asarray(call(crops, jax.random.key(seed), numbers, tables, switched=switched))
    assert (made == np.rint(made)).all() and made.min() >= 0 and made.max() <= 255
    return made.astype(np.uint8)


def moments(images: Any) -> dict[str, Any]:
    """Of each image: mean, spread, colours, detail, and where the light of its red lies."""
    x = images.astype(np.float64)
    y, across = np.mgrid[:SIDE, :SIDE] / SIDE
    weight = np.maximum(x[..., 0] - np.median(x[..., 0], axis=(1, 2), keepdims=True), 0) + 1e-3
    total = weight.sum((1, 2))
    middle = (weight * y).sum((1, 2)) / total, (weight * across).sum((1, 2)) / total
    dy, dx = (grid - at[:, None, None] for grid, at in zip((y, across), middle, strict=True))
    seconds = [(weight * a * b).sum((1, 2)) / total for a, b in ((dy, dy), (dx, dx), (dy, dx))]
    found = [x.mean((1, 2, 3)), x.std((1, 2, 3)), *x.mean((1, 2)).T, *middle, *seconds]
    found += [np.abs(np.diff(x, axis=2)).mean((1, 2, 3)), np.ptp(x, axis=3).mean((1, 2))]
    names = ["mean", "std", "red", "green", "blue", "y", "x", "yy", "xx", "xy", "detail", "hue"]
    return dict(zip(names, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_moments_of_both_are_the_same(name: str) -> None:
    """Means and mean pictures within 4 and 5 standard errors, distributions within 0.04.

    0.025 is what Kolmogorov and Smirnov give two samples of 6,000 in a thousand; the rest
    is for rounding, which OpenCV does after every step and for 1/32 of a pixel.
    """
    spec = AugmentSpec(**CASES[name])
    crops = np.repeat(picture()[None], COUNT, 0)
    host = augment_batch(crops, spec, np.random.default_rng(1))
    device = on_device(crops, spec)
    ours, theirs = moments(device), moments(host)
    for key, wanted in theirs.items():
        found, floor = ours[key], 2e-3 * abs(wanted.mean()) + 2e-4
        error = np.sqrt((wanted.var() + found.var()) / COUNT)
        assert abs(found.mean() - wanted.mean()) < 4 * error + floor, key
        if wanted.std() > 5 * floor:
            blur = np.random.default_rng(0).uniform(-3 * floor, 3 * floor, (2, COUNT))
            assert ks_2samp(found + blur[0], wanted + blur[1]).statistic < 0.04, key
    gap = np.abs(host.mean(0) - device.mean(0))
    spread = np.sqrt((host.var(0) + device.var(0)) / COUNT)
    assert (gap < 5 * spread + 0.6).all(), gap.max()


def test_a_switch_that_is_off_changes_nothing_and_a_seed_is_a_seed() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (6, 33, 33, 3), dtype=np.uint8)
    assert np.array_equal(on_device(crops, AugmentSpec(**OFF)), crops)
    spec = AugmentSpec()
    made = on_device(crops, spec)
    assert np.array_equal(made, on_device(crops, spec))
    assert not np.array_equal(made, on_device(crops, spec, seed=1))
    for key in ("low_resolution", "blur", "noise", "erase", "grey", "tighten", "mirror"):
        # On, but with a chance so small that no image is meant.
        spec = AugmentSpec(**{**OFF, key: 1e-9})
        assert np.array_equal(on_device(crops, spec), crops), key
    assert np.array_equal(
        on_device(crops, AugmentSpec(**{**OFF, "mirror": 1.0})), crops[:, :, ::-1]
    )


def test_resampling_is_that_of_opencv() -> None:
    import cv2

    from facekit.augment.device import resampling

    tables, crop = resampling(40), np.random.default_rng(0).random((40, 40)).astype(np.float32)
    small = cv2.resize(crop, (12 + 5, 12 + 5), interpolation=cv2.INTER_AREA)
    for start, up in ((1, cv2.INTER_CUBIC), (1 + 21, cv2.INTER_LINEAR)):
        matrix = tables["scale"][start + 5]
        wanted = cv2.resize(small, (40, 40), interpolation=up)
        assert np.abs(matrix @ crop @ matrix.T - wanted).max() < 1e-5
    assert len(tables["scale"]) == 1 + 2 * 21  # 30 to 80 % of 40
    blur = tables["blur"][17]
    wanted = cv2.GaussianBlur(crop, (0, 0), (0.4 + 16.5 / 32) / 2)
    assert np.abs(blur @ crop @ blur.T - wanted).max() < 0.01


def test_boxes_are_as_large_on_both() -> None:
    spec, black = AugmentSpec(**{**OFF, "erase": 1.0}), np.zeros((3000, 80, 80, 3), np.uint8)
    both = augment_batch(black, spec, np.random.default_rng(0)), on_device(black, spec)
    for axes in ((1, 2), (1,), (2,)):  # area; then its extent along either axis
        host, device = (made.any(3).mean(axes).reshape(len(made), -1).max(1) for made in both)
        assert ks_2samp(host, device).statistic < 0.045


def test_each_row_has_its_own_strength() -> None:
    weak, strong = AugmentSpec(**{**OFF, "shift": 0.01}), AugmentSpec(**{**OFF, "shift": 0.3})
    crops = np.repeat(picture()[None], 200, 0)
    made = on_device(crops, *[weak] * 100, *[strong] * 100)
    moved = np.abs(made.astype(float) - crops).mean((1, 2, 3))
    assert moved[:100].mean() < moved[100:].mean() / 4


def mixed(spec: MixSpec, images: Any, steps: int = 64) -> list[tuple[Any, Any]]:
    from facekit.augment.device import mix, mixing_draws

    size = len(images)
    draws = mixing_draws(spec, np.random.default_rng(0), steps, size)
    call = jax.jit(mix)
    made = []
    for step in range(steps):
        told = {name: values[step] for name, values in draws.items()}
        out, targets = call(images.astype(np.float32), {"classes": np.eye(size)}, told)
        made.append((np.asarray(out), np.asarray(targets["classes"])))
    return made


def test_mixup_is_a_weighted_sum_and_cutmix_a_box() -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3), dtype=np.uint8)
    for out, shares in mixed(MixSpec(share=1, mixup=1.0), images, 8):
        assert np.abs(out - np.tensordot(shares, images.astype(float), 1)).max() <= 0.51
        assert shares.sum(1) == pytest.approx(np.ones(8), abs=1e-5)
    flat = np.zeros_like(images) + 10 * np.arange(8, dtype=np.uint8)[:, None, None, None]
    for out, shares in mixed(MixSpec(share=1, cutmix=1.0), flat, 8):
        for row in range(8):
            found = np.unique(out[row])
            assert set(found) <= set(10.0 * np.flatnonzero(shares[row])) | {10.0 * row}
            own = (out[row] == 10 * row).mean()
            assert abs(own - shares[row, row]) < 0.1 or shares[row, row] == 1


def test_shares_and_amounts_are_those_of_the_recipe() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
    made = mixed(MixSpec(share=0.5, mixup=0.4, cutmix=1.0), images, 200)
    assert all(np.array_equal(o, images) for o, shares in made if (np.diag(shares) == 1).all())
    touched = np.mean([(np.diag(shares) < 1).any() for _, shares in made])
    assert 0.38 < touched < 0.62
    alone = mixed(MixSpec(share=1, mixup=0.4), images, 200)
    # A row's partner is itself one time in 16; Beta(.4, .4) has mean .5, deviation .373.
    own = np.concatenate([np.diag(shares) for _, shares in alone])
    own = own[own < 1]
    assert abs(own.mean() - 0.5) < 0.03 and abs(own.std() - 0.373) < 0.02
