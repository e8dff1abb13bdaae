"""Two ways to split the same data, and what each would claim.

The usual mistake with few photos is to augment first and to split afterwards: all
copies and all strangers are shuffled into train, validation and test, so copies of
one photo are on both sides and the test asks for what was taught. That figure is
made here beside the one that holds out whole sessions, at the same operating
points, to show the difference. Nothing is ever decided by it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from facekit.arrays import Bool, Float64, Int64
from facekit.bundle.strangers import Strangers
from facekit.enrollment.vectors import PhotoVectors
from facekit.evaluation.claim import percent
from facekit.evaluation.verification import auc, threshold_at_fmr
from facekit.heads.one_person import fit_scorer, score
from facekit.recipe.enroll import EnrollRecipe

#: The share that teaches, and with the share that validates; the rest tests. Nothing
#: is chosen here, so that validation is not looked at.
_TRAIN: Final = 0.8
_VAL: Final = 0.9
#: The score of a neuron that calls both equally likely.
_HALF: Final = 0.0


@dataclass(frozen=True)
class Measured:
    """Error rates on what was held out in one way; NaN where nothing could be.

    Attributes:
        accuracy: At a probability of 0.5, the person and strangers counting the same.
        fnmr_at_half: Share of the person's rows refused there.
        fmr_at_half: Share of the strangers accepted there.
        auc: Chance that the person's row beats a stranger's.
        fnmr: Share of the person's rows refused where at most the claimed share of
            these strangers, of any sex and age, is accepted.
        fmr: Share of the strangers accepted there.
        rows: The person's rows that tested: copies, or photos as they are.
        photos: Different photos among them.
        taught: Those of the photos that taught too, in another copy.
        strangers: Strangers that tested.
    """

    accuracy: float
    fnmr_at_half: float
    fmr_at_half: float
    auc: float
    fnmr: float
    fmr: float
    rows: int
    photos: int
    taught: int
    strangers: int

    def __str__(self) -> str:
        return (
            f"{share_text(self.accuracy)} right at 0.5 (FNMR {share_text(self.fnmr_at_half)}, "
            f"FMR {share_text(self.fmr_at_half)}), AUC {self.auc:.3f}"
        )


@dataclass(frozen=True)
class Splits:
    """Both ways beside each other.

    Attributes:
        leaky: Copies and strangers shuffled.
        honest: Whole sessions held out, strangers who taught nothing.
        fmr: The claimed false match rate.
    """

    leaky: Measured
    honest: Measured
    fmr: float

    def record(self) -> dict[str, Any]:
        """Both as numbers by name; a rate that is not known is NaN."""
        return {"fmr": self.fmr, "leaky": asdict(self.leaky), "honest": asdict(self.honest)}

    def words(self) -> list[str]:
        """A sentence for each."""
        leaky, honest, at = self.leaky, self.honest, f"at FMR {percent(self.fmr)}"
        claimed = (
            f"a shuffled split would claim: {leaky}, FNMR {share_text(leaky.fnmr)} {at}; it tests "
            f"{leaky.rows:,} copies, and other copies of {leaky.taught} of their {leaky.photos} "
            "photos taught"
        )
        if not honest.rows:
            return [claimed, "held out by session: nothing is known, because none can be"]
        known = (
            f"held out by session instead: {honest}, FNMR {share_text(honest.fnmr)} {at} "
            f"({honest.rows} photos, {honest.strangers:,} strangers who taught nothing)"
        )
        return [claimed, known]


def both_splits(
    own: PhotoVectors,
    strangers: Strangers,
    recipe: EnrollRecipe,
    raw: Float64,
    margin: Float64,
    scores: Float64,
) -> Splits | None:
    """The same photos split by shuffling and by session.

    Args:
        own: The person's views.
        strangers: All that came with the backbone.
        recipe: Says whether this is wanted: ``claim.leaky``.
        raw: float64 array of shape (m,), photos that were held out by session.
        margin: float64 array of shape (m,), see ``measure``.
        scores: float64 array of shape (k,), strangers who taught nothing.

    Returns:
        Both, or None where it is not wanted, or there is too little to shuffle.
    """
    leaky = shuffled_split(own, strangers, recipe) if recipe.claim.leaky else None
    if leaky is None:
        return None
    fmr, photos = recipe.claim.fmr, len(raw)
    honest = measure(raw, scores, fmr, margin=margin, photos=photos, taught=0)
    return Splits(leaky, honest, fmr)


def measure(
    own: Float64,
    strangers: Float64,
    fmr: float,
    *,
    margin: Float64 | None = None,
    photos: int,
    taught: int,
) -> Measured:
    """Error rates of scores at both operating points.

    Args:
        own: float64 array of shape (m,), of the person's rows.
        strangers: float64 array of shape (k,), k >= 1.
        fmr: The claimed false match rate, in (0, 1).
        margin: float64 array of shape (m,): how far each row lies above the threshold
            for that rate, where several neurons gave the scores; None for one.
        photos: Different photos among the rows.
        taught: Those that taught too.
    """
    threshold = threshold_at_fmr(strangers, fmr)
    margin = own - threshold if margin is None else margin
    missed, passed = _mean(own < _HALF), float((strangers >= _HALF).mean())
    return Measured(
        accuracy=1 - (missed + passed) / 2,
        fnmr_at_half=missed,
        fmr_at_half=passed,
        auc=auc(margin, strangers - threshold) if len(own) else float("nan"),
        fnmr=_mean(margin < 0),
        fmr=float((strangers >= threshold).mean()),
        rows=len(own),
        photos=photos,
        taught=taught,
        strangers=len(strangers),
    )


def shuffled_split(
    own: PhotoVectors, strangers: Strangers, recipe: EnrollRecipe
) -> Measured | None:
    """What a split of shuffled copies claims: 80 % teach, 10 % validate, 10 % test.

    Args:
        own: The person's views; each counts the same.
        strangers: All of them, as if nobody had divided them; at most
            ``head.strangers`` are taken.
        recipe: Head, claim and seed.

    Returns:
        The rates, or None where a part of the split would be empty.
    """
    crowd = strangers.vectors[: recipe.head.strangers or len(strangers)]
    n, people = len(own.vectors), len(crowd)
    part = _parts(n + people, recipe.seed)
    mine, theirs = part[:n], part[n:]
    if any(not (side == k).any() for side in (mine, theirs) for k in (0, 2)):
        return None
    train = own.vectors[mine == 0]
    head = fit_scorer(train, np.ones(len(train)), crowd[theirs == 0], recipe.head)
    tested = np.unique(own.photo[mine == 2])
    return measure(
        score(head, own.vectors[mine == 2]),
        score(head, crowd[theirs == 2]),
        recipe.claim.fmr,
        photos=len(tested),
        taught=len(np.intersect1d(tested, own.photo[mine == 0])),
    )


def _parts(n: int, seed: int) -> Int64:
    """0 (teaches), 1 (validates) or 2 (tests) for each of n rows."""
    place = np.random.default_rng(seed).permutation(n)
    return np.searchsorted([_TRAIN * n, _VAL * n], place, side="right")


def _mean(rows: Bool) -> float:
    return float(rows.mean()) if len(rows) else float("nan")


def share_text(rate: float) -> str:
    """A rate in percent; NaN is not known."""
    return "unknown" if math.isnan(rate) else f"{100 * rate:.1f} %"
