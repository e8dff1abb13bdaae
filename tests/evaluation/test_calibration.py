"""Scaling finds what was done to the scores, and stays put where it cannot know."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.evaluation.calibration import calibrate, fit_platt, fit_temperature, reliability


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _world(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and the true log odds behind them, two attributes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal([0.0, -2.0], 2.0, (n, 2))
    return (rng.random((n, 2)) < _sigmoid(logits)).astype(np.int8), logits


def test_platt_undoes_a_known_distortion() -> None:
    labels, logits = _world()
    seen = logits * [2.0, 0.5] + [1.0, -1.0]
    found = fit_platt(labels, seen)
    assert found == pytest.approx(np.array([[0.5, -0.5], [2.0, 2.0]]), abs=0.2)
    fresh, truth = _world(seed=1)
    bent = truth * [2.0, 0.5] + [1.0, -1.0]
    for column, (raw, mended) in enumerate(
        zip(_sigmoid(bent).T, calibrate(bent, found).T, strict=True)
    ):
        before, after = (reliability(fresh[:, column], chance).error for chance in (raw, mended))
        assert after < before / 2


def test_platt_stays_finite_where_classes_part_cleanly() -> None:
    labels, logits = np.array([[0]] * 10 + [[1]] * 10), np.array([[-3.0]] * 10 + [[3.0]] * 10)
    slope, offset = fit_platt(labels, logits, strength=0.0)[0]
    # Platt's targets: 11/12 for the positives, so sigmoid(3 * slope) must give that.
    assert slope == pytest.approx(np.log(11) / 3, rel=1e-3)
    assert offset == pytest.approx(0, abs=1e-3)


def test_few_labels_move_little() -> None:
    labels, logits = _world(40)
    seen = logits * 4
    free, held = fit_platt(labels, seen, strength=0.0), fit_platt(labels, seen, strength=100.0)
    assert (np.abs(held[:, 0] - 1) < np.abs(free[:, 0] - 1)).all()


def test_one_class_or_no_labels_leave_scores_alone() -> None:
    labels = np.array([[1, -1], [1, -1]])
    assert fit_platt(labels, np.zeros((2, 2))).tolist() == [[1, 0], [1, 0]]
    assert fit_temperature([-1, -1], np.zeros((2, 3))) == 1.0


def test_the_order_of_answers_survives_even_a_wrong_model() -> None:
    labels, logits = _world(500)
    assert (fit_platt(labels, -logits)[:, 0] > 0).all()


def test_unknown_labels_do_not_count() -> None:
    labels, logits = _world(300)
    more = np.r_[labels, np.full((100, 2), -1)]
    padded = np.r_[logits, np.full((100, 2), 50.0)]
    assert fit_platt(more, padded) == pytest.approx(fit_platt(labels, logits))


def test_temperature_undoes_a_known_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3000, 7))
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (rng.random((3000, 1)) > share.cumsum(1)).sum(1).clip(0, 6)
    labels[::10] = -1
    assert fit_temperature(labels, logits * 3) == pytest.approx(3, rel=0.06)
    assert fit_temperature(labels, logits / 2) == pytest.approx(0.5, rel=0.06)


def test_twenty_right_answers_make_nothing_certain() -> None:
    labels = np.arange(20) % 2
    for scale in (0.2, 1.0, 50.0):
        temperature = fit_temperature(labels, np.eye(2)[labels] * scale)
        assert _sigmoid(np.array(scale / temperature)) == pytest.approx(21 / 22, abs=0.001)
    many = np.tile(labels, 500)
    assert _sigmoid(np.array(1 / fit_temperature(many, np.eye(2)[many]))) > 0.9998


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="both be"):
        fit_platt(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        fit_platt(np.zeros((2, 1)), np.array([[0.0], [np.inf]]))
    with pytest.raises(ValueError, match="finite"):
        fit_temperature([0], [[np.nan, 1.0]])
    with pytest.raises(ValueError, match="want"):
        fit_temperature([0, 1], [[0.0, 1.0]])
