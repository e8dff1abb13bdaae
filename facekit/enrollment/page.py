"""An enrolment as a page for the person enrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from facekit.arrays import UInt8
from facekit.enrollment.fit import Fitted
from facekit.enrollment.person import Enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.split_comparison import Measured, Splits
from facekit.evaluation.claim import percent
from facekit.photos.quality import FaceQuality
from facekit.report.enroll import EnrollmentReport, PhotoRow, enrollment_page
from facekit.report.record import strict


def render_enrollment(
    enrollment: Enrollment,
    photos: Sequence[Photo],
    fitted: Fitted,
    *,
    pictures: bool,
    sheet: UInt8 | None = None,
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


# What is kept in writing about an enrolment: photos, rates, claims; no pictures, no vectors.


def collect_facts(
    photos: Sequence[Photo],
    fitted: Fitted,
    *,
    sessions: Sequence[int],
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Facts of an enrolment as JSON values.

    Args:
        photos: All that were looked at now.
        fitted: What was learned from them, and from those enrolled earlier.
        sessions: Of every photo used, earlier ones first, then in their order.
        earlier: "photos" of the facts that this enrolment adds to.

    Returns:
        ``{"photos_used", "photos_refused", "sessions", "claim": {...}, "fnmr":
        {"value", "interval", "errors", "photos"}, "slices": [...], "words": [...],
        "photos": [{"file", "used", "code", "reason", "session", "box",
        "eye_distance"}], ...}``; "claim" says the false match rate and against
        whom, a rate that is not known is None. With ``claim.leaky``: "splits" with
        "fmr", "leaky" and "honest", see ``enrollment.splits.Measured``.
    """
    rows = [dict(row) for row in (*earlier, *map(_photo_fact, photos))]
    used = [row for row in rows if row["used"]]
    for row, session in zip(used, sessions, strict=True):
        row["session"] = int(session)
    claim, keys = fitted.claim, ("fmr", "interval", "strangers", "supported", "words")
    facts: dict[str, Any] = {
        "photos_used": len(used),
        "photos_refused": len(rows) - len(used),
        "sessions": fitted.sessions,
        "claim": {key: getattr(claim, key) for key in keys},
        "fnmr": {
            "value": fitted.fnmr,
            "interval": fitted.fnmr_interval,
            "errors": fitted.errors,
            "photos": len(fitted.own_scores),
        },
        "slices": [
            {"who": one.words, "strangers": one.strangers, "passed": one.hits}
            for one in fitted.slices
        ],
        "words": fitted.words,
        **({} if fitted.splits is None else {"splits": fitted.splits.record()}),
        "photos": rows,
    }
    return dict(strict(facts))


def _photo_fact(photo: Photo) -> dict[str, Any]:
    """What is said of one photo; the name of its file without the folders."""
    return {
        "file": _readable(Path(photo.path).name),
        "used": photo.used,
        "code": photo.code,
        "reason": _readable(photo.reason),
        "session": None,
        "box": photo.box,
        "eye_distance": photo.eye_distance,
    }


def _readable(text: str) -> str:
    """Names of files need not be text; what is none becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
