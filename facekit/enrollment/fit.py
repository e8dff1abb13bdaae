"""From vectors of photos to a neuron with error rates.

Photos are held out by whole sessions, copies and all, and tested as they are;
strangers who teach are other people than those who set the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from facekit.arrays import Bool, Float64
from facekit.bundle.bundle import IDENTITY
from facekit.bundle.strangers import Strangers
from facekit.enrollment.impostors import Impostors, Negatives, gather_impostors
from facekit.enrollment.rates import (
    Fnmr,
    fit_probability,
    lower_bound,
    measure_fnmr,
    refuse_leak,
    session_folds,
)
from facekit.enrollment.split_comparison import Splits, both_splits
from facekit.enrollment.vectors import PhotoVectors
from facekit.evaluation.claim import (
    Claim,
    Cohort,
    Passed,
    all_cohorts,
    claim_fmr,
    fmr_threshold,
    percent,
    slice_false_matches,
)
from facekit.evaluation.verification import threshold_at_fmr
from facekit.heads.kinds import LinearHead
from facekit.heads.one_person import fit_scorer, score
from facekit.recipe.enroll import EnrollHeadSpec, EnrollRecipe

#: What the strangers are pictures of. Drawn faces are not told from photographs: at 1 % of
#: the photographs lost, the best measure tried finds few (docs/enroll.md).
_DOMAIN: Final = (
    "all of this holds for photographs of people: drawings, paintings, dolls and masks were not "
    "measured and may pass more often"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A neuron, its thresholds, and what is known of its errors.

    Attributes:
        head: Reads one part of the embedding, gives one logit.
        reject: The score below which it is "no"; what lies between is "unsure".
        platt: float64 array of shape (2,): slope and offset from the score to the
            logit of the probability, the person and a stranger being equally likely.
        claim: The false match rate.
        fnmr: Of the photos that were held out.
        sessions: Of all photos that were used.
        own_scores: float64 array of shape (held out,): of heads that had not seen
            the photo's session, moved so that ``threshold`` means the same.
        stranger_scores: float64 array of shape (k,), of strangers who set it.
        slices: False matches by sex, age and glasses.
        words: What is claimed, and exactly what cannot be.
        splits: What a split of shuffled copies would claim, where that was asked.
    """

    head: LinearHead
    reject: float
    platt: Float64
    claim: Claim
    fnmr: Fnmr
    sessions: int
    own_scores: Float64
    stranger_scores: Float64
    slices: tuple[Passed, ...]
    words: list[str]
    splits: Splits | None = None

    @property
    def threshold(self) -> float:
        """The score from which the answer is "yes"."""
        return self.claim.threshold


def fit_enrollment(
    own: PhotoVectors,
    strangers: Strangers,
    recipe: EnrollRecipe,
    *,
    negatives: Negatives | None = None,
    name: str = "me",
) -> Fitted:
    """Fit a neuron, set its threshold, and measure what can be measured.

    Args:
        own: The person's photos.
        strangers: That come with the backbone.
        recipe: Which head, which claim.
        negatives: The user's own others, such as family; None for nobody.
        name: What the person is called.

    Raises:
        DataError: Something does not fit, or is on both sides of a split.
    """
    others = gather_impostors(strangers, negatives, seed=recipe.seed, most=recipe.head.strangers)
    chances = strangers.calibration_set().probabilities
    cohorts = all_cohorts(own.attributes, chances)
    head = _fit(own, np.ones(len(own.session), bool), others, recipe.head, name)
    scores = score(head, others.judging)
    taught = recipe.head.part == IDENTITY
    claim = claim_fmr(scores, cohorts, recipe.claim.fmr, recipe.claim.cohort, carries=taught)
    cross = _cross_validate(own, others, recipe, cohorts, name)
    tested = cross.tested
    held = cross.margin[tested] + claim.threshold
    fnmr = measure_fnmr(cross.margin[tested] < 0, own.session[tested])
    asked = next(one.rows for one in cohorts if one.kind == recipe.claim.cohort)
    like = scores[asked] if asked.any() else scores
    passed = score(head, others.tests) >= claim.threshold
    splits = both_splits(own, strangers, recipe, cross.raw[tested], cross.plain[tested], scores)
    words = [_DOMAIN, *_say_fnmr(fnmr, len(own.session)), *_say_own_others(others, passed)]
    return Fitted(
        head=head,
        reject=lower_bound(held, like, claim),
        platt=fit_probability(held, like, claim.threshold),
        claim=claim,
        fnmr=fnmr,
        sessions=len(np.unique(own.session)),
        own_scores=held,
        stranger_scores=scores,
        slices=slice_false_matches(scores, claim.threshold, chances),
        words=[*claim.words, *words, *(splits.words() if splits else [])],
        splits=splits,
    )


def _fit(
    own: PhotoVectors, photos: Bool, others: Impostors, spec: EnrollHeadSpec, name: str
) -> LinearHead:
    """The head of some of the photos."""
    views = photos[own.photo]
    return fit_scorer(
        own.vectors[views],
        own.weights()[views],
        others.vectors,
        spec,
        stranger_weight=others.weights,
        name=name,
    )


@dataclass(frozen=True, eq=False)
class _Held:
    """Every photo, scored by a head that never saw its session.

    Attributes:
        margin: float64 array of shape (photos,): above that head's own threshold.
        plain: The same above a threshold for strangers of any sex and age.
        raw: float64 array of shape (photos,): the head's score as it is.
        tested: bool array of shape (photos,): which were held out.
    """

    margin: Float64
    plain: Float64
    raw: Float64
    tested: Bool


def _cross_validate(
    own: PhotoVectors,
    others: Impostors,
    recipe: EnrollRecipe,
    cohorts: tuple[Cohort, ...],
    name: str,
) -> _Held:
    n = len(own.session)
    held = _Held(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, bool))
    asked = [c.kind for c in cohorts].index(recipe.claim.cohort)
    plain = own.plain_views()
    for out in session_folds(own.session, recipe.seed):
        refuse_leak(own.session[~out], own.session[out], others.people, others.judges)
        head = _fit(own, ~out, others, recipe.head, name)
        scores = score(head, others.judging)
        held.raw[out] = score(head, plain[out])
        held.margin[out] = held.raw[out] - fmr_threshold(scores, cohorts[asked:], recipe.claim.fmr)
        held.plain[out] = held.raw[out] - threshold_at_fmr(scores, recipe.claim.fmr)
        held.tested[out] = True
    return held


# An enrolment's error rates in sentences, with what cannot be claimed.


def _say_fnmr(fnmr: Fnmr, photos: int) -> list[str]:
    if not fnmr.photos:
        why = "one photo" if photos == 1 else f"{photos} photos of one session"
        line = f"FNMR: nothing can be claimed from {why}, because none can be held out"
        return [f"{line}: add photos of other days"]
    low, high = map(percent, fnmr.interval)
    counted = f"{fnmr.errors} of {fnmr.photos} photos were refused when their session was held out"
    if fnmr.errors:
        lines = [f"FNMR {percent(fnmr.value)}: {counted} (95 % interval {low} to {high})"]
    else:
        line = f"FNMR below {high}, and no less can be claimed from so few: {counted}"
        lines = [f"{line} (rule of three over {fnmr.sessions} sessions)"]
    if fnmr.sessions < fnmr.photos:
        lines.append(
            f"the {fnmr.photos} photos are from {fnmr.sessions} sessions, and the interval counts "
            "sessions"
        )
    if fnmr.sessions < 5:
        lines.append(
            f"with {fnmr.sessions} sessions each was judged by a neuron that knew "
            f"{fnmr.sessions - 1}: the enrolment itself does better, by how much is not known"
        )
    return lines


def _say_own_others(others: Impostors, passed: Bool) -> list[str]:
    out = len(np.unique(others.tested))
    if not others.taught and not out:
        return []
    if not out:
        line = "your own others: one person taught and none was kept out"
        return [f"{line}, so how well it tells them apart is not known"]
    through = len(np.unique(others.tested[passed]))
    line = f"your own others: {others.taught} people taught, and of {out} kept out {through} passed"
    return [f"{line} in one picture or more ({int(passed.sum())} of {len(passed)} pictures)"]
