"""Means over draws, and intervals that count people, photos and strangers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.draws import Trial, verify_draws
from benchmarks.people import verify_people
from facekit.evaluation.intervals import clopper_pearson


def make_trial(
    rng: np.random.Generator, *, shift: float = 3.0, strangers: int = 200, photos: int = 24
) -> Trial:
    order = rng.permutation(photos)
    return Trial(
        np.sort(order[10:]),
        photos,
        rng.normal(shift, 1, photos - 10),
        rng.normal(0, 1, strangers),
        2.0,
        np.arange(strangers) % 4 == 0,
    )


def make_draws(seed: int = 0, *, people: int = 6, draws: int = 3) -> list[list[Trial]]:
    rng = np.random.default_rng(seed)
    return [[make_trial(rng) for _ in range(people)] for _ in range(draws)]


def test_one_draw_is_what_verify_people_says() -> None:
    (draw,) = make_draws(draws=1)
    found = verify_draws([draw])
    known = verify_people([t.genuine for t in draw], np.stack([t.impostor for t in draw]))
    for name, value in known.metrics.items():
        assert found.metrics[name] == pytest.approx(value)
        # Photos are redrawn as photos of the person here: alike, not equal.
        assert found.intervals[name] == pytest.approx(known.intervals[name], abs=0.04)


def test_draws_and_people_are_averaged() -> None:
    draws = make_draws()
    found = verify_draws(draws, rounds=50)
    fnmr = np.array([[(t.genuine < 2).mean() for t in draw] for draw in draws])
    fmr = np.array([[(t.impostor >= 2).mean() for t in draw] for draw in draws])
    like = np.array([[(t.impostor[t.alike] >= 2).mean() for t in draw] for draw in draws])
    assert found.metrics["fnmr_at_own_threshold"] == pytest.approx(fnmr.mean())
    assert found.metrics["measured_fmr"] == pytest.approx(fmr.mean())
    assert found.metrics["measured_fmr_alike"] == pytest.approx(like.mean())
    for p, person in enumerate(found.per_person):
        assert person["measured_fmr"] == pytest.approx(fmr[:, p].mean())
    for name, (low, high) in found.intervals.items():
        assert 0 <= low <= found.metrics[name] <= high <= 1


def test_the_same_draw_twice_is_not_surer() -> None:
    """Copies of a draw bring no new people, photos or strangers."""
    (draw,) = make_draws(draws=1)
    once, thrice = verify_draws([draw]), verify_draws([draw] * 3)
    assert once.metrics == pytest.approx(thrice.metrics)
    for name, pair in once.intervals.items():
        assert pair == pytest.approx(thrice.intervals[name])


def test_a_photo_without_a_face_is_refused_by_every_threshold() -> None:
    (draw,) = make_draws(draws=1, people=1)
    (trial,) = draw
    lost = replace(trial, genuine=np.append(trial.genuine[:-4], [-np.inf] * 4))
    found = verify_draws([[replace(lost, threshold=-1e9)]], rounds=20)
    assert found.metrics["fnmr_at_own_threshold"] == pytest.approx(4 / 14)
    assert found.metrics["measured_fmr"] == 1.0
    assert found.metrics["fnmr_at_fmr_1pct"] >= 4 / 14
    assert found.metrics["auc"] <= 10 / 14
    stranger = replace(trial, impostor=np.where(np.arange(200) < 50, -np.inf, trial.impostor))
    assert verify_draws([[replace(stranger, threshold=-1e9)]], rounds=20).metrics[
        "measured_fmr"
    ] == pytest.approx(0.75)


def test_nothing_wrong_still_has_a_bound() -> None:
    rng = np.random.default_rng(1)
    draw = [replace(make_trial(rng, shift=60), threshold=30.0) for _ in range(5)]
    found = verify_draws([draw], rounds=50)
    assert found.metrics["fnmr_at_own_threshold"] == found.metrics["measured_fmr"] == 0
    assert found.intervals["fnmr_at_own_threshold"] == (0.0, clopper_pearson(0, 5)[1])
    assert found.intervals["measured_fmr"] == (0.0, clopper_pearson(0, 200)[1])


def test_what_is_not_there_is_not_measured() -> None:
    draws = make_draws()
    plain = [[replace(t, threshold=None, alike=None) for t in draw] for draw in draws]
    assert set(verify_draws(plain, rounds=5).metrics) == {
        "auc", "eer", "fnmr_at_fmr_1pct", "fnmr_at_fmr_0_1pct"
    }  # fmt: skip
    bare = [[replace(t, alike=None) for t in draw] for draw in draws]
    assert "measured_fmr" in verify_draws(bare, rounds=5).metrics
    assert "measured_fmr_alike" not in verify_draws(bare, rounds=5).metrics


def test_a_person_like_nobody_is_left_out_of_that_mean_alone() -> None:
    (draw,) = make_draws(draws=1, people=2)
    lonely = replace(draw[1], alike=np.zeros(200, bool))
    found = verify_draws([[draw[0], lonely]], rounds=20)
    assert np.isnan(found.per_person[1]["measured_fmr_alike"])
    assert found.metrics["measured_fmr_alike"] == found.per_person[0]["measured_fmr_alike"]
    alone = verify_draws([[lonely]], rounds=20)
    assert "measured_fmr_alike" not in alone.metrics and len(alone.intervals) == 6


def test_one_tested_photo_is_enough() -> None:
    rng = np.random.default_rng(2)
    draw = [make_trial(rng, photos=11) for _ in range(3)]
    for low, high in verify_draws([draw], rounds=50).intervals.values():
        assert np.isfinite([low, high]).all()


def test_trials_that_do_not_fit_are_refused() -> None:
    (draw,) = make_draws(draws=1, people=2)
    with pytest.raises(ValueError, match="a person in it"):
        verify_draws([])
    with pytest.raises(ValueError, match="2 and 1 people"):
        verify_draws([draw, draw[:1]])
    with pytest.raises(ValueError, match="same strangers"):
        verify_draws([[draw[0], replace(draw[1], impostor=np.zeros(7))]])
    with pytest.raises(ValueError, match="NaN"):
        verify_draws([[replace(draw[0], genuine=np.array([np.nan])), draw[1]]])
