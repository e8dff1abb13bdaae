"""The calibration error by hand, and where a bin begins."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.evaluation.calibration import bin_index, reliability


def test_bins_hold_their_lower_edge_and_the_last_one_holds_1() -> None:
    assert bin_index(np.array([0.0, 0.19, 0.2, 0.5, 0.99, 1.0]), 5).tolist() == [0, 0, 1, 2, 4, 4]


def test_curve_by_hand() -> None:
    labels = [1, 0, 0, 1, 1, -1]
    chance = [0.1, 0.1, 0.3, 0.9, 0.8, 0.9]
    curve = reliability(labels, chance, bins=2)
    assert curve.count.tolist() == [3, 2]
    assert curve.predicted == pytest.approx([0.5 / 3, 0.85])
    assert curve.observed == pytest.approx([1 / 3, 1.0])
    assert curve.error == pytest.approx((3 * (0.5 / 3) + 2 * 0.15) / 5)


def test_empty_bins_are_nan_and_cost_nothing() -> None:
    curve = reliability([1, 1], [0.99, 0.97])
    assert np.isnan(curve.predicted[:-1]).all()
    assert curve.error == pytest.approx(0.02)


def test_honest_probabilities_have_almost_no_error() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random((50_000, 1))
    honest = (rng.random(chance.shape) < chance).astype(int)
    assert reliability(honest, chance).error < 0.01
    assert reliability(honest, chance**3).error > 0.1


def test_unknown_labels_are_left_out() -> None:
    assert reliability([1, 0, -1], [1.0, 0.0, 0.5]).error == 0
    assert np.isnan(reliability([-1, -1], [0.5, 0.5]).error)
