"""Principal channels and components: orthonormal, the largest first, the same again."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.workflows.transfer import inputs as reduce
from facekit.workflows.transfer.inputs import fit_channels, fit_components

RNG = np.random.default_rng(0)


def test_channels_span_what_varies_and_not_what_is_large() -> None:
    directions = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    spread = np.array([5.0, 3.0, 1.0, 0.1, 0.1, 0.1])
    grid = (RNG.normal(size=(400, 2, 3, 6)) * spread) @ directions.T + 40 * directions[:, 5]
    found = fit_channels([grid[:150], grid[150:]], 3)
    assert found.dtype == np.float32 and found.shape == (6, 3)
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-5)
    likeness = np.abs(np.diag(found.T @ directions[:, :3]))
    assert likeness.min() > 0.99
    np.testing.assert_allclose(np.abs(fit_channels([grid], 3)), np.abs(found), atol=1e-3)


def test_channels_need_rows() -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit_channels([], 2)


def test_components_keep_as_much_as_can_be_kept() -> None:
    x = (RNG.normal(size=(500, 12)) * np.linspace(4, 0.1, 12)) @ RNG.normal(size=(12, 12))
    x = (x - x.mean(0)).astype(np.float32)
    found = fit_components(x, 4)
    assert found.shape == (12, 4)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-4)
    best = np.linalg.svd(x.astype(np.float64), full_matrices=False)[1]
    assert ((x @ found) ** 2).sum() == pytest.approx((best[:4] ** 2).sum(), rel=1e-3)
    kept = ((x @ found) ** 2).sum(0)
    assert (np.diff(kept) < 0).all()  # the largest first
    assert fit_components(x, 99).shape == (12, 12)


def test_components_of_many_rows_come_from_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "_ROWS", 300)
    x = (RNG.normal(size=(3000, 8)) * np.linspace(3, 0.2, 8)).astype(np.float16)
    found = fit_components(x, 2, seed=1)
    assert np.abs(found[:2]).sum() > 1.9  # the first two axes vary most
    np.testing.assert_array_equal(fit_components(x, 2, seed=1), found)
    assert not np.array_equal(fit_components(x, 2, seed=2), found)
