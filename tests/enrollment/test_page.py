"""Facts and page of an enrolment say the same of the same photos."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facekit.enrollment.fit import Fitted
from facekit.enrollment.page import render_enrollment
from facekit.enrollment.person import Enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.rates import Fnmr
from facekit.enrollment.split_comparison import Measured, Splits
from facekit.enrollment.store import collect_facts
from facekit.evaluation.claim import Claim, Passed
from facekit.photos.quality import FaceQuality

NOTHING = Fnmr(float("nan"), (0.0, 1.0), 0, 0, 0)
CROP = np.full((8, 8, 3), 90, np.uint8)
QUALITY = FaceQuality(41.0, 0.6, 0.4, 30.0, 12.0)
EARLIER = (
    {"file": "old.jpg", "used": True, "code": "", "reason": "", "session": 5, "box": None,
     "eye_distance": 30.0},
    {"file": "bad.jpg", "used": False, "code": "no_face", "reason": "no face was found",
     "session": None, "box": None, "eye_distance": None},
)  # fmt: skip


@pytest.fixture
def photos() -> list[Photo]:
    """Two used, one refused; overrides the arrays of the other tests."""
    shared: dict[str, Any] = {"crop": CROP, "box": (1, 2, 3, 4), "eye_distance": 41.0}
    return [
        Photo(path="/home/x/a.jpg", used=True, session=0, quality=QUALITY, **shared),
        Photo(path="b\udcff.jpg", code="blurred", reason="blurred b\udcff", **shared),
        Photo(path="c.jpg", used=True, session=1, quality=QUALITY, **shared),
    ]


@pytest.fixture
def fitted(make) -> Fitted:
    passed = (Passed("men", 1, 300, (0.0, 0.02)), Passed("women", 0, 0, (0.0, 1.0)))
    claim = Claim(
        threshold=1.0, fmr=0.01, interval=(0.002, 0.03), strangers=300, supported=True,
        passed=passed, words=("FMR 1 %: 1 of 300 men pass",),
    )  # fmt: skip
    return Fitted(
        head=make().head, reject=0.5, platt=np.array([2.0, -1.0]), claim=claim,
        fnmr=Fnmr(1 / 3, (0.01, 0.9), 1, 3, 2), sessions=2,
        own_scores=np.array([3.0, 0.7, 2.0]), stranger_scores=np.linspace(-9, 1.5, 50),
        slices=passed, words=["FMR 1 %: 1 of 300 men pass", "FNMR 33 %"],
    )  # fmt: skip


def test_facts_are_json_without_folders_pictures_or_vectors(photos, fitted: Fitted) -> None:
    facts = collect_facts(photos, fitted, sessions=[0, 1])
    text = json.dumps(facts, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert "/home" not in text
    assert (facts["photos_used"], facts["photos_refused"], facts["sessions"]) == (2, 1, 2)
    assert facts["claim"]["fmr"] == 0.01 and facts["claim"]["supported"] is True
    assert facts["fnmr"] == {
        "value": pytest.approx(1 / 3), "interval": [0.01, 0.9], "errors": 1, "photos": 3,
    }  # fmt: skip
    assert facts["slices"][0] == {"who": "men", "strangers": 300, "passed": 1}
    assert [row["file"] for row in facts["photos"]] == ["a.jpg", "b?.jpg", "c.jpg"]
    assert facts["photos"][1] == {
        "file": "b?.jpg", "used": False, "code": "blurred", "reason": "blurred b?",
        "session": None, "box": [1, 2, 3, 4], "eye_distance": 41.0,
    }  # fmt: skip


def test_photos_added_follow_those_that_were_there(photos, fitted: Fitted) -> None:
    facts = collect_facts(photos, fitted, sessions=[7, 7, 8], earlier=EARLIER)
    rows = [(row["file"], row["used"], row["session"]) for row in facts["photos"]]
    assert rows == [
        ("old.jpg", True, 7), ("bad.jpg", False, None), ("a.jpg", True, 7),
        ("b?.jpg", False, None), ("c.jpg", True, 8),
    ]  # fmt: skip
    assert EARLIER[0]["session"] == 5, "the earlier facts are not touched"
    assert (facts["photos_used"], facts["photos_refused"]) == (3, 2)
    with pytest.raises(ValueError, match="zip"):
        collect_facts(photos, fitted, sessions=[0], earlier=EARLIER)


def test_rates_that_nobody_knows_are_null(photos, fitted: Fitted) -> None:
    alone = replace(fitted, fnmr=NOTHING, own_scores=np.zeros(0))
    facts = collect_facts(photos, alone, sessions=[0, 0])
    assert facts["fnmr"]["value"] is None


@pytest.fixture
def enrolled(make, photos, fitted: Fitted) -> Enrollment:
    return make(facts=collect_facts(photos, fitted, sessions=[0, 0, 1], earlier=EARLIER))


def test_the_page_gives_each_used_photo_its_own_score(enrolled, photos, fitted: Fitted) -> None:
    html = render_enrollment(enrolled, photos, fitted, pictures=True, command="facekit enroll x")
    for words in (
        "old.jpg: session 1; held out: 3.00, yes",  # its picture was not kept
        "held out: 0.70, unsure", "held out: 2.00, yes", "3 of 5", "bad.jpg: no face was found",
        "FNMR 33 %", "0.60", "facekit enroll x", "1 of 300 men pass", "tiny",
    ):  # fmt: skip
        assert words in html, words
    assert html.count("data:image/jpeg") == 3
    assert ">women<" not in html, "a slice without strangers says nothing"
    assert html.index("a.jpg") < html.index("held out: 0.70") < html.index("held out: 2.00")


def test_two_ways_to_test_stand_side_by_side(make, photos, fitted: Fitted) -> None:
    leaky = Measured(0.99, 0.0, 0.02, 0.999, 0.01, 0.008, 400, 20, 20, 500)
    nothing = float("nan")
    honest = Measured(nothing, nothing, 0.03, nothing, nothing, 0.01, 0, 0, 0, 3000)
    both = replace(fitted, splits=Splits(leaky, honest, 0.01))
    facts = collect_facts(photos, both, sessions=[0, 0])
    assert facts["splits"]["leaky"]["auc"] == 0.999 and facts["splits"]["honest"]["auc"] is None
    json.dumps(facts, allow_nan=False)
    html = render_enrollment(make(facts=facts), photos, both, pictures=False)
    assert html.count("Two ways to test") == 1
    for row in (("right at a probability of 0.5", "99.0 %", "unknown"), ("AUC", "0.999", "unknown"),
                ("of which other copies taught", "20", "0"), ("strangers, tested", "500", "3,000"),
                ("own missed at FMR 1 %", "1.0 %", "unknown")):  # fmt: skip
        cells = "".join(f"<td>{cell}</td>" for cell in row[1:])
        assert f'<th scope="row">{row[0]}</th>{cells}' in html, row
    plain = collect_facts(photos, fitted, sessions=[0, 0])
    assert "splits" not in plain
    assert "Two ways" not in render_enrollment(make(facts=plain), photos, fitted, pictures=False)


def test_without_pictures_no_face_is_on_the_page(enrolled, photos, fitted: Fitted) -> None:
    sheet = np.zeros((9, 9, 3), np.uint8)
    html = render_enrollment(enrolled, photos, fitted, pictures=False, sheet=sheet)
    assert "data:image" not in html and "a.jpg" in html
    shown = render_enrollment(enrolled, photos, fitted, pictures=True, sheet=sheet)
    assert shown.count("data:image") == 4
