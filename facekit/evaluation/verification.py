"""Is this the same person? Error rates of scores, higher meaning more alike.

A face is accepted when its score is at least the threshold. FMR (false match
rate) is the share of impostor scores accepted, FNMR (false non-match rate) the
share of genuine scores refused (ISO/IEC 19795-1). Nothing is interpolated:
every number belongs to a threshold that could be set, and equal scores are
accepted or refused together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Float64, Floating

#: The false match rates that are reported, by the name of their FNMR.
FMRS: Final[dict[str, float]] = {"fnmr_at_fmr_1pct": 0.01, "fnmr_at_fmr_0_1pct": 0.001}
VERIFICATION_METRICS: Final = ("auc", "eer", *FMRS)
_SLACK: Final = 1e-9  # 0.29 * 100 is a hair less than 29


@dataclass(frozen=True)
class Det:
    """Detection error trade-off, one entry for each threshold that differs.

    Attributes:
        thresholds: float64 array of shape (m,), ascending; the last is inf.
        fmr: float64 array of shape (m,), falling from 1 to 0.
        fnmr: float64 array of shape (m,), rising from 0 to 1.
    """

    thresholds: Float64
    fmr: Float64
    fnmr: Float64


def det(genuine: ArrayLike, impostor: ArrayLike) -> Det:
    """Both error rates at every threshold.

    Args:
        genuine: float array of shape (g,), scores of the same person.
        impostor: float array of shape (i,), scores of other people.

    Returns:
        The curve.

    Raises:
        ValueError: One of them is empty or not finite.
    """
    same, other = _scores(genuine, "genuine"), _scores(impostor, "impostor")
    thresholds, fmr, fnmr = _rates(same, other, np.ones((same.size, 1)), np.ones((other.size, 1)))
    return Det(thresholds, fmr[:, 0], fnmr[:, 0])


def auc(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """Chance that a genuine score beats an impostor's; equal ones count half."""
    return verification_metrics(genuine, impostor)["auc"]


def threshold_at_fmr(impostor: ArrayLike, fmr: float) -> float:
    """The lowest threshold that accepts at most ``fmr`` of the impostors.

    Args:
        impostor: float array of shape (i,).
        fmr: Allowed false match rate, in [0, 1].

    Returns:
        The next float64 above the best impostor score to be refused; -inf when
        all may pass.

    Raises:
        ValueError: Scores are empty or not finite, or ``fmr`` is outside [0, 1].
    """
    if not 0 <= fmr <= 1:
        raise ValueError(f"a false match rate lies in [0, 1], got {fmr}")
    other = np.sort(_scores(impostor, "impostor"))[::-1]
    allowed = int(np.floor(fmr * other.size + _SLACK))
    if allowed >= other.size:
        return float("-inf")
    return float(np.nextafter(other[allowed], np.inf))


def verification_metrics(genuine: ArrayLike, impostor: ArrayLike) -> dict[str, float]:
    """AUC, EER and FNMR at FMR 1 % and 0.1 % of one set of scores.

    Args:
        genuine: float array of shape (g,).
        impostor: float array of shape (i,).

    Returns:
        ``{"auc", "eer", "fnmr_at_fmr_1pct", "fnmr_at_fmr_0_1pct"}``, all in
        [0, 1].

    Raises:
        ValueError: One of them is empty or not finite.
    """
    same, other = _scores(genuine, "genuine"), _scores(impostor, "impostor")
    values = weighted_verification(same, other, np.ones((same.size, 1)), np.ones((other.size, 1)))
    return dict(zip(VERIFICATION_METRICS, values[:, 0].tolist(), strict=True))


def weighted_verification(
    genuine: Float64, impostor: Float64, genuine_weights: Floating, impostor_weights: Floating
) -> Float64:
    """`verification_metrics` under many weightings of the scores at once.

    Args:
        genuine: float array of shape (g,).
        impostor: float array of shape (i,).
        genuine_weights: Array of shape (g, r), how often each score counts.
        impostor_weights: Array of shape (i, r).

    Returns:
        float64 array of shape (4, r) in the order of ``VERIFICATION_METRICS``.
    """
    _, fmr, fnmr = _rates(genuine, impostor, genuine_weights, impostor_weights)
    area = -np.trapezoid(1 - fnmr, fmr, axis=0)
    equal = np.maximum(fmr, fnmr).min(axis=0)
    column = np.arange(fmr.shape[1])
    total = impostor_weights.sum(0)
    at = [fnmr[np.argmax(fmr * total <= f * total + _SLACK, axis=0), column] for f in FMRS.values()]
    return np.stack([area, equal, *at])


def _rates(
    genuine: Float64, impostor: Float64, genuine_weights: Floating, impostor_weights: Floating
) -> tuple[Float64, Float64, Float64]:
    """Thresholds (m,), FMR (m, r) and FNMR (m, r)."""
    levels = np.unique(np.concatenate([genuine, impostor]))
    thresholds = np.append(levels, np.inf)
    refused = []
    for scores, weights in ((impostor, impostor_weights), (genuine, genuine_weights)):
        order = np.argsort(scores)
        below = np.vstack([np.zeros((1, weights.shape[1])), np.cumsum(weights[order], axis=0)])
        at = np.searchsorted(scores[order], thresholds, side="left")
        refused.append(below[at] / below[-1])
    return thresholds, 1 - refused[0], refused[1]


def _scores(values: ArrayLike, what: str) -> Float64:
    out = np.asarray(values, np.float64)
    if out.ndim != 1 or not out.size or not np.isfinite(out).all():
        raise ValueError(f"{what} scores {out.shape} must be one or more finite numbers")
    return out
