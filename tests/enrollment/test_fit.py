"""From photos to a neuron with error rates, on drawn numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from facekit.bundle.strangers import Strangers
from facekit.enrollment import fit as fitting
from facekit.enrollment.fit import Fitted, fit_enrollment
from facekit.enrollment.impostors import Negatives
from facekit.enrollment.vectors import PhotoVectors
from facekit.errors import DataError
from facekit.labels import attribute_index
from facekit.recipe.enroll import ClaimSpec, EnrollHeadSpec, EnrollRecipe

D = 24
RNG = np.random.default_rng(0)
RECIPE = EnrollRecipe(name="me")


def unit(rows: np.ndarray) -> np.ndarray:
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def people(n: int) -> Strangers:
    attributes = np.zeros((n, 40), np.uint8)
    attributes[:, attribute_index("Male")] = np.where(np.arange(n) % 2, 255, 0)
    return Strangers(unit(RNG.normal(size=(n, D))), attributes, np.arange(n) % 4 < 2, "key")


STRANGERS = people(2400)
CENTRE = RNG.normal(size=D)


def photos(n: int, copies: int = 0, noise: float = 0.5, **changes: np.ndarray) -> PhotoVectors:
    plain = unit(CENTRE + noise * RNG.normal(size=(n, D)))
    more = unit(np.repeat(plain, copies, 0) + 0.05 * RNG.normal(size=(n * copies, D)))
    index = np.arange(n)
    values = {
        "vectors": np.concatenate([plain, more]),
        "photo": np.concatenate([index, np.repeat(index, copies)]),
        "plain": np.arange(n + n * copies) < n,
        "session": index,
        "attributes": np.zeros((n, 40), np.float32),
    }
    return PhotoVectors(**{**values, **changes})


def logits(found: Fitted, vectors: np.ndarray) -> np.ndarray:
    return found.head.logits({"identity": vectors})[:, 0]


def test_ten_photos_make_a_neuron_that_keeps_its_word() -> None:
    found = fit_enrollment(photos(10, copies=3), STRANGERS, RECIPE, name="Ann")
    assert found.head.labels == ("Ann",) and found.sessions == 10
    assert found.claim.supported and found.claim.strangers == 600
    new = logits(found, people(4000).vectors)
    low, high = found.claim.interval
    assert low <= (new >= found.threshold).mean() <= high
    own = logits(found, photos(300).vectors)
    assert (own < found.threshold).mean() <= found.fnmr.interval[1]
    assert found.reject <= found.threshold and found.platt[0] > 0
    assert len(found.own_scores) == 10 and len(found.stranger_scores) == 1200
    assert found.words[0].startswith("FMR 1 %") and any("FNMR" in line for line in found.words)


def test_held_out_scores_are_like_those_of_new_photos() -> None:
    found = fit_enrollment(photos(12), STRANGERS, RECIPE)
    new, held = logits(found, photos(400).vectors), found.own_scores
    assert held.mean() == pytest.approx(new.mean(), abs=1.0)
    seen = logits(found, photos(12).vectors)
    assert found.fnmr.errors == (held < found.threshold).sum()
    assert found.fnmr.value == found.fnmr.errors / 12
    assert seen.shape == (12,)


def test_photos_that_taught_would_look_better_than_they_are() -> None:
    """What the cross-validation is for: with much noise the fitted photos pass anyway."""
    own = photos(20, noise=1.2)
    found = fit_enrollment(own, STRANGERS, RECIPE)
    fitted = (logits(found, own.vectors) < found.threshold).mean()
    new = (logits(found, photos(400, noise=1.2).vectors) < found.threshold).mean()
    assert fitted <= 0.05 < 0.1 < new
    low, high = found.fnmr.interval
    assert low <= new <= high and found.fnmr.value > fitted


def test_copies_of_held_out_photos_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    fit = fitting.fit_scorer

    def spy(own: np.ndarray, *args: object, **more: object) -> object:
        seen.append(own)
        return fit(own, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "fit_scorer", spy)
    own = photos(6, copies=5, session=np.array([0, 0, 1, 1, 2, 2]))
    fit_enrollment(own, STRANGERS, RECIPE)
    assert sorted(map(len, seen)) == [24, 24, 24, 36]  # each fold lacks two photos of six views
    groups = [{row.tobytes() for row in own.vectors[own.session[own.photo] == s]} for s in range(3)]
    for vectors in seen:
        rows = {row.tobytes() for row in vectors}
        assert len(rows) == 36 or sum(not rows & group for group in groups) == 1


def test_a_planted_leak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(session: np.ndarray, seed: int) -> Iterator[np.ndarray]:
        for i in range(len(session)):  # photo by photo, whatever their session
            yield np.arange(len(session)) == i

    monkeypatch.setattr(fitting, "session_folds", careless)
    fit_enrollment(photos(4), STRANGERS, RECIPE)
    with pytest.raises(DataError, match="session 7 would both teach and test"):
        fit_enrollment(photos(4, session=np.array([5, 7, 7, 6])), STRANGERS, RECIPE)
    twins = replace(STRANGERS, vectors=STRANGERS.vectors.copy())
    twins.vectors[2] = twins.vectors[0]  # 0 judges, 2 teaches
    with pytest.raises(DataError, match="would both teach and test"):
        fit_enrollment(photos(4), twins, RECIPE)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_few_photos_work_and_claim_little(n: int) -> None:
    found = fit_enrollment(photos(n, copies=2), STRANGERS, RECIPE)
    assert found.fnmr.interval == (0.0, 1.0 if n < 4 else 0.75)
    assert any("each was judged by a neuron that knew" in line for line in found.words)


def test_one_photo_works_and_claims_nothing_of_its_own() -> None:
    found = fit_enrollment(photos(1, copies=4), STRANGERS, RECIPE)
    assert math.isnan(found.fnmr.value) and found.fnmr.interval == (0.0, 1.0)
    assert not len(found.own_scores)
    assert any("nothing can be claimed from one photo" in line for line in found.words)
    assert np.isfinite([found.threshold, found.reject, *found.platt]).all()
    assert found.reject < found.threshold
    assert (logits(found, photos(100).vectors) >= found.threshold).mean() > 0.5


def test_one_session_claims_nothing_of_its_own() -> None:
    found = fit_enrollment(photos(5, session=np.zeros(5, np.int64)), STRANGERS, RECIPE)
    assert math.isnan(found.fnmr.value)
    assert any("5 photos of one session" in line for line in found.words)


def test_sessions_count_in_the_interval() -> None:
    found = fit_enrollment(photos(9, session=np.arange(9) // 3), STRANGERS, RECIPE)
    assert found.sessions == 3 and len(found.own_scores) == 9
    assert any("9 photos are from 3 sessions" in line for line in found.words)


def test_a_rate_that_strangers_do_not_support_is_not_claimed() -> None:
    strict = RECIPE.model_copy(update={"claim": ClaimSpec(fmr=0.001)})
    found = fit_enrollment(photos(6), STRANGERS, strict)
    assert not found.claim.supported
    assert any("FMR 0.1 % cannot be claimed" in line for line in found.words)
    assert found.threshold > fit_enrollment(photos(6), STRANGERS, RECIPE).threshold


def test_own_others_are_heard_and_tested() -> None:
    family = unit(CENTRE + 0.9 * RNG.normal(size=(6, D)))
    views = unit(np.repeat(family, 3, 0) + 0.1 * RNG.normal(size=(18, D)))
    who = np.repeat(np.arange(6), 3)
    own = photos(8)
    plain = fit_enrollment(own, STRANGERS, RECIPE)
    found = fit_enrollment(own, STRANGERS, RECIPE, negatives=Negatives(views, who))
    assert "3 people taught, and of 3 kept out" in found.words[-1]
    assert logits(found, family).mean() < logits(plain, family).mean()
    alone = fit_enrollment(own, STRANGERS, RECIPE, negatives=Negatives(views[:3], who[:3]))
    assert "none was kept out" in alone.words[-1]


def test_the_rival_is_fitted_the_same_way() -> None:
    rival = RECIPE.model_copy(update={"head": EnrollHeadSpec(kind="centroid")})
    found = fit_enrollment(photos(8), STRANGERS, rival)
    assert found.head.mean is None and len(found.own_scores) == 8
    low, high = found.claim.interval
    assert low <= (logits(found, people(4000).vectors) >= found.threshold).mean() <= high


def test_the_same_photos_give_the_same_neuron() -> None:
    own = photos(5, copies=2)
    one, two = (fit_enrollment(own, STRANGERS, RECIPE) for _ in range(2))
    np.testing.assert_array_equal(one.head.weight, two.head.weight)
    assert (one.threshold, one.reject, one.words) == (two.threshold, two.reject, two.words)


def test_photos_count_the_same_whatever_their_copies() -> None:
    own = photos(2)
    more = unit(own.vectors[:1] + 0.1 * RNG.normal(size=(3, D)))
    uneven = replace(
        own,
        vectors=np.concatenate([own.vectors, more]),
        photo=np.array([0, 1, 0, 0, 0]),
        plain=np.array([True, True, False, False, False]),
    )
    weights = uneven.weights()
    assert weights[[0, 2, 3, 4]].sum() == pytest.approx(1) and weights[1] == 1
    assert weights[0] > weights[2:].sum()


def test_views_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="exactly one view"):
        photos(3, photo=np.array([0, 0, 2]))
    with pytest.raises(DataError, match="do not fit together"):
        photos(3, session=np.arange(4))
    with pytest.raises(DataError, match="do not fit together"):
        photos(2, vectors=np.full((2, D), np.nan, np.float32))
