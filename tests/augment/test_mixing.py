"""MixUp, CutMix and RandAugment of batches; the layers themselves are not ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from facekit.augment import mixing
from facekit.augment.mixing import Mixer, require_layers
from facekit.errors import MissingExtraError, RecipeError
from facekit.recipe.schema import MixSpec, PretrainRecipe
from facekit.recipe.transfer import TransferRecipe

STEPS, SIZE, SIDE = 4, 8, 32


@pytest.fixture(scope="module", autouse=True)
def _keras(request: pytest.FixtureRequest) -> None:
    if importlib.util.find_spec("tensorflow") is not None:
        from facekit.training.backend import start_keras

        start_keras(seed=0)


@pytest.fixture(scope="module")
def batches() -> list[tuple[Any, Any]]:
    """Every row has a class of its own."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (STEPS, SIZE, SIDE, SIDE, 3), dtype=np.uint8)
    return [(one, np.eye(SIZE, dtype=np.float32)) for one in images]


def mix(
    spec: MixSpec, batches: list[tuple[Any, Any]], *, epoch: int = 0, start: int = 0, seed: int = 0
) -> list[tuple[Any, Any]]:
    mixer = Mixer(spec, seed)
    mixer.begin(epoch, start, (SIZE, SIDE, SIDE, 3), SIZE)
    return [mixer.mix(*batches[step], epoch, step) for step in range(start, STEPS)]


def amounts(made: list[tuple[Any, Any]]) -> Any:
    """How much of each row is left of itself."""
    return np.concatenate([np.diag(targets) for _, targets in made]).round(5)


def same(one: list[tuple[Any, Any]], other: list[tuple[Any, Any]]) -> list[bool]:
    return [
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
        for a, b in zip(one, other, strict=True)
    ]


@pytest.mark.tf
@pytest.mark.parametrize(
    "spec",
    [
        MixSpec(share=1, mixup=0.4),
        MixSpec(share=1, cutmix=1.0),
        MixSpec(share=0.7, mixup=0.4, cutmix=1.0),
        pytest.param(
            MixSpec(share=1, mixup=0.4, randaugment=0.5, randaugment_layers=1),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_resumed_epoch_mixes_as_before(spec: MixSpec, batches: list[tuple[Any, Any]]) -> None:
    whole = mix(spec, batches)
    assert all(same(whole[2:], mix(spec, batches, start=2)))
    for (images, targets), (before, _) in zip(whole, batches, strict=True):
        assert images.dtype == np.uint8 and images.shape == before.shape
        assert targets.dtype == np.float32 and targets.sum(1) == pytest.approx(np.ones(SIZE))
    assert (amounts(whole) < 1).mean() > 0.4
    # Neither another epoch nor another seed mixes by the same amounts.
    for other in (mix(spec, batches, epoch=1), mix(spec, batches, seed=1)):
        assert (amounts(whole) == amounts(other)).mean() < 0.5


@pytest.mark.tf
def test_mixup_is_a_weighted_sum_of_two_rows(batches: list[tuple[Any, Any]]) -> None:
    images, targets = batches[0]
    mixer = Mixer(MixSpec(share=1, mixup=1.0), 3)
    mixer.begin(0, 0, images.shape, SIZE)
    mixed, shares = mixer.mix(images, targets, 0, 0)
    wanted = np.tensordot(shares, images.astype(np.float64), 1)
    assert np.abs(mixed - wanted).max() <= 0.51
    assert ((shares > 0).sum(1) <= 2).all() and ((shares > 0.01) & (shares < 0.99)).any()


@pytest.mark.tf
def test_cutmix_takes_pixels_of_two_rows(batches: list[tuple[Any, Any]]) -> None:
    images = np.zeros_like(batches[0][0]) + np.arange(SIZE, dtype=np.uint8)[:, None, None, None]
    targets = batches[0][1]
    mixer = Mixer(MixSpec(share=1, cutmix=1.0), 3)
    mixer.begin(0, 0, images.shape, SIZE)
    mixed, shares = mixer.mix(images, targets, 0, 0)
    for row in range(SIZE):
        assert set(np.unique(mixed[row])) <= set(np.flatnonzero(shares[row])) | {row}
    assert any(len(np.unique(one)) == 2 for one in mixed)


@pytest.mark.tf
def test_the_share_of_batches_that_are_mixed(batches: list[tuple[Any, Any]]) -> None:
    assert all(same(mix(MixSpec(share=0, mixup=0.4), batches), batches))
    mixer = Mixer(MixSpec(share=0.5, mixup=0.4), 0)
    images, targets = batches[0]
    mixer.begin(0, 0, images.shape, SIZE)
    mixed = [not np.array_equal(mixer.mix(images, targets, 0, n)[0], images) for n in range(60)]
    assert 15 < sum(mixed) < 45


@pytest.mark.tf
def test_randaugment_changes_pictures_and_no_targets(batches: list[tuple[Any, Any]]) -> None:
    made = mix(MixSpec(randaugment=0.5, randaugment_layers=1), batches[:1] * STEPS)
    for images, targets in made:
        assert images.shape == batches[0][0].shape and images.dtype == np.uint8
        assert np.array_equal(targets, batches[0][1])
    changed = [(images != batches[0][0]).any((1, 2, 3)) for images, _ in made]
    assert np.mean(changed) > 0.6
    assert not np.array_equal(made[0][0], made[1][0])


@pytest.fixture
def half() -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.tf
def test_half_precision_leaves_pictures_and_targets_whole(
    half: None, batches: list[tuple[Any, Any]]
) -> None:
    import keras

    made = mix(MixSpec(share=1, mixup=0.4, randaugment=0.1, randaugment_layers=1), batches)
    for _, targets in made:
        assert targets.sum(1) == pytest.approx(np.ones(SIZE), abs=1e-6)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


@pytest.mark.tf
def test_weighted_and_blank_targets_keep_their_sum(batches: list[tuple[Any, Any]]) -> None:
    images, targets = batches[0]
    weighted = targets * np.linspace(0, 3, SIZE, dtype=np.float32)[:, None]
    mixer = Mixer(MixSpec(share=1, mixup=0.4), 0)
    mixer.begin(0, 0, images.shape, SIZE)
    mixed = mixer.mix(images, weighted, 0, 0)[1]
    assert (mixed >= 0).all() and 0 < mixed.sum() < 3 * SIZE


def test_what_is_missing_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = MixSpec(share=0.5, cutmix=2.0)
    with pytest.raises(RecipeError, match=r"mix\.cutmix is 2: at most 1 on jax"):
        require_layers(spec, "jax")
    monkeypatch.setattr(mixing.importlib.util, "find_spec", lambda name: None)
    wanted = r"keras-cv.*facekit-transfer\[train\].*mix\.share"
    with pytest.raises(MissingExtraError, match=wanted) as caught:
        require_layers(spec, "tensorflow")
    assert "\n" not in str(caught.value)
    require_layers(MixSpec(), "tensorflow")  # nothing is mixed
    require_layers(MixSpec(share=0.5, mixup=0.2), "jax")


@pytest.mark.parametrize("recipe", [TransferRecipe, PretrainRecipe])
def test_a_share_needs_an_alpha(recipe: Any) -> None:
    assert not Mixer(recipe.model_validate({"name": "x"}).mix, 0).active
    recipe.model_validate({"name": "x", "mix": {"share": 0.5, "mixup": 0.1}})
    with pytest.raises(ValueError, match="give an alpha"):
        recipe.model_validate({"name": "x", "mix": {"share": 0.5}})
