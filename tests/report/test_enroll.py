"""The page of an enrolment: numbers, words, pictures, and nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from facekit.report.charts import det_chart, score_chart
from facekit.report.enroll import EnrollmentReport, PhotoRow, enrollment_page

EVIL = "<script>x</script>"
CROP = np.full((8, 8, 3), 120, np.uint8)


@pytest.fixture
def report() -> EnrollmentReport:
    rng = np.random.default_rng(0)
    measures = {"eyes, px": "40", "sharpness": "0.5"}
    photos = (
        PhotoRow("a.jpg", True, crop=CROP, session=0, score=4.0, verdict="yes", measures=measures),
        PhotoRow("b.jpg", True, crop=CROP, session=1, score=0.5, verdict="unsure"),
        PhotoRow("c.jpg", False, "too blurred", crop=CROP, measures=measures),
        PhotoRow("d.jpg", False, "no face was found"),
    )
    return EnrollmentReport(
        name="me",
        subtitle="celeba-compact",
        photos=photos,
        sessions=2,
        words=("1 % of strangers pass.", "0.1 % cannot be claimed."),
        fmr=0.01,
        fmr_interval=(0.003, 0.025),
        strangers=400,
        fnmr=0.5,
        fnmr_interval=(0.013, 0.987),
        own_scores=np.array([4.0, 0.5]),
        stranger_scores=np.append(rng.normal(-6, 1, 399), 1.5),
        threshold=1.0,
        reject=0.0,
    )


class Tags(HTMLParser):
    """Every tag of a page, checked for nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_numbers_and_words_are_on_the_page(report: EnrollmentReport) -> None:
    html = enrollment_page(report)
    Tags(html)
    for words in (
        "Enrolled: me", "2 of 4", "2 sessions", "<strong>1.0 %</strong>",
        "95 % interval 0.3 to 2.5 %", "400 strangers alike, claimed", "<strong>50.0 %</strong>",
        "95 % interval 1.3 to 98.7 %", "<strong>1 of 2</strong>", "unsure 1, no 0",
        "1 % of strangers pass.", "0.1 % cannot be claimed.", "Photos used: 2",
        "Photos refused: 2", "too blurred", "d.jpg: no face was found", "held out: 0.50, unsure",
        "yes from 1.00", "no below 0.00", "Quality of the faces", "facekit forget me",
        "Biometric data",
    ):  # fmt: skip
        assert words in html, words
    assert html.count("data:image/jpeg") == 3


def test_the_page_loads_nothing(report: EnrollmentReport) -> None:
    html = enrollment_page(replace(report, sheet=np.zeros((20, 60, 3), np.uint8)))
    assert not Tags(html).seen & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|url\(|@import|src=\"(?!data:)", html)


def test_what_is_empty_is_left_out(report: EnrollmentReport) -> None:
    html = enrollment_page(report)
    for title in ("Augmented samples", "Who is taken", "Where this comes from", "Resolved"):
        assert title not in html
    full = replace(
        report,
        sheet=np.zeros((20, 60, 3), np.uint8),
        slices=(("with glasses", "31", "1", "3.2 %"),),
        command="facekit enroll myphotos/",
        recipe="kind",
    )
    page = enrollment_page(full)
    for title in ("Augmented samples", "Who is taken", "Where this comes from", "Resolved"):
        assert title in page
    bare = replace(report, photos=(), own_scores=np.zeros(0), fnmr=np.nan)
    page = enrollment_page(bare)
    assert "<h2>Scores" not in page and "Photos used:" not in page and "unknown" in page
    assert "<strong>none held out</strong>" in page


def test_without_pictures_there_are_none(report: EnrollmentReport) -> None:
    photos = [replace(photo, crop=None) for photo in report.photos]
    html = enrollment_page(replace(report, photos=photos))
    assert "data:image" not in html
    assert "a.jpg: session 1; held out: 4.00, yes" in html


def test_without_an_unsure_band_the_page_says_so(report: EnrollmentReport) -> None:
    assert "is never said" not in enrollment_page(report)
    assert "is never said" in enrollment_page(replace(report, reject=1.0))


def test_an_unsupported_claim_says_so(report: EnrollmentReport) -> None:
    assert "too few strangers to claim it" in enrollment_page(replace(report, supported=False))


def test_text_from_outside_cannot_become_markup(report: EnrollmentReport) -> None:
    photos = [
        PhotoRow(EVIL, used, EVIL, crop, measures={EVIL: EVIL})
        for used in (True, False)
        for crop in (CROP, None)
    ]
    more = {"words": (EVIL,), "subtitle": EVIL, "name": EVIL, "slices": ((EVIL,) * 4,)}
    html = enrollment_page(replace(report, photos=photos, **more))  # type: ignore[arg-type]
    assert "script" not in Tags(html).seen


def colours(svg: str, kind: str) -> list[str]:
    return re.findall(rf'class="{kind} ?(\w+)"', svg)


def test_dots_and_bars_are_coloured_by_the_verdict() -> None:
    own = np.array([3.0, 2.0, 0.7, -1.0])
    strangers = np.array([-5.0, -4.0, 0.2, 1.0, 1.2])
    svg = score_chart("t", own, strangers, threshold=1.0, reject=0.5)
    assert sorted(colours(svg, "dot")) == ["a", "a", "b", "c"]
    tips = re.findall(r"<title>(\d) strangers from ([-\d.]+) to", svg)
    let_through = sum(int(n) for n, low in tips if float(low) >= 1.0)
    assert let_through == 2, "a bar begins at the threshold"
    assert sum(int(n) for n, _ in tips) == 5


@pytest.mark.parametrize("own", [[2.0], [2.0] * 40, [-3.0, 9.0]])
@pytest.mark.parametrize(("threshold", "reject"), [(1.0, 0.0), (1.0, 1.0), (1.0, 3.0), (9.0, -9.0)])
def test_odd_scores_are_drawn_inside_the_picture(
    own: list[float], threshold: float, reject: float
) -> None:
    svg = score_chart("t", np.array(own), np.full(3, -1.0), threshold=threshold, reject=reject)
    heights = [float(y) for y in re.findall(r'cy="([-\d.]+)"', svg)]
    places = [float(x) for x in re.findall(r' c?x="([-\d.]+)"', svg)]
    assert min(heights) > 20 and max(places) < 900 and min(places) >= 10
    assert "nan" not in svg
    assert ("unsure" in svg) == (reject < threshold)


def test_the_det_chart_marks_a_point() -> None:
    from facekit.evaluation.verification import det

    curve = det([1.0, 2.0], [0.0, 1.5])
    plain = det_chart("t", [("x", curve)])
    marked = det_chart("t", [("x", curve)], [("here", 0.0, 1.0)])
    assert 'class="dot b"' in marked and ">here<" in marked and 'class="dot b"' not in plain
    x, y = re.search(r'cx="([\d.]+)" cy="([\d.]+)"', marked).groups()  # type: ignore[union-attr]
    assert (float(x), float(y)) == (60, 30), "rates beyond the axes are drawn on the edge"


def test_a_rate_that_does_not_carry_over_is_not_called_claimed(report: EnrollmentReport) -> None:
    few = enrollment_page(replace(report, supported=False))
    none = enrollment_page(replace(report, supported=False, fmr_interval=(0.003, 1.0)))
    assert "too few strangers to claim it" in few and "too few strangers" not in none
    assert "no claim for people in photos from elsewhere" in none


def test_two_ways_to_test_are_a_table(report: EnrollmentReport) -> None:
    html = enrollment_page(replace(report, splits=[("AUC", "0.999", EVIL)]))
    assert "Two ways to test" in html and "0.999" in html and EVIL not in html
    assert Tags(html).seen and "Two ways to test" not in enrollment_page(report)
