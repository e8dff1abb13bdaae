"""Error rates against scikit-learn, with ties, at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.people import verify_people
from facekit.evaluation.verification import auc, det, threshold_at_fmr, verification_metrics


def _scores(seed: int = 0, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(1.5, 1, 120), digits), np.round(rng.normal(0, 1, 700), digits)


def test_auc_and_curve_agree_with_scikit_learn_in_spite_of_ties() -> None:
    from sklearn.metrics import roc_auc_score

    genuine, impostor = _scores()
    truth = np.r_[np.ones(genuine.size), np.zeros(impostor.size)]
    assert auc(genuine, impostor) == pytest.approx(roc_auc_score(truth, np.r_[genuine, impostor]))
    curve = det(genuine, impostor)
    for at in (0, 10, -2):
        threshold = curve.thresholds[at]
        assert curve.fmr[at] == pytest.approx((impostor >= threshold).mean())
        assert curve.fnmr[at] == pytest.approx((genuine < threshold).mean())


def test_curve_runs_from_accepting_all_to_refusing_all() -> None:
    curve = det(*_scores())
    assert (curve.fmr[0], curve.fnmr[0]) == (1, 0)
    assert (curve.fmr[-1], curve.fnmr[-1]) == (0, 1)
    assert np.isposinf(curve.thresholds[-1])
    assert (np.diff(curve.fmr) <= 0).all()
    assert (np.diff(curve.fnmr) >= 0).all()


@pytest.mark.parametrize("fmr", [0.0, 0.001, 0.01, 0.05, 0.29, 0.5])
def test_threshold_never_lets_more_pass_than_allowed(fmr: float) -> None:
    impostor = _scores()[1]
    threshold = threshold_at_fmr(impostor, fmr)
    assert (impostor >= threshold).mean() <= fmr
    lower = np.nextafter(threshold, -np.inf)
    assert (impostor >= lower).mean() > fmr, "a lower threshold would have done"


def test_a_share_that_falls_on_a_whole_number_is_used_whole() -> None:
    impostor = np.arange(100.0)
    assert (impostor >= threshold_at_fmr(impostor, 0.29)).sum() == 29


def test_too_few_impostors_let_none_pass() -> None:
    assert verification_metrics([0.5, 2.0], [0.0, 1.0, 0.2])["fnmr_at_fmr_1pct"] == 0.5
    assert threshold_at_fmr([0.0, 1.0], 1.0) == -np.inf


def test_a_genuine_score_equal_to_a_refused_impostor_is_refused() -> None:
    found = verification_metrics([1.0, 1.0, 2.0], [0.0, 1.0])
    assert found["fnmr_at_fmr_1pct"] == pytest.approx(2 / 3)


def test_equal_error_rate_can_be_set() -> None:
    for genuine, impostor, rate in (
        ([1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 1.5, 2.5], 0.25),
        ([1, 1], [1, 1], 1.0),  # all equal: no threshold parts them
        ([2, 3], [0, 1], 0.0),
    ):
        assert verification_metrics(genuine, impostor)["eer"] == rate
    assert auc([1, 1], [1, 1]) == 0.5


def test_the_rates_are_those_at_the_threshold() -> None:
    genuine, impostor = _scores()
    found = verification_metrics(genuine, impostor)
    assert list(found) == ["auc", "eer", "fnmr_at_fmr_1pct", "fnmr_at_fmr_0_1pct"]
    assert found["auc"] == auc(genuine, impostor)
    for name, fmr in (("fnmr_at_fmr_1pct", 0.01), ("fnmr_at_fmr_0_1pct", 0.001)):
        refused = genuine < threshold_at_fmr(impostor, fmr)
        assert found[name] == pytest.approx(refused.mean())


@pytest.mark.parametrize("bad", [[], [np.nan], [[1.0]], [np.inf]])
def test_refuses_what_are_no_scores(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="genuine scores"):
        auc(bad, [1.0])
    with pytest.raises(ValueError, match="impostor scores"):
        auc([1.0], bad)
    with pytest.raises(ValueError, match="false match rate"):
        threshold_at_fmr([1.0], 1.1)


def test_people_are_averaged_each_at_an_own_threshold() -> None:
    rng = np.random.default_rng(0)
    genuine = [rng.normal(2, 1, n) + offset for n, offset in ((10, 0), (14, 50), (9, -50))]
    impostor = rng.normal(0, 1, (3, 400)) + np.array([[0], [50], [-50]])
    found = verify_people(genuine, impostor, rounds=200)
    each = [verification_metrics(g, i) for g, i in zip(genuine, impostor, strict=True)]
    assert found.per_person == tuple(each)
    for name, value in found.metrics.items():
        assert value == pytest.approx(np.mean([one[name] for one in each]))
        low, high = found.intervals[name]
        assert 0 <= low <= value <= high <= 1
        assert high > low


def test_no_error_among_few_people_is_not_certainty() -> None:
    rng = np.random.default_rng(0)
    genuine = [10 + rng.random(20) for _ in range(12)]
    impostor = rng.random((12, 300))
    found = verify_people(genuine, impostor, rounds=50)
    assert found.metrics["fnmr_at_fmr_1pct"] == 0
    assert found.intervals["fnmr_at_fmr_1pct"][1] == pytest.approx(0.2646, abs=1e-3)  # 0 of 12
    alone = verify_people(genuine[:1], impostor[:1], rounds=50)
    assert alone.intervals["fnmr_at_fmr_1pct"][1] == pytest.approx(0.1684, abs=1e-3)  # 0 of 20


def test_people_and_scores_must_agree() -> None:
    with pytest.raises(ValueError, match="2 people"):
        verify_people([[1.0], [2.0]], np.zeros((3, 4)))
    with pytest.raises(ValueError, match="0 people"):
        verify_people([], np.zeros((0, 4)))
