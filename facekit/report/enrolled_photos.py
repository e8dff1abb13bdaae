"""The photos of an enrolment on its page: used, refused, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from facekit.report.page import Section, Thumbnail, table, thumbnails

__all__ = ["PhotoRow", "photo_sections", "quality_sections"]


@dataclass(frozen=True, eq=False)
class PhotoRow:
    """One photo.

    Attributes:
        file: Name of the file.
        used: Whether it was enrolled.
        reason: Why it was refused; empty when used.
        crop: uint8 RGB array of shape (side, side, 3), or None: no face, or no
            pictures wanted.
        session: Number of the sitting it belongs to.
        score: What it scored while held out, or None.
        verdict: What that score would have been called.
        measures: Quality figures as text, by name; all photos have the same names.
    """

    file: str
    used: bool
    reason: str = ""
    crop: NDArray[np.uint8] | None = None
    session: int = 0
    score: float | None = None
    verdict: str = ""
    measures: Mapping[str, str] = field(default_factory=dict)


def photo_sections(title: str, lead: str, photos: Sequence[PhotoRow]) -> list[Section]:
    """Pictures where there are some, and a table of the rest."""
    if not photos:
        return []
    shown = [
        Thumbnail(photo.crop, photo.file, _notes(photo))
        for photo in photos
        if photo.crop is not None
    ]
    rest = [photo for photo in photos if photo.crop is None]
    body = thumbnails(shown) if shown else ""
    if rest:
        lines = (f"<li>{escape(one.file)}: {escape('; '.join(_notes(one)))}</li>" for one in rest)
        body += f"<p></p><ul>{''.join(lines)}</ul>"
    return [Section(f"{title}: {len(photos)}", lead, body)]


def _notes(photo: PhotoRow) -> list[str]:
    if not photo.used:
        return [photo.reason]
    score = [] if photo.score is None else [f"held out: {photo.score:.2f}, {photo.verdict}"]
    return [f"session {photo.session + 1}", *score]


def quality_sections(photos: Sequence[PhotoRow]) -> list[Section]:
    """A table of the quality figures; none where nothing was measured."""
    measured = [photo for photo in photos if photo.measures]
    if not measured:
        return []
    columns = ("photo", *measured[0].measures, "")
    rows = [
        (one.file, *one.measures.values(), "used" if one.used else "refused") for one in measured
    ]
    return [Section("Quality of the faces", "As measured in each photo.", table(columns, rows))]
