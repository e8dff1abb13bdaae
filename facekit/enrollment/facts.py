"""What is kept in writing about an enrolment: photos, rates, claims; no pictures, no vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facekit.enrollment.fit import Fitted
from facekit.enrollment.photo import Photo
from facekit.report.record import strict


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
            "value": fitted.fnmr.value,
            "interval": fitted.fnmr.interval,
            "errors": fitted.fnmr.errors,
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
