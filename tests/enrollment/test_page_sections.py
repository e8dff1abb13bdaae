"""The page of an enrolment: numbers, words, pictures, and nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from facekit.enrollment.fit import Fitted
from facekit.enrollment.page import render_enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.rates import Fnmr
from facekit.enrollment.store import collect_facts
from facekit.evaluation.claim import Claim, Passed
from facekit.photos.quality import FaceQuality

EVIL = "<script>x</script>"
CROP = np.full((8, 8, 3), 120, np.uint8)
SHEET = np.zeros((20, 60, 3), np.uint8)
QUALITY = FaceQuality(40.0, 0.5, 0.4, 30.0, 12.0)
PHOTOS = (
    Photo(path="a.jpg", used=True, crop=CROP, quality=QUALITY),
    Photo(path="b.jpg", used=True, crop=CROP),
    Photo(path="c.jpg", code="blurred", reason="too blurred", crop=CROP, quality=QUALITY),
    Photo(path="d.jpg", code="no_face", reason="no face was found"),
)
Show = Callable[..., str]


@pytest.fixture
def fitted(make) -> Fitted:
    """Two photos of two sessions, one of them refused; 400 strangers alike."""
    claim = Claim(
        threshold=1.0, fmr=0.01, interval=(0.003, 0.025), strangers=400, supported=True,
        passed=(), words=(),
    )  # fmt: skip
    return Fitted(
        head=make().head, reject=0.0, platt=np.array([2.0, -1.0]), claim=claim,
        fnmr=Fnmr(0.5, (0.013, 0.987), 1, 2, 2), sessions=2, own_scores=np.array([4.0, 0.5]),
        stranger_scores=np.append(np.random.default_rng(0).normal(-6, 1, 399), 1.5), slices=(),
        words=["1 % of strangers pass.", "0.1 % cannot be claimed."],
    )  # fmt: skip


@pytest.fixture
def show(make, fitted: Fitted) -> Show:
    """``show(photos, fnmr=..., pictures=False)``: the page, with changes to what was fitted."""

    def page(photos: tuple[Photo, ...] = PHOTOS, **changes: Any) -> str:
        own = {key: changes.pop(key) for key in ("sheet", "command", "recipe") if key in changes}
        named = {key: changes.pop(key) for key in ("name", "bundle") if key in changes}
        pictures = changes.pop("pictures", True)
        told = replace(fitted, **changes)
        used = sum(photo.used for photo in photos)
        facts = collect_facts(photos, told, sessions=range(used))
        enrolled = make(reject=told.reject, facts=facts, **named)
        return render_enrollment(enrolled, photos, told, pictures=pictures, **own)

    return page


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


def test_numbers_and_words_are_on_the_page(show: Show) -> None:
    html = show()
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


def test_the_page_loads_nothing(show: Show) -> None:
    html = show(sheet=SHEET)
    assert not Tags(html).seen & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|url\(|@import|src=\"(?!data:)", html)


def test_what_is_empty_is_left_out(show: Show) -> None:
    html = show()
    for title in ("Augmented samples", "Who is taken", "facekit enroll", "Resolved"):
        assert title not in html
    page = show(
        sheet=SHEET,
        slices=(Passed("with glasses", 1, 31, (0.0, 0.1)),),
        command="facekit enroll myphotos/",
        recipe="kind",
    )
    for title in ("Augmented samples", "Who is taken", "facekit enroll", "Resolved"):
        assert title in page
    page = show((), own_scores=np.zeros(0), fnmr=Fnmr(float("nan"), (0.0, 1.0), 0, 0, 0))
    assert "<h2>Scores" not in page and "Photos used:" not in page and "unknown" in page
    assert "<strong>none held out</strong>" in page


def test_without_pictures_there_are_none(show: Show) -> None:
    html = show(pictures=False, sheet=SHEET)
    assert "data:image" not in html
    assert "a.jpg: session 1; held out: 4.00, yes" in html


def test_without_an_unsure_band_the_page_says_so(show: Show) -> None:
    assert "is never said" not in show()
    assert "is never said" in show(reject=1.0)


def test_an_unsupported_claim_says_so(show: Show, fitted: Fitted) -> None:
    few = show(claim=replace(fitted.claim, supported=False))
    none = show(claim=replace(fitted.claim, supported=False, interval=(0.003, 1.0)))
    assert "too few strangers to claim it" in few and "too few strangers" not in none
    assert "no claim for people in photos from elsewhere" in none


def test_text_from_outside_cannot_become_markup(show: Show) -> None:
    photos = tuple(
        Photo(path=EVIL, used=used, reason=EVIL, crop=crop, quality=QUALITY)
        for used in (True, False)
        for crop in (CROP, None)
    )
    slices = (Passed(EVIL, 1, 2, (0.0, 1.0)),)
    more = {"command": EVIL, "recipe": EVIL, "name": EVIL, "bundle": EVIL}
    html = show(photos, words=[EVIL], slices=slices, **more)
    assert "script" not in Tags(html).seen
