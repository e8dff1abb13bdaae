"""The page of a run over classes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from facekit.evaluation.measures import answer_reliability, class_intervals, class_metrics
from facekit.evaluation.weighted import WeightedClasses
from facekit.report.page import Thumbnail
from facekit.report.record import Measured, Origin
from facekit.report.run import RunReport, run_page

NAMES = ("angry", "disgust", "fear", "happy_face")
_VOID = {"meta", "img"}


class _Balance(HTMLParser):
    """Tags that are not closed in order."""

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


def check(html: str) -> set[str]:
    parser = _Balance()
    parser.feed(html)
    assert not parser.wrong and not parser.open
    assert not parser.seen & {"script", "link", "iframe", "object", "form"}
    assert not re.search(r"url\(|@import|src=\"(?!data:)|https?://", html)
    assert "nan" not in re.sub(r"base64,[^\"]+", "", html)
    return parser.seen


def report(names: tuple[str, ...] = NAMES, **changes: object) -> RunReport:
    rng = np.random.default_rng(0)
    k = len(names)
    labels = rng.integers(0, k - 1, 40 * k)  # the last class has no image
    chance = rng.random((labels.size, k)) + 0.5 * np.eye(k)[labels]
    chance /= chance.sum(1, keepdims=True)
    prepared = WeightedClasses(labels, chance)
    given: dict[str, object] = {
        "title": "fer-frozen",
        "subtitle": "emotions on drawn faces",
        "measured": Measured(
            class_metrics(prepared, names),
            class_intervals(prepared, groups=np.arange(labels.size) // 4, rounds=20),
            {},
        ),
        "reliability": answer_reliability(labels, chance),
    }
    return RunReport(**{**given, **changes})  # type: ignore[arg-type]


def test_a_full_page_is_whole_and_loads_nothing() -> None:
    html = run_page(
        report(
            facts={"rung": "frozen", "parameters": "3,601,120"},
            mistakes=[Thumbnail(np.zeros((8, 8, 3), np.uint8), "fear", ("answered sad",))],
            recipe='name = "fer-frozen"',
            origin=Origin(
                "facekit evaluate fer --data DIR",
                {"backbone sha256": "ab" * 32},
                [
                    {"epoch": 1, "loss": 1.5, "val_loss": 1.6, "val_accuracy": 0.4, "seconds": 1},
                    {"epoch": 2, "loss": 1.1, "val_loss": 1.3, "val_accuracy": 0.5, "odd": 2.0},
                ],
            ),
        )
    )
    check(html)
    for text in (
        "Accuracy", "Macro F1", "majority baseline", "Every class", "What is taken for what",
        "Greatest confusions:", " answered as ", "Are the probabilities right?", "of these, right",
        "Most confident mistakes", "answered sad", "frozen", "ab" * 32, "Resolved recipe",
        "facekit evaluate fer --data DIR", "happy face", "no image of this class",
        "from 20 bootstrap redraws of 40 people", "<figcaption>Odd</figcaption>", "2 epochs.",
    ):  # fmt: skip
        assert text in html, text


def test_parts_that_are_empty_are_left_out() -> None:
    html = run_page(report())
    check(html)
    for title in ("The model", "Training", "Most confident", "Where this comes from", "Resolved"):
        assert f"<h2>{title}" not in html


def test_headline_numbers_are_the_measured_ones() -> None:
    given = report()
    html = run_page(given)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "ece"):
        low, high = given.measured.intervals.means[name]
        assert f"<strong>{100 * given.measured.metrics.means[name]:.1f} %</strong>" in html
        assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in html


def test_classes_are_sorted_by_f1_and_one_without_images_comes_last() -> None:
    given = report()
    html = run_page(given)
    chart = html[html.index("<h2>Every class") : html.index("<h2>What is taken")]
    names = re.findall(r'class="name" text-anchor="end">([^<]+)<', chart)
    f1 = dict(zip(NAMES, given.measured.metrics.each[2], strict=True))
    values = [f1[name.replace(" ", "_")] for name in names]
    assert len(values) == 4 and np.isnan(values[-1])
    assert values[:-1] == sorted(values[:-1], reverse=True)


def test_many_classes_and_names_from_outside_do_no_harm() -> None:
    names = tuple(f"<i>{i}</i>" for i in range(40))
    html = run_page(report(names))
    assert "i" not in check(html)
    assert "&lt;i&gt;3&lt;/i&gt;" in html
    check(run_page(report(names[:20])))
