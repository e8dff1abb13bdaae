"""An enrolment as a page for the person enrolled: the photos, what was learned, its worth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Final

from facekit.arrays import UInt8
from facekit.enrollment.fit import Fitted
from facekit.enrollment.person import Enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.split_comparison import Measured, Splits, share_text
from facekit.evaluation.claim import percent
from facekit.evaluation.intervals import Interval
from facekit.evaluation.verification import det
from facekit.photos.quality import FaceQuality
from facekit.report.charts import det_chart, score_chart
from facekit.report.page import (
    Section,
    Thumbnail,
    Tile,
    document,
    figure,
    origin_sections,
    picture,
    table,
    thumbnails,
    tiles,
)

_YES: Final = "the score reaches the threshold. Strangers do so at the rates above."
_UNSURE: Final = "below the threshold, but as high as the person's own photos may well score."
_NEVER: Final = "is never said: the person's own photos are expected above the threshold."
_NOT_ELSEWHERE: Final = "no claim for people in photos from elsewhere"
_LEAK: Final = (
    "Copies of one photo are nearly one picture: shuffled into train and test, they ask for what "
    "was taught, so believe the column on the right, for strangers like those that were tested. "
    "Photos and strangers count the same at 0.5."
)
_NO: Final = "lower than the person's own photos are expected to score."


@dataclass(frozen=True, eq=False)
class _Row:
    """One photo.

    Attributes:
        file: Name of the file.
        used: Whether it was enrolled.
        notes: Why it was refused, else its session and what it scored while held out.
        crop: uint8 RGB array of shape (side, side, 3), or None: no face, or no
            pictures wanted.
        quality: Its measures, of a photo that was looked at now.
    """

    file: str
    used: bool
    notes: list[str]
    crop: UInt8 | None
    quality: FaceQuality | None


def render_enrollment(
    enrollment: Enrollment,
    photos: Sequence[Photo],
    fitted: Fitted,
    *,
    pictures: bool,
    sheet: UInt8 | None = None,
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
        command: How to get this again.
        recipe: The resolved recipe as text.

    Returns:
        HTML.
    """
    rows = _rows(enrollment, photos, fitted, pictures)
    sections = [Section("", "", _headlines(enrollment, fitted, rows))]
    sections += [_meaning(enrollment), *_scores(enrollment, fitted), *_others(fitted)]
    parts = (
        ("Photos used", "Split by session before anything was learned.", True),
        ("Photos refused", "Nothing was learned from them.", False),
    )
    for title, lead, used in parts:
        sections += _photo_sections(title, lead, [row for row in rows if row.used == used])
    if sheet is not None and pictures:
        lead = "What the neuron saw besides: each photo turned, zoomed, lit and blurred a little."
        sections.append(Section("Augmented samples", lead, picture(sheet, "samples")))
    sections += _quality_sections(rows)
    sections += origin_sections(command, {"backbone": enrollment.key}, recipe)
    footer = (
        f"Biometric data: keep this page to yourself. `facekit forget {enrollment.name}` removes "
        "the enrolment and this page. Made by facekit."
    )
    subtitle = f"Enrolled {enrollment.created} with the model {enrollment.bundle}."
    return document(f"Enrolled: {enrollment.name}", subtitle, sections, footer)


def _others(fitted: Fitted) -> list[Section]:
    """Strangers by their looks, and the two ways to split, where there is something to say."""
    out = []
    slices = [
        (one.words, f"{one.strangers:,}", f"{one.hits:,}", " to ".join(map(percent, one.interval)))
        for one in fitted.slices
        if one.strangers
    ]
    if slices:
        lead = "Strangers that were let through, by what they look like; few of them prove little."
        columns = ("strangers", "how many", "let through", "95 % interval of the rate")
        out.append(Section("Who is taken for this person", lead, table(columns, slices)))
    if fitted.splits is not None:
        sides = ("", "copies shuffled", "sessions held out")
        rows = table(sides, _split_rows(fitted.splits))
        out.append(Section("Two ways to test", _LEAK, rows))
    return out


def _rows(
    enrollment: Enrollment, photos: Sequence[Photo], fitted: Fitted, pictures: bool
) -> list[_Row]:
    """Facts of all photos, with faces and measures of those looked at now."""
    facts = enrollment.facts["photos"]
    looked: list[Photo | None] = [*[None] * (len(facts) - len(photos)), *photos]
    scores = iter(fitted.own_scores.tolist())
    rows = []
    for fact, photo in zip(facts, looked, strict=True):
        notes = [fact["reason"]]
        if fact["used"]:
            notes = [f"session {(fact['session'] or 0) + 1}"]
            notes += [f"held out: {s:.2f}, {enrollment.answer(s)}" for s in islice(scores, 1)]
        crop = photo.crop if photo and pictures else None
        rows.append(_Row(fact["file"], fact["used"], notes, crop, photo.quality if photo else None))
    return rows


def _split_rows(splits: Splits) -> list[tuple[str, str, str]]:
    """What either split says, a row for each thing."""
    cells: dict[str, Callable[[Measured], str]] = {
        "right at a probability of 0.5": lambda one: share_text(one.accuracy),
        "own missed at 0.5 (FNMR)": lambda one: share_text(one.fnmr_at_half),
        "strangers let through at 0.5 (FMR)": lambda one: share_text(one.fmr_at_half),
        f"own missed at FMR {percent(splits.fmr)}": lambda one: share_text(one.fnmr),
        "strangers let through there": lambda one: share_text(one.fmr),
        "AUC": lambda one: "unknown" if math.isnan(one.auc) else f"{one.auc:.3f}",
        "pictures of the person, tested": lambda one: f"{one.rows:,}",
        "photos they show": lambda one: f"{one.photos:,}",
        "of which other copies taught": lambda one: f"{one.taught:,}",
        "strangers, tested": lambda one: f"{one.strangers:,}",
    }
    return [(what, say(splits.leaky), say(splits.honest)) for what, say in cells.items()]


def _headlines(enrollment: Enrollment, fitted: Fitted, rows: Sequence[_Row]) -> str:
    counts = Counter(map(enrollment.answer, fitted.own_scores.tolist()))
    held_out = fitted.own_scores.size
    claim, fnmr = fitted.claim, fitted.fnmr
    used, sessions = sum(row.used for row in rows), enrollment.facts["sessions"]
    judged = f"{counts['yes']} of {held_out}" if held_out else "none held out"
    refused = _NOT_ELSEWHERE if claim.interval[1] >= 1 else "too few strangers to claim it"
    claimed = "claimed" if claim.supported else refused
    return tiles(
        [
            Tile("Photos used", f"{used} of {len(rows)}", [f"{sessions} sessions"]),
            Tile(
                "Strangers let through (FMR)",
                _percent(claim.fmr),
                [_between(claim.interval), f"{claim.strangers:,} strangers alike, {claimed}"],
            ),
            Tile(
                "Own photos missed (FNMR)",
                _percent(fnmr.value),
                [_between(fnmr.interval), f"{held_out:,} held-out photos"],
            ),
            Tile(
                "Held-out photos judged yes",
                judged,
                [f"unsure {counts['unsure']}, no {counts['no']}"],
            ),
        ]
    )


def _meaning(enrollment: Enrollment) -> Section:
    claims = "".join(f"<li>{escape(line)}</li>" for line in enrollment.facts["words"])
    unsure = _UNSURE if enrollment.reject < enrollment.threshold else _NEVER
    meanings = (("yes", _YES), ("unsure", unsure), ("no", _NO))
    verdicts = "".join(f"<li><b>{name}</b>: {meaning}</li>" for name, meaning in meanings)
    lead = "What is claimed, what is not, and how to read an answer."
    return Section("What this means", lead, f"<ul>{claims}</ul><p></p><ul>{verdicts}</ul>")


def _scores(enrollment: Enrollment, fitted: Fitted) -> list[Section]:
    own, strangers = fitted.own_scores, fitted.stranger_scores
    threshold = enrollment.threshold
    if not own.size or not strangers.size:
        return []
    lead = (
        "Every photo was scored by a neuron that had not seen its session; the strangers, of any "
        "sex and age, are others than those it learned from. Nothing here is an augmented copy."
    )
    chart = score_chart(
        "Scores of the person and of strangers",
        own,
        strangers,
        threshold=threshold,
        reject=enrollment.reject,
    )
    curve = det(own, strangers)
    here = ("threshold", float((strangers >= threshold).mean()), float((own < threshold).mean()))
    words = (
        "<p>Each point of the curve is a threshold that could be set: a stricter one lets fewer "
        "strangers through and misses more of the person's own photos. The dot is the threshold "
        "in use. These are strangers of any sex and age: of those like the person more pass, as "
        "said above.</p>"
        f"<p>One photo is {_percent(1 / own.size)} of the vertical axis and one "
        f"stranger {_percent(1 / strangers.size)} of the horizontal one, hence the "
        "steps.</p>"
    )
    trade = figure(det_chart("Error trade-off", [("held-out photos", curve)], [here]))
    return [
        Section("Scores", lead, figure(chart, wide=True)),
        Section(
            "Which errors against which", "", f'<div class="side">{trade}<div>{words}</div></div>'
        ),
    ]


def _percent(rate: float) -> str:
    if math.isnan(rate):
        return "unknown"
    return percent(rate) if 0 < rate < 0.01 else f"{100 * rate:.1f} %"


def _between(interval: Interval) -> str:
    low, high = interval
    return f"95 % interval {_percent(low).removesuffix(' %')} to {_percent(high)}"


# The photos of an enrolment on its page: used, refused, and how good they are.


def _photo_sections(title: str, lead: str, photos: Sequence[_Row]) -> list[Section]:
    """Pictures where there are some, and a table of the rest."""
    if not photos:
        return []
    shown = [
        Thumbnail(photo.crop, photo.file, photo.notes) for photo in photos if photo.crop is not None
    ]
    rest = [photo for photo in photos if photo.crop is None]
    body = thumbnails(shown) if shown else ""
    if rest:
        lines = (f"<li>{escape(one.file)}: {escape('; '.join(one.notes))}</li>" for one in rest)
        body += f"<p></p><ul>{''.join(lines)}</ul>"
    return [Section(f"{title}: {len(photos)}", lead, body)]


def _quality_sections(photos: Sequence[_Row]) -> list[Section]:
    """A table of the quality figures; none where nothing was measured."""
    rows = [
        (
            one.file,
            f"{one.quality.eye_distance:.0f}",
            f"{one.quality.sharpness:.2f}",
            f"{one.quality.brightness:.2f}",
            f"{one.quality.turn:.0f}",
            "used" if one.used else "refused",
        )
        for one in photos
        if one.quality
    ]
    if not rows:
        return []
    columns = ("photo", "eyes apart, px", "sharpness", "brightness", "turned by, degrees", "")
    return [Section("Quality of the faces", "As measured in each photo.", table(columns, rows))]
