"""A shuffled split of copies claims what whole sessions held out do not keep."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from facekit.bundle.strangers import Strangers
from facekit.enrollment import split_comparison as module
from facekit.enrollment.fit import Fitted, fit_enrollment
from facekit.enrollment.split_comparison import Splits, measure, shuffled_split
from facekit.enrollment.vectors import PhotoVectors
from facekit.errors import RecipeError
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe

D, PHOTOS, COPIES = 48, 14, 40
#: A part that says little of who somebody is: photos of one person lie far apart.
SPREAD = 2.5


def unit(rows: np.ndarray) -> np.ndarray:
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def strangers() -> Strangers:
    rng = np.random.default_rng(1)
    looks = np.zeros((1600, 40), np.uint8)
    return Strangers(unit(rng.normal(size=(1600, D))), looks, np.arange(1600) % 2 == 0, "k")


@pytest.fixture(scope="module")
def own() -> PhotoVectors:
    """Fourteen photos, and copies that are nearly the same picture."""
    rng = np.random.default_rng(2)
    plain = unit(rng.normal(size=D) + SPREAD * rng.normal(size=(PHOTOS, D)))
    near = np.repeat(plain, COPIES, 0) + 0.02 * rng.normal(size=(PHOTOS * COPIES, D))
    index = np.arange(PHOTOS)
    return PhotoVectors(
        vectors=np.concatenate([plain, unit(near)]),
        photo=np.concatenate([index, np.repeat(index, COPIES)]),
        plain=np.arange(PHOTOS * (COPIES + 1)) < PHOTOS,
        session=index,
        attributes=np.zeros((PHOTOS, 40), np.float32),
    )


def recipe(*overrides: str) -> EnrollRecipe:
    return load_recipe("me", ["claim.leaky=true", *overrides], EnrollRecipe)


@pytest.fixture(scope="module")
def fitted(own: PhotoVectors, strangers: Strangers) -> Fitted:
    return fit_enrollment(own, strangers, recipe())


def both(fitted: Fitted) -> Splits:
    assert fitted.splits is not None
    return fitted.splits


def test_the_leaky_figure_is_the_better_one_and_is_wrong(
    fitted: Fitted, strangers: Strangers
) -> None:
    splits = both(fitted)
    leaky, honest = splits.leaky, splits.honest
    assert leaky.accuracy > 0.97 and leaky.auc > 0.99
    assert honest.accuracy < leaky.accuracy - 0.1
    assert honest.auc < leaky.auc - 0.05 and honest.fnmr > leaky.fnmr + 0.3
    rng = np.random.default_rng(2)  # the same person in photos that nobody has seen
    middle = rng.normal(size=D)
    new = unit(middle + SPREAD * np.random.default_rng(9).normal(size=(2000, D)))
    truth = (fitted.head.logits({"identity": new})[:, 0] < 0).mean()
    assert abs(honest.fnmr_at_half - truth) < 0.25 < truth - leaky.fnmr_at_half + 0.1


def test_what_each_was_tested_on(fitted: Fitted) -> None:
    leaky, honest = both(fitted).leaky, both(fitted).honest
    assert leaky.taught == leaky.photos >= PHOTOS - 2, "copies of photos are on both sides"
    assert (honest.rows, honest.photos, honest.taught) == (PHOTOS, PHOTOS, 0)
    rows = PHOTOS * (COPIES + 1) + 1600
    assert leaky.rows + leaky.strangers == pytest.approx(rows / 10, abs=1)
    assert honest.strangers == 800 and leaky.fmr <= 0.01 and honest.fmr <= 0.01


def test_the_enrolment_itself_does_not_change(
    fitted: Fitted, own: PhotoVectors, strangers: Strangers
) -> None:
    plain = fit_enrollment(own, strangers, recipe("claim.leaky=false"))
    assert plain.splits is None and (plain.threshold, plain.fnmr) == (fitted.threshold, fitted.fnmr)
    np.testing.assert_array_equal(plain.head.weight, fitted.head.weight)
    assert fitted.words == plain.words + both(fitted).words()
    told = fitted.words[-2:]
    assert told[0].startswith("a shuffled split would claim: ") and told[0].endswith(
        "photos taught"
    )
    assert told[1].startswith("held out by session instead: ") and "800 strangers" in told[1]


def test_the_record_names_both(fitted: Fitted) -> None:
    record = both(fitted).record()
    assert record["fmr"] == 0.01 and set(record) == {"fmr", "leaky", "honest"}
    assert set(record["leaky"]) == set(record["honest"]) >= {"accuracy", "auc", "fnmr", "fmr"}


def test_one_session_leaves_the_honest_side_unknown(
    own: PhotoVectors, strangers: Strangers
) -> None:
    together = replace(own, session=np.zeros(PHOTOS, np.int64))
    splits = both(fit_enrollment(together, strangers, recipe()))
    assert splits.leaky.accuracy > 0.97 and splits.honest.rows == 0
    assert math.isnan(splits.honest.auc) and math.isnan(splits.honest.accuracy)
    assert splits.words()[1] == "held out by session: nothing is known, because none can be"


def test_too_little_to_shuffle(own: PhotoVectors, strangers: Strangers) -> None:
    one = replace(
        own,
        vectors=own.vectors[:1],
        photo=np.zeros(1, np.int64),
        plain=np.ones(1, bool),
        session=np.zeros(1, np.int64),
        attributes=own.attributes[:1],
    )
    assert shuffled_split(one, strangers, recipe()) is None
    found = fit_enrollment(one, strangers, recipe())
    assert found.splits is None and not any("shuffled" in line for line in found.words)


def test_at_most_so_many_strangers_teach(
    own: PhotoVectors, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fit = module.fit_scorer

    def spy(own: np.ndarray, weight: np.ndarray, crowd: np.ndarray, *args: object) -> object:
        seen.append(len(crowd))
        return fit(own, weight, crowd, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "fit_scorer", spy)
    found = shuffled_split(own, strangers, recipe("head.strangers=300"))
    assert found is not None and found.strangers < 50 and 200 < seen[0] < 270
    whole = fit_enrollment(own, strangers, recipe("head.strangers=300"))
    assert len(whole.stranger_scores) == 800, "those who judge are not fewer"
    assert whole.threshold != fit_enrollment(own, strangers, recipe()).threshold


def test_measures_at_both_points() -> None:
    strangers = np.append(np.linspace(-9, -1, 98), [0.5, 3.0])
    found = measure(np.array([-2.0, 1.0, 2.0, 4.0]), strangers, 0.01, photos=4, taught=0)
    assert (found.fnmr_at_half, found.fmr_at_half) == (0.25, 0.02)
    assert found.accuracy == pytest.approx(1 - (0.25 + 0.02) / 2)
    assert (found.fnmr, found.fmr) == (0.25, 0.01)
    moved = measure(
        np.array([1.0, 1.0]), strangers, 0.01, margin=np.array([-0.1, 9.0]), photos=2, taught=0
    )
    assert (moved.fnmr, moved.fnmr_at_half) == (0.5, 0.0)


def test_a_centroid_has_no_half() -> None:
    with pytest.raises(RecipeError, match=r"claim\.leaky") as caught:
        recipe("head.kind=centroid")
    assert "\n" not in str(caught.value)
