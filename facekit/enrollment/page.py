"""An enrolment as a page for the person enrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from facekit.enrollment.enrollment import Enrollment
from facekit.enrollment.fit import Fitted
from facekit.enrollment.photo import Photo
from facekit.enrollment.splits import Measured, Splits
from facekit.evaluation.claim import percent
from facekit.evaluation.quality import FaceQuality
from facekit.report.enrolled_photos import PhotoRow
from facekit.report.enrollment import EnrollmentReport, enrollment_page

__all__ = ["render_enrollment"]


def render_enrollment(
    enrollment: Enrollment,
    photos: Sequence[Photo],
    fitted: Fitted,
    *,
    pictures: bool,
    sheet: NDArray[np.uint8] | None = None,
    provenance: Mapping[str, str] | None = None,
    command: str = "",
    recipe: str = "",
) -> str:
    """The page of an enrolment.

    Args:
        enrollment: With the facts from ``collect_facts``.
        photos: Those looked at now, the last ones among the facts.
        fitted: What was learned.
        pictures: Show the faces; such a page belongs in the user's own folder only.
        sheet: uint8 RGB picture of augmented samples; shown with pictures only.
        provenance: Names and values.
        command: How to get this again.
        recipe: The resolved recipe as text.

    Returns:
        HTML.
    """
    claim, facts = fitted.claim, enrollment.facts
    report = EnrollmentReport(
        name=enrollment.name,
        subtitle=f"Enrolled {enrollment.created} with the model {enrollment.bundle}.",
        photos=_rows(enrollment, photos, fitted, pictures),
        sessions=facts["sessions"],
        words=facts["words"],
        fmr=claim.fmr,
        fmr_interval=claim.interval,
        strangers=claim.strangers,
        fnmr=fitted.fnmr,
        fnmr_interval=fitted.fnmr_interval,
        own_scores=fitted.own_scores,
        stranger_scores=fitted.stranger_scores,
        threshold=enrollment.threshold,
        reject=enrollment.reject,
        supported=claim.supported,
        slices=[
            (one.words, f"{one.strangers:,}", f"{one.hits:,}", _between(one.interval))
            for one in fitted.slices
            if one.strangers
        ],
        splits=[] if fitted.splits is None else _split_rows(fitted.splits),
        sheet=sheet if pictures else None,
        provenance={"backbone": enrollment.key, **(provenance or {})},
        command=command,
        recipe=recipe,
    )
    return enrollment_page(report)


def _rows(
    enrollment: Enrollment, photos: Sequence[Photo], fitted: Fitted, pictures: bool
) -> list[PhotoRow]:
    """Facts of all photos, with faces and measures of those looked at now."""
    facts = enrollment.facts["photos"]
    looked: list[Photo | None] = [*[None] * (len(facts) - len(photos)), *photos]
    scores = iter(fitted.own_scores.tolist())
    rows = []
    for fact, photo in zip(facts, looked, strict=True):
        score = next(scores, None) if fact["used"] else None
        rows.append(
            PhotoRow(
                file=fact["file"],
                used=fact["used"],
                reason=fact["reason"],
                crop=photo.crop if photo and pictures else None,
                session=fact["session"] or 0,
                score=score,
                verdict="" if score is None else enrollment.answer(score),
                measures=_measures(photo.quality) if photo and photo.quality else {},
            )
        )
    return rows


def _measures(quality: FaceQuality) -> dict[str, str]:
    return {
        "eyes apart, px": f"{quality.eye_distance:.0f}",
        "sharpness": f"{quality.sharpness:.2f}",
        "brightness": f"{quality.brightness:.2f}",
        "turned by, degrees": f"{quality.turn:.0f}",
    }


def _split_rows(splits: Splits) -> list[tuple[str, str, str]]:
    """What either split says, a row for each thing."""
    cells: dict[str, Callable[[Measured], str]] = {
        "right at a probability of 0.5": lambda one: _rate(one.accuracy),
        "own missed at 0.5 (FNMR)": lambda one: _rate(one.fnmr_at_half),
        "strangers let through at 0.5 (FMR)": lambda one: _rate(one.fmr_at_half),
        f"own missed at FMR {percent(splits.fmr)}": lambda one: _rate(one.fnmr),
        "strangers let through there": lambda one: _rate(one.fmr),
        "AUC": lambda one: "unknown" if isnan(one.auc) else f"{one.auc:.3f}",
        "pictures of the person, tested": lambda one: f"{one.rows:,}",
        "photos they show": lambda one: f"{one.photos:,}",
        "of which other copies taught": lambda one: f"{one.taught:,}",
        "strangers, tested": lambda one: f"{one.strangers:,}",
    }
    return [(what, say(splits.leaky), say(splits.honest)) for what, say in cells.items()]


def _rate(rate: float) -> str:
    return "unknown" if isnan(rate) else f"{100 * rate:.1f} %"


def _between(interval: tuple[float, float]) -> str:
    return " to ".join(map(percent, interval))
