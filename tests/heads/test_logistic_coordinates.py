"""Coordinates of a head: there and back, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.heads import logistic
from facekit.heads.logistic import Coordinates, second_moments


def _coordinates() -> tuple[np.ndarray, Coordinates]:
    x = np.random.default_rng(0).normal(size=(200, 6)) * [1, 2, 3, 4, 5, 6]
    return x, Coordinates(second_moments(x), curvature=0.25, strength=0.01)


def test_there_and_back() -> None:
    _, place = _coordinates()
    weight = np.random.default_rng(1).normal(size=(6, 3))
    np.testing.assert_allclose(place.leave(place.enter(weight)), weight, atol=1e-4)


def test_the_gradient_is_that_of_the_moved_weight() -> None:
    _, place = _coordinates()
    rng = np.random.default_rng(2)
    moved, gradient, step = (rng.normal(size=(6, 3)) for _ in range(3))
    linear = (gradient * (place.leave(moved + step) - place.leave(moved))).sum()
    np.testing.assert_allclose((place.gradient(gradient) * step).sum(), linear, rtol=1e-3)


def test_curvature_becomes_about_one() -> None:
    x, place = _coordinates()
    hessian = 0.25 * x.T @ x / len(x) + 0.01 * np.eye(6)
    inverse = place.leave(np.eye(6))
    np.testing.assert_allclose(inverse.T @ hessian @ inverse, np.eye(6), atol=0.02)


def test_some_of_many_rows_tell_the_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(3).normal(size=(300, 4)).astype(np.float32)
    np.testing.assert_allclose(second_moments(x), x.T @ x / 300, atol=1e-5)
    monkeypatch.setattr(logistic, "_ROWS", 100)
    np.testing.assert_allclose(second_moments(x), x[::3].T @ x[::3] / 100, atol=1e-5)
