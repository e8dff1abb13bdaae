"""The whole way on drawn faces: draw, pretrain, measure, predict, report."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.errors import UsageError
from facekit.report.page import Section, document, figure, pairs, preformatted, table, write_page
from facekit.system.files import write_atomically
from facekit.system.home import caches_in
from facekit.training.backend import require_backend

#: Many people with few photos each: most attributes belong to the person.
_PEOPLE: Final = 160
_PHOTOS: Final = 6
_SCENES: Final = 6
#: Crops lie in the demo's own folder: who deletes it has deleted everything.
_CACHE: Final = "cache"


@dataclass(frozen=True)
class DemoResult:
    """What the demo left behind.

    Attributes:
        folder: Everything is in here.
        report: The page to open.
        bundle: The tiny model.
        pictures: Folder of scenes with boxes and labels.
        records: One record for every scene, as ``facekit predict`` gives them.
        metrics: Measured on the drawn people that training never saw.
        seconds: How long it took.
    """

    folder: Path
    report: Path
    bundle: Path
    pictures: Path
    records: list[dict[str, Any]]
    metrics: dict[str, float]
    seconds: float


def demo(
    out: Path | str = "facekit-demo",
    *,
    overrides: tuple[str, ...] = (),
    people: int = _PEOPLE,
    say: Callable[[str], None] = lambda line: None,
) -> DemoResult:
    """Run facekit from end to end without data and without network.

    Args:
        out: New or empty folder.
        overrides: ``key=value`` texts that change the recipe ``demo``.
        people: How many people are drawn, 6 photos each.
        say: Called with one line before every step.

    Returns:
        Where everything is.

    Raises:
        UsageError: The folder holds something.
        MissingExtraError: The extra ``train`` is not installed.
    """
    folder, start = Path(out), time.perf_counter()
    _require_empty(folder)
    require_backend()
    folder.mkdir(parents=True, exist_ok=True)
    say(f"drawing {people} people, {_PHOTOS} photos each")
    data = _draw(folder / "celeba", people)
    with caches_in(folder / _CACHE):
        say("training a tiny backbone on them")
        bundle = _train(data, folder, overrides)
        say("measuring it on people it has not seen")
        record = _measure(data, bundle, folder)
    say(f"predicting on {_SCENES} drawn scenes")
    scenes = _draw_scenes(folder / "scenes", people)
    records, pictures = _predict(bundle, scenes, folder)
    seconds = round(time.perf_counter() - start, 1)
    named = [(path.stem, picture) for path, picture in zip(scenes, pictures, strict=True)]
    report = folder / "report.html"
    write_page(report, demo_page(record, named, seconds))
    metrics = record["metrics"]
    return DemoResult(folder, report, bundle, folder / "predicted", records, metrics, seconds)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder with --out")


def _draw(folder: Path, people: int) -> Path:
    from facekit.cartoon import draw_celeba
    from facekit.system.terminal import progress_bar

    with progress_bar("drawing", people * _PHOTOS) as tick:
        return draw_celeba(folder, people=people, photos=_PHOTOS, progress=tick)


def _train(data: Path, folder: Path, overrides: tuple[str, ...]) -> Path:
    from facekit.workflows.pretrain.run import pretrain

    result = pretrain(data, recipe="demo", overrides=overrides, out=folder / "run")
    if result.bundle is None:
        raise UsageError(
            f"the run in {result.run} has not finished: go on with facekit pretrain --resume"
        )
    return result.bundle


def _measure(data: Path, bundle: Path, folder: Path) -> dict[str, Any]:
    from facekit.report.record import write_json
    from facekit.workflows.evaluate.run import evaluate

    record = evaluate("celeba", data, model=bundle).record()
    write_json(folder / "evaluation.json", record)
    return record


def _draw_scenes(folder: Path, people: int) -> list[Path]:
    """Scenes of one to three people who are not in the drawn CelebA."""
    from facekit.cartoon import draw_scene, make_person

    folder.mkdir()
    paths = []
    for number in range(_SCENES):
        first = people + 3 * number
        crowd = [make_person(0, first + i) for i in range(1 + number % 3)]
        scene = draw_scene(crowd, np.random.default_rng([number, 4]))
        _, data = cv2.imencode(".jpg", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
        paths.append(folder / f"scene{number + 1}.jpg")
        write_atomically(paths[-1], data.tobytes())
    return paths


def _predict(
    bundle: Path, scenes: list[Path], folder: Path
) -> tuple[list[dict[str, Any]], list[UInt8]]:
    """Records of the scenes, and the scenes with boxes and labels; both are kept as files."""
    from facekit.photos.image import decode
    from facekit.predict import load
    from facekit.report.annotate import draw_faces, save_beside

    records = [
        analysis.record() for analysis in load(bundle, identities="none").analyze_many(scenes)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_atomically(folder / "predicted.jsonl", lines)
    pictures = [
        draw_faces(decode(path), record["faces"])
        for path, record in zip(scenes, records, strict=True)
    ]
    for path, picture in zip(scenes, pictures, strict=True):
        save_beside(picture, folder / "predicted", path.name)
    return records, pictures


# The page that ``facekit demo`` leaves.

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
