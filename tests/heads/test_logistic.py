"""Fitting, held against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from facekit.heads.logistic import fit_logistic, second_moments, standardise

RNG = np.random.default_rng(1)


def classes(n: int = 300, d: int = 6, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    logits = x @ RNG.normal(size=(d, k)) + RNG.gumbel(size=(n, k))
    return x, logits.argmax(1)


@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_softmax_agrees_with_scikit_learn(l2: float) -> None:
    x, y = classes()
    weight, bias = fit_logistic(x, y, l2=l2, tolerance=1e-6)
    peer = LogisticRegression(C=1 / l2, tol=1e-8, max_iter=1000).fit(x.astype(float), y)
    np.testing.assert_allclose(weight, peer.coef_.T, atol=5e-3)
    np.testing.assert_allclose(bias - bias.mean(), peer.intercept_, atol=5e-3)


def test_shares_count_as_so_many_rows_of_each_class() -> None:
    x, _ = classes(120)
    shares = np.random.default_rng(2).dirichlet(np.ones(4), len(x))
    found = fit_logistic(x, shares, softmax=True, l2=0.5, tolerance=1e-7)
    every = np.repeat(x, 4, axis=0)
    peer = fit_logistic(
        every, np.tile(np.arange(4), len(x)), l2=0.5, sample_weight=shares.ravel(), tolerance=1e-7
    )
    np.testing.assert_allclose(found[0], peer[0], atol=2e-3)
    np.testing.assert_allclose(found[1] - found[1].mean(), peer[1] - peer[1].mean(), atol=2e-3)


def test_rows_without_shares_teach_nothing() -> None:
    x, y = classes(200)
    shares = np.eye(4)[y]
    shares[150:] = 0
    weights = np.ones(200)
    found = fit_logistic(x, shares, softmax=True, l2=1.0, sample_weight=weights, tolerance=1e-7)
    alone = fit_logistic(x[:150], y[:150], l2=1.0, tolerance=1e-7)
    np.testing.assert_allclose(found[0], alone[0], atol=2e-3)


@pytest.mark.parametrize("y", [np.zeros(3), np.full((3, 2), 1.5), np.full((3, 2), -0.1), np.eye(2)])
def test_shares_that_do_not_fit_are_refused(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="needed are shares of shape"):
        fit_logistic(np.zeros((3, 2)), y, softmax=True)


def test_one_neuron_agrees_with_scikit_learn_under_class_weights() -> None:
    x, y = classes(k=2)
    y[:200] = 0
    balance = np.where(y == 1, 4.0, 1.0)
    weight, bias = fit_logistic(x, y[:, None], l2=1.0, sample_weight=balance, tolerance=1e-6)
    peer = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(x, y, sample_weight=balance)
    assert weight.shape == (6, 1)
    np.testing.assert_allclose(weight[:, 0], peer.coef_[0], atol=5e-3)
    np.testing.assert_allclose(bias, peer.intercept_, atol=5e-3)


def test_unknown_labels_are_as_if_the_row_were_not_there() -> None:
    x, y = classes(k=2)
    labels = np.stack([y, 1 - y], axis=1)
    labels[100:, 0] = -1
    weight, bias = fit_logistic(x, labels, l2=1.0, tolerance=1e-7)
    alone = fit_logistic(x[:100], y[:100, None], l2=1.0, tolerance=1e-7)
    np.testing.assert_allclose(weight[:, :1], alone[0], atol=5e-3)
    np.testing.assert_allclose(bias[:1], alone[1], atol=5e-3)


def test_ten_rows_in_many_columns_stay_finite_and_separate() -> None:
    x = RNG.normal(size=(10, 500)).astype(np.float32)
    y = np.arange(10) % 2
    weight, bias = fit_logistic(x, y[:, None], l2=1.0)
    assert np.isfinite(weight).all()
    assert ((x @ weight + bias)[:, 0] > 0).tolist() == (y == 1).tolist()


def test_a_start_at_the_solution_stays_there() -> None:
    x, y = classes()
    found = fit_logistic(x, y, tolerance=1e-6)
    again = fit_logistic(x, y, start=found, max_iter=1)
    np.testing.assert_allclose(again[0], found[0], atol=2e-3)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.array([0, 1, -1]), r"must lie in \[0, 2\)"),
        (np.array([0, 1]), "needed is"),
        (np.full((3, 1), 2), "1, 0 or -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_logistic(np.zeros((3, 2)), y)


def test_standardise_leaves_constant_columns_alone() -> None:
    x = RNG.normal(3, 2, size=(5000, 3)).astype(np.float32)
    x[:, 1] = 7
    mean, scale = standardise(x)
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(scale, [x[:, 0].std(), 1, x[:, 2].std()], rtol=1e-4)


def test_conditioned_coordinates_find_the_same_head_in_fewer_steps() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 5)) @ rng.normal(size=(5, 40)) + 0.1 * rng.normal(size=(600, 40))
    y = (x[:, :3] @ rng.normal(size=(3, 4)) + rng.normal(size=(600, 4))).argmax(1)
    moments = second_moments(x)
    exact = fit_logistic(x, y, l2=1.0, max_iter=5000, tolerance=1e-8)
    found = fit_logistic(x, y, l2=1.0, max_iter=5000, tolerance=1e-8, condition=moments)
    np.testing.assert_allclose(found[0], exact[0], atol=5e-3)

    def away(condition: np.ndarray | None = None) -> float:
        found = fit_logistic(x, y, l2=1.0, max_iter=10, condition=condition)
        return float(np.abs(found[0] - exact[0]).max())

    assert away(condition=moments) < 0.2 * away()
    again = fit_logistic(x, y, l2=1.0, start=found, max_iter=1, condition=moments)
    np.testing.assert_allclose(again[0], found[0], atol=1e-2)
