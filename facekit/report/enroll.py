"""The page of an enrolment: the photos, what was learned, what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from facekit.arrays import Floating, UInt8
from facekit.evaluation.intervals import Interval
from facekit.evaluation.verification import det
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
class EnrollmentReport:
    """Everything the page shows; with pictures it belongs in the user's own folder only.

    Attributes:
        name: Who it is.
        subtitle: One line: model, time.
        photos: All that were looked at.
        sessions: Sittings of the photos used.
        words: What is claimed, and what cannot be, a sentence each.
        fmr: The false match rate claimed, with its interval and the number of
            strangers behind it.
        fmr_interval: 95 %.
        strangers: How many were like the person and set the threshold.
        fnmr: Share of held-out photos below the threshold.
        fnmr_interval: 95 %.
        own_scores: float array of shape (n,), of held-out photos.
        stranger_scores: float array of shape (k,).
        threshold: The score from which the verdict is "yes".
        reject: The score below which it is "no".
        supported: Whether there were strangers enough for the claim, and it carries
            over to others; where it does not, the interval ends at 1.
        slices: Rows (who, strangers, passed, rate) of the false matches.
        splits: Rows (what, by a shuffled split, by session) of two ways to test.
        sheet: uint8 RGB picture of augmented samples, or None.
        provenance: Names and values.
        command: How to get this page again.
        recipe: The resolved recipe as text.
    """

    name: str
    subtitle: str
    photos: Sequence[PhotoRow]
    sessions: int
    words: Sequence[str]
    fmr: float
    fmr_interval: Interval
    strangers: int
    fnmr: float
    fnmr_interval: Interval
    own_scores: Floating
    stranger_scores: Floating
    threshold: float
    reject: float
    supported: bool = True
    slices: Sequence[tuple[str, str, str, str]] = ()
    splits: Sequence[tuple[str, str, str]] = ()
    sheet: UInt8 | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    recipe: str = ""


def enrollment_page(report: EnrollmentReport) -> str:
    """Render the page.

    Args:
        report: What to show; parts that are empty are left out.

    Returns:
        HTML, to be written where only its owner can read it.
    """
    used = [photo for photo in report.photos if photo.used]
    refused = [photo for photo in report.photos if not photo.used]
    sections = [Section("", "", _headlines(report, len(used))), _meaning(report)]
    sections += _scores(report)
    if report.slices:
        lead = "Strangers that were let through, by what they look like; few of them prove little."
        columns = ("strangers", "how many", "let through", "95 % interval of the rate")
        sections.append(
            Section("Who is taken for this person", lead, table(columns, report.slices))
        )
    if report.splits:
        sides = ("", "copies shuffled", "sessions held out")
        sections.append(Section("Two ways to test", _LEAK, table(sides, report.splits)))
    split, unused = (
        "Split by session before anything was learned.",
        "Nothing was learned from them.",
    )
    sections += photo_sections("Photos used", split, used)
    sections += photo_sections("Photos refused", unused, refused)
    if report.sheet is not None:
        lead = "What the neuron saw besides: each photo turned, zoomed, lit and blurred a little."
        sections.append(Section("Augmented samples", lead, picture(report.sheet, "samples")))
    sections += quality_sections(report.photos)
    sections += origin_sections(report.command, report.provenance, report.recipe)
    footer = (
        f"Biometric data: keep this page to yourself. `facekit forget {report.name}` removes the "
        "enrolment and this page. Made by facekit."
    )
    return document(f"Enrolled: {report.name}", report.subtitle, sections, footer)


def _headlines(report: EnrollmentReport, used: int) -> str:
    counts, held_out = _verdict_counts(report), report.own_scores.size
    judged = f"{counts['yes']} of {held_out}" if held_out else "none held out"
    refused = _NOT_ELSEWHERE if report.fmr_interval[1] >= 1 else "too few strangers to claim it"
    claimed = "claimed" if report.supported else refused
    return tiles(
        [
            Tile("Photos used", f"{used} of {len(report.photos)}", [f"{report.sessions} sessions"]),
            Tile(
                "Strangers let through (FMR)",
                _percent(report.fmr),
                [_between(report.fmr_interval), f"{report.strangers:,} strangers alike, {claimed}"],
            ),
            Tile(
                "Own photos missed (FNMR)",
                _percent(report.fnmr),
                [_between(report.fnmr_interval), f"{held_out:,} held-out photos"],
            ),
            Tile(
                "Held-out photos judged yes",
                judged,
                [f"unsure {counts['unsure']}, no {counts['no']}"],
            ),
        ]
    )


def _verdict_counts(report: EnrollmentReport) -> dict[str, int]:
    yes = report.own_scores >= report.threshold
    no = ~yes & (report.own_scores < report.reject)
    return {"yes": int(yes.sum()), "no": int(no.sum()), "unsure": int((~yes & ~no).sum())}


def _meaning(report: EnrollmentReport) -> Section:
    claims = "".join(f"<li>{escape(line)}</li>" for line in report.words)
    unsure = _UNSURE if report.reject < report.threshold else _NEVER
    meanings = (("yes", _YES), ("unsure", unsure), ("no", _NO))
    verdicts = "".join(f"<li><b>{name}</b>: {meaning}</li>" for name, meaning in meanings)
    lead = "What is claimed, what is not, and how to read an answer."
    return Section("What this means", lead, f"<ul>{claims}</ul><p></p><ul>{verdicts}</ul>")


def _scores(report: EnrollmentReport) -> list[Section]:
    if not report.own_scores.size or not report.stranger_scores.size:
        return []
    title = "Scores"
    lead = (
        "Every photo was scored by a neuron that had not seen its session; the strangers, of any "
        "sex and age, are others than those it learned from. Nothing here is an augmented copy."
    )
    chart = score_chart(
        "Scores of the person and of strangers",
        report.own_scores,
        report.stranger_scores,
        threshold=report.threshold,
        reject=report.reject,
    )
    curve = det(report.own_scores, report.stranger_scores)
    here = ("threshold", *_rates(report))
    words = (
        "<p>Each point of the curve is a threshold that could be set: a stricter one lets fewer "
        "strangers through and misses more of the person's own photos. The dot is the threshold "
        "in use. These are strangers of any sex and age: of those like the person more pass, as "
        "said above.</p>"
        f"<p>One photo is {_percent(1 / report.own_scores.size)} of the vertical axis and one "
        f"stranger {_percent(1 / report.stranger_scores.size)} of the horizontal one, hence the "
        "steps.</p>"
    )
    trade = figure(det_chart("Error trade-off", [("held-out photos", curve)], [here]))
    return [
        Section(title, lead, figure(chart, wide=True)),
        Section(
            "Which errors against which", "", f'<div class="side">{trade}<div>{words}</div></div>'
        ),
    ]


def _rates(report: EnrollmentReport) -> tuple[float, float]:
    """FMR and FNMR of these very scores at the threshold."""
    passed = float((report.stranger_scores >= report.threshold).mean())
    return passed, float((report.own_scores < report.threshold).mean())


def _percent(rate: float) -> str:
    if math.isnan(rate):
        return "unknown"
    return f"{100 * rate:.2g} %" if 0 < rate < 0.01 else f"{100 * rate:.1f} %"


def _between(interval: Interval) -> str:
    low, high = interval
    return f"95 % interval {_percent(low).removesuffix(' %')} to {_percent(high)}"


# The photos of an enrolment on its page: used, refused, and how good they are.


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
    crop: UInt8 | None = None
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
