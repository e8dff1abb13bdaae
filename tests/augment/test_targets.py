"""Targets of mixed images: exact sums, unknowns that stay unknown, one on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facekit.augment.mixing import Mixer
from facekit.augment.targets import joined, summands
from facekit.recipe.schema import AugmentSpec, MixSpec
from facekit.training.batches import Batches

#: Four rows: each has an unknown somewhere, the last has no vector.
ATTRIBUTES = np.array([[1, 0, -1, 1], [0, 0, 1, 1], [-1, 1, 0, 1], [1, 1, 1, -1]], np.float32)
IDENTITY = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float32)
WANTED = {"attributes": ATTRIBUTES, "identity": IDENTITY}
SIZE, SIDE = 4, 8
OFF = AugmentSpec(**dict.fromkeys(AugmentSpec.model_fields, 0.0))


def summed(own: float, partner: list[int], **wanted: Any) -> Any:
    parts = summands(wanted or WANTED)
    return joined({name: own * v + (1 - own) * v[partner] for name, v in parts.items()})


def test_what_both_know_is_summed_and_the_rest_is_unknown() -> None:
    made = summed(0.75, [1, 0, 3, 2])
    wanted = [[0.75, 0, -1, 1], [0.25, 0, -1, 1], [-1, 1, 0.25, -1], [-1, 1, 0.75, -1]]
    assert made["attributes"] == pytest.approx(np.array(wanted), abs=1e-6)
    long = np.sqrt(0.75**2 + 0.25**2)
    wanted = [[0.75 / long, 0.25 / long], [0.25 / long, 0.75 / long], [0, 0], [0, 0]]
    assert made["identity"] == pytest.approx(np.array(wanted), abs=1e-6)
    assert all(value.dtype == np.float32 for value in made.values())


def test_what_is_hardly_mixed_keeps_its_target() -> None:
    for own, known in ((0.9995, True), (0.998, False)):
        made = summed(own, [1, 0, 3, 2])
        assert made["attributes"][0, 2] == -1  # the other's thousandth says nothing
        assert made["attributes"][1, 2] == (1 if known else -1)
        assert np.linalg.norm(made["identity"][2]) == pytest.approx(float(known))
        assert not made["identity"][3].any()
    same = summed(1.0, [1, 0, 3, 2])
    assert np.array_equal(same["attributes"], ATTRIBUTES)
    assert same["identity"] == pytest.approx(IDENTITY, abs=1e-7)


def test_vectors_that_cancel_out_are_none_and_other_outputs_are_plain_sums() -> None:
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    made = summed(0.5, [1, 0], identity=opposite, classes=2 * np.eye(2, dtype=np.float32))
    assert not made["identity"].any() and np.isfinite(made["identity"]).all()
    assert np.array_equal(made["classes"], np.ones((2, 2)))
    assert list(made) == ["identity", "classes"]


class Rows:
    """``WANTED``, and beside it who is in the picture."""

    def rows(self, index: Any) -> Any:
        return {
            name: v[index]
            for name, v in {**WANTED, "classes": np.eye(SIZE, dtype=np.float32)}.items()
        }


def check(shares: Any, made: dict[str, Any], images: Any) -> int:
    """Targets against shares, one by one; how many rows two pictures are in."""
    pairs = 0
    for share, labels, vector, image in zip(
        shares, made["attributes"], made["identity"], images, strict=True
    ):
        inside = np.flatnonzero(share > 1e-3)
        pairs += len(inside) > 1
        known = (ATTRIBUTES[inside] >= 0).all(0)
        wanted = np.where(known, share[inside] @ ATTRIBUTES[inside], -1)
        assert labels == pytest.approx(wanted, abs=2e-3)
        assert (labels[~known] == -1).all() and (labels[known] >= 0).all()
        total = share @ IDENTITY * (IDENTITY[inside] != 0).any(1).all()
        wanted = total / max(np.linalg.norm(total), 1e-9)
        assert vector == pytest.approx(wanted, abs=2e-3)
        assert set(np.unique(image) // 60) <= set(range(SIZE))
    return pairs


CROPS = (
    np.zeros((SIZE, SIDE, SIDE, 3), np.uint8)
    + 60 * np.arange(4, dtype=np.uint8)[:, None, None, None]
)


@pytest.mark.tf
@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_the_host_mixes_all_outputs_by_one_draw(kind: str) -> None:
    from facekit.training.backend import start_keras

    start_keras(seed=0)
    mixer = Mixer(MixSpec(**{"share": 1.0, kind: 1.0}), 0)
    batches = Batches(CROPS, np.arange(SIZE), Rows(), OFF, SIZE, 0, mixer)
    pairs = 0
    for epoch in range(4):
        ((images, made),) = batches.epoch(epoch)
        pairs += check(made["classes"], made, images)
        if kind == "mixup":  # every picture has one brightness, so pixels tell the shares
            bright = made["classes"] @ (60.0 * np.arange(SIZE))
            assert images[:, 0, 0, 0] == pytest.approx(bright, abs=0.51)
    assert pairs >= 8
    assert Batches(CROPS, np.arange(SIZE), Rows(), OFF, SIZE, 0, Mixer(MixSpec(), 0)).mixer is None


@pytest.mark.jax
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_the_device_mixes_all_outputs_by_one_draw(kind: int) -> None:
    import jax

    from facekit.augment.device import mix

    def call(images: Any, wanted: Any, told: Any) -> Any:
        images, sums = mix(images, summands(wanted), told)
        return images, joined(sums)

    told = {
        "kind": np.int32(kind),
        "partner": np.array([1, 0, 3, 2]),
        "own": np.full(SIZE, 0.75, np.float32),
        "corner": np.zeros((SIZE, 2), np.float32),
    }
    images, made = jax.jit(call)(CROPS.astype(np.float32), WANTED, told)
    wanted = summed(0.75 if kind else 1.0, [1, 0, 3, 2])
    for name, value in wanted.items():
        assert np.asarray(made[name]) == pytest.approx(value, abs=1e-6), name
    row = np.asarray(images)[0, :, :, 0]
    if kind == 1:
        assert (row == 15).all()  # 0.25 of 60
    else:  # a box of a quarter of the picture, from its corner
        assert (row[:4, :4] == 60 * (kind == 2)).all() and row.sum() == 60 * 16 * (kind == 2)
