"""An enrolment's error rates in sentences, with what cannot be claimed."""

from __future__ import annotations

import numpy as np

from facekit.arrays import Bool
from facekit.enrollment.impostors import Impostors
from facekit.enrollment.rates import Fnmr
from facekit.enrollment.split_comparison import Splits
from facekit.evaluation.claim import Claim, percent


def say_all(
    claim: Claim,
    fnmr: Fnmr,
    photos: int,
    others: Impostors,
    passed: Bool,
    splits: Splits | None = None,
) -> list[str]:
    """Everything that is claimed, a sentence each.

    Args:
        claim: The false match rate.
        fnmr: The false non-match rate.
        photos: How many photos were used.
        others: Who taught and who was kept out.
        passed: bool array (t,): which kept-out pictures of the user's own others
            reach the threshold.
        splits: Two ways to test, where that was asked.
    """
    both = [] if splits is None else splits.words()
    return [*claim.words, *_say_fnmr(fnmr, photos), *_say_own_others(others, passed), *both]


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
