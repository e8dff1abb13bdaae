"""The page that ``facekit demo`` leaves."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import cv2

from facekit.arrays import UInt8
from facekit.report.page import Section, document, figure, pairs, preformatted, table

_FILES: Final = {
    "celeba/": "the drawn data set, in CelebA's official layout",
    "run/": "recipe, metrics of every epoch, checkpoint, its own report.html",
    "run/bundle/": "the model: backbone, heads, manifest, card",
    "evaluation.json": "what `facekit evaluate celeba --json` prints",
    "scenes/, predicted/": "photos before and after",
    "predicted.jsonl": "one record for every scene",
}
_NEXT: Final = """\
facekit predict PHOTO
facekit pretrain celeba --data FOLDER
facekit evaluate celeba --data FOLDER"""
_BEST: Final = 12


def demo_page(
    record: Mapping[str, Any], scenes: Sequence[tuple[str, UInt8]], seconds: float
) -> str:
    """The page as HTML that needs nothing else.

    Args:
        record: From ``facekit evaluate``, on drawn people that training never saw.
        scenes: Names and uint8 RGB pictures (h, w, 3) with boxes and labels drawn.
        seconds: How long everything took.

    Returns:
        HTML, to be saved with ``write_page``.
    """
    pictures = "".join(figure(_image(picture, name), name) for name, picture in scenes)
    measured = f"40 attributes on {record['n']} pictures of people held back; 95 % intervals."
    sections = [
        Section(
            "Scenes",
            "People that training never saw: found, aligned, embedded once, read by the head.",
            f'<div class="figures">{pictures}</div>',
        ),
        Section("Measured", measured, _metrics(record)),
        Section(
            "Learnt best",
            "Accuracy beside always giving the answer that is most frequent in training.",
            _learnt(record["per_attribute"]),
        ),
        Section("Files", "All of this is in the folder of this page.", pairs(_FILES)),
        Section("Next", "The same with photographs.", preformatted(_NEXT)),
    ]
    subtitle = f"Drawn faces from end to end in {seconds:.0f} seconds; no photograph is involved."
    return document("facekit demo", subtitle, sections)


def _metrics(record: Mapping[str, Any]) -> str:
    rows = []
    for name, value in record["metrics"].items():
        ends = record["intervals"].get(name)
        between = f"{_text(ends[0])} to {_text(ends[1])}" if ends else ""
        rows.append((name.replace("_", " "), _text(value), between))
    return table(("metric", "value", "95 % interval"), rows)


def _learnt(each: Mapping[str, Mapping[str, Any]]) -> str:
    """The attributes that gained most over the majority answer."""

    def gain(name: str) -> float:
        accuracy, majority = each[name]["accuracy"], each[name]["majority_accuracy"]
        return -1.0 if accuracy is None or majority is None else accuracy - majority

    best = sorted(each, key=gain, reverse=True)[:_BEST]
    rows = [
        (
            name.replace("_", " "),
            _text(each[name]["accuracy"]),
            _text(each[name]["majority_accuracy"]),
        )
        for name in best
    ]
    return table(("attribute", "accuracy", "most frequent answer"), rows)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _image(picture: UInt8, name: str) -> str:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"{name} of shape {picture.shape} cannot be written as JPEG")
    text = base64.b64encode(data.tobytes()).decode("ascii")
    address = f"data:image/jpeg;base64,{text}"
    return f'<img style="width:100%" src="{address}" alt="{escape(name, quote=True)}">'
