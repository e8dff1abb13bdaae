"""The page is one file, loads nothing, runs nothing, and says what was measured."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.evaluation.calibration import reliability
from facekit.evaluation.measures import attribute_intervals, attribute_metrics
from facekit.evaluation.weighted import WeightedAttributes
from facekit.labels import ATTRIBUTES
from facekit.report.page import (
    Section,
    Thumbnail,
    document,
    pairs,
    preformatted,
    table,
    thumbnails,
    write_page,
)
from facekit.report.record import Measured, Origin
from facekit.report.run import RunReport, run_page

_VOID = {"meta", "img", "link", "br", "hr", "input"}


class _Balance(HTMLParser):
    """Collects tags and finds the ones that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def _check(html: str) -> set[str]:
    parser = _Balance()
    parser.feed(html)
    assert not parser.wrong
    assert not parser.open
    return parser.seen


def _report(**changes: object) -> RunReport:
    rng = np.random.default_rng(0)
    chance = rng.random((80, 40))
    labels = (rng.random((80, 40)) < chance).astype(np.int8)
    labels[:, ATTRIBUTES.index("Bald")] = -1
    labels[:, ATTRIBUTES.index("Wearing_Hat")] = 0
    prepared = WeightedAttributes(labels, chance)
    given: dict[str, object] = {
        "title": "demo",
        "subtitle": "40 attributes on 80 cartoon faces",
        "measured": Measured(
            attribute_metrics(prepared),
            attribute_intervals(prepared, persons=np.arange(80) // 4, rounds=20),
            {},
        ),
        "reliability": reliability(labels, chance),
    }
    return RunReport(**{**given, **changes})  # type: ignore[arg-type]


def test_a_full_page_is_whole_and_loads_nothing() -> None:
    history = [
        {"epoch": 1, "lr": 1e-3, "loss": 0.9, "val_loss": 1.0, "mean_accuracy": 0.8, "seconds": 9,
         "identity_loss": 0.5, "val_identity_loss": 0.6, "identity_cosine": None, "note": "x"},
        {"epoch": 2, "lr": 1e-4, "loss": 0.7, "val_loss": 0.9, "mean_accuracy": 0.85,
         "identity_loss": 0.4, "val_identity_loss": 0.5, "identity_cosine": 0.3},
    ]  # fmt: skip
    html = run_page(
        _report(
            mistakes=[Thumbnail(np.zeros((8, 8, 3), np.uint8), "Young", ("said yes",))],
            recipe='name = "demo"',
            origin=Origin(
                "facekit evaluate celeba --data DIR", {"backbone sha256": "ab" * 32}, history
            ),
        )
    )
    seen = _check(html)
    assert not seen & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in html
    assert "http://" not in html
    assert "https://" not in html
    assert not re.search(r"url\(|@import|src=\"(?!data:)", html)
    for text in (
        "Mean accuracy", "majority baseline", "95 % interval", "Learning rate", "Identity loss",
        "Are the probabilities right?", "Most confident mistakes", "said yes", "ab" * 32,
        "facekit evaluate celeba --data DIR", "Resolved recipe",
        "over 39 of 40 attributes", "over 38 of 40 attributes", "no known label",
        "from 20 bootstrap redraws of people",
    ):  # fmt: skip
        assert text in html, text
    assert ">Seconds<" not in html
    assert "nan" not in re.sub(r"base64,[^\"]+", "", html)


def test_parts_that_are_empty_are_left_out() -> None:
    html = run_page(_report())
    _check(html)
    for title in ("Training", "Most confident mistakes", "Where this comes from", "Resolved"):
        assert f"<h2>{title}" not in html


def test_headline_numbers_are_the_measured_ones() -> None:
    report = _report()
    html = run_page(report)
    means, baselines = report.measured.metrics.means, report.measured.metrics.baselines
    for name in ("mean_accuracy", "balanced_accuracy", "average_precision", "ece"):
        low, high = report.measured.intervals.means[name]
        assert f"<strong>{100 * means[name]:.1f} %</strong>" in html
        assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in html
        assert f"majority baseline {100 * baselines[name]:.1f} %" in html


def test_bars_are_sorted_and_every_attribute_has_one() -> None:
    report = _report()
    names = re.findall(r'class="name" text-anchor="end">([^<]+)<', run_page(report))
    accuracy = dict(zip(ATTRIBUTES, report.measured.metrics.values[0], strict=True))
    values = [accuracy[name.replace(" ", "_")] for name in names]
    assert len(values) == 40
    assert np.isnan(values[-1])
    assert values[:-1] == sorted(values[:-1], reverse=True)


def test_text_from_outside_cannot_become_markup() -> None:
    evil = '<script>alert("x")</script>'
    html = document(
        evil,
        evil,
        [
            Section(evil, evil, pairs({evil: evil}) + preformatted(evil) + table([evil], [[evil]])),
            Section("", "", thumbnails([Thumbnail(np.zeros((2, 2, 3), np.uint8), evil, [evil])])),
        ],
        evil,
    )
    assert "script" not in _check(html)
    assert html.count("&lt;script&gt;") == 14


def test_thumbnails_keep_their_colours() -> None:
    crop = np.zeros((16, 16, 3), np.uint8)
    crop[..., 0] = 220  # red, in RGB
    html = thumbnails([Thumbnail(crop, "red")])
    data = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))  # type: ignore[union-attr]
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown.mean((0, 1)) == pytest.approx([220, 0, 0], abs=6)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_a_thumbnail_must_be_a_crop(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="thumbnail"):
        thumbnails([Thumbnail(bad, "x")])


def test_pages_are_utf8(tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", document("Zoë", "ü", []))
    text = (tmp_path / "report.html").read_text("utf-8")
    assert '<meta charset="utf-8">' in text
    assert "Zoë" in text
