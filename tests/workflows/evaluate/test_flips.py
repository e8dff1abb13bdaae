"""Faces shown a little otherwise: which answers change, and by whom."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from facekit.arrays import UInt8
from facekit.bundle.bundle import Bundle
from facekit.workflows.evaluate.flips import MOST, VIEWS, flip_rates

LABELS = ("left", "right")


def reader(answer: Any) -> Bundle:
    """A bundle whose one head answers a class by crops."""
    heads = {
        "attributes": SimpleNamespace(labels=("x",)),
        "classes": SimpleNamespace(labels=LABELS),
    }

    def scores(crops: UInt8, names: list[str]) -> dict[str, np.ndarray]:
        assert names == ["classes"] and len(crops) <= MOST
        return {"classes": np.eye(2)[answer(crops).astype(int)]}

    return cast("Bundle", SimpleNamespace(heads=heads, scores=scores))


def brighter_side(crops: UInt8) -> np.ndarray:
    half = crops.shape[2] // 2
    return np.asarray(crops[:, :, half:].mean((1, 2, 3)) > crops[:, :, :half].mean((1, 2, 3)))


@pytest.fixture
def crops() -> UInt8:
    images = np.random.default_rng(0).integers(0, 256, (700, 20, 20, 3), np.uint8)
    images[:350, :, 10:] //= 4  # brighter on the left
    images[350:, :, :10] //= 4
    return images


def test_what_depends_on_the_side_flips_in_a_mirror(crops: UInt8) -> None:
    rates = flip_rates(reader(brighter_side), LABELS, crops, np.arange(700))
    assert rates == {"mirror": 1.0, "shift": 0.0, "jpeg": 0.0}


def test_what_depends_on_a_column_flips_when_it_moves(crops: UInt8) -> None:
    crops[:, :, 9] = 0
    crops[::2, :, 8] = 255
    crops[1::2, :, 8] = 0
    found = flip_rates(
        reader(lambda x: x[:, :, 9].mean((1, 2)) > 60), LABELS, crops, np.arange(700)
    )
    assert found["shift"] == pytest.approx(0.5, abs=0.01) and found["jpeg"] < 0.2


def test_few_images_and_some_of_many(crops: UInt8) -> None:
    bundle = reader(lambda x: x[:, 0, 0, 0] > 128)
    assert set(flip_rates(bundle, LABELS, crops, np.array([3]))) == set(VIEWS)
    even = flip_rates(bundle, LABELS, crops, np.arange(700))
    again = flip_rates(bundle, LABELS, crops, np.arange(700))
    assert even == again and 0 < even["mirror"] < 1


def test_a_view_keeps_shape_and_what_is_moved(crops: UInt8) -> None:
    for show in VIEWS.values():
        seen = show(crops)
        assert seen.shape == crops.shape and seen.dtype == np.uint8 and seen.flags.c_contiguous
    assert np.array_equal(VIEWS["shift"](crops)[:, :, 1:], crops[:, :, :-1])
    assert np.array_equal(VIEWS["mirror"](VIEWS["mirror"](crops)), crops)
    flat = np.zeros_like(crops) + np.array([200, 90, 20], np.uint8)  # colours keep their order
    assert np.abs(VIEWS["jpeg"](flat).astype(int) - flat).max() < 12
    wide = np.random.default_rng(0).integers(0, 256, (1, 100, 100, 3), np.uint8)
    assert np.array_equal(VIEWS["shift"](wide)[:, :, 5:], wide[:, :, :-5])
    stored = io.BytesIO()
    Image.fromarray(wide[0]).save(stored, "JPEG", quality=30)
    off = np.abs(VIEWS["jpeg"](wide)[0].astype(int) - np.asarray(Image.open(stored)))
    assert off.mean() < 1  # at quality 50 it is several
