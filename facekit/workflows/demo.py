"""The whole way on drawn faces: draw, pretrain, measure, predict, report."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.errors import MissingExtraError, UsageError

__all__ = ["DemoResult", "demo"]

#: Enough for glasses, hats, hair and smiles to be learnt in a minute or two.
_PEOPLE: Final = 80
_PHOTOS: Final = 12
_SCENES: Final = 6


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
        people: How many people are drawn, 12 photos each.
        say: Called with one line before every step.

    Returns:
        Where everything is.

    Raises:
        UsageError: The folder holds something.
        MissingExtraError: The extra ``train`` is not installed.
    """
    folder, start = Path(out), time.perf_counter()
    _require_training()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder with --out")
    folder.mkdir(parents=True, exist_ok=True)

    say(f"drawing {people} people, {_PHOTOS} photos each")
    data = _draw(folder / "celeba", people)
    say("training a tiny backbone on them")
    bundle = _train(data, folder / "run", overrides)
    say("measuring it on people it has not seen")
    record = _measure(data, bundle, folder / "evaluation.json")
    say(f"predicting on {_SCENES} drawn scenes")
    scenes = _draw_scenes(folder / "scenes", people)
    records, pictures = _predict(bundle, scenes, folder)
    report = _report(folder, record, pictures)
    seconds = round(time.perf_counter() - start, 1)
    return DemoResult(
        folder, report, bundle, folder / "predicted", records, record["metrics"], seconds
    )


def _require_training() -> None:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "train", "`facekit predict` runs without it")


def _draw(folder: Path, people: int) -> Path:
    from facekit.datasets.cartoon import draw_celeba
    from facekit.report.progress import progress_bar

    with progress_bar("drawing", people * _PHOTOS) as tick:
        return draw_celeba(folder, people=people, photos=_PHOTOS, progress=tick)


def _train(data: Path, run: Path, overrides: tuple[str, ...]) -> Path:
    from facekit.workflows.pretrain import pretrain

    result = pretrain(data, recipe="demo", overrides=overrides, out=run)
    if result.bundle is None:
        raise UsageError(f"the run in {run} has not finished: go on with facekit pretrain --resume")
    return result.bundle


def _measure(data: Path, bundle: Path, target: Path) -> dict[str, Any]:
    from facekit.report.record import write_json
    from facekit.workflows.evaluate import evaluate_celeba

    record = evaluate_celeba(data, split="test", model=bundle)
    write_json(target, record)
    return record


def _draw_scenes(folder: Path, people: int) -> list[Path]:
    """Scenes of one to three people who are not in the drawn CelebA."""
    import cv2

    from facekit.atomic import write_atomically
    from facekit.datasets.cartoon import draw_scene, make_person

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
) -> tuple[list[dict[str, Any]], list[NDArray[np.uint8]]]:
    """Records of the scenes, and the scenes with boxes and labels; both are kept as files."""
    import json

    from facekit.atomic import write_atomically
    from facekit.crops.decode import decode
    from facekit.predict import load
    from facekit.report.annotate import draw_faces, save_beside

    records = [analysis.record() for analysis in load(bundle).analyze_many(scenes)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_atomically(folder / "predicted.jsonl", lines)
    pictures = [
        draw_faces(decode(path), record["faces"])
        for path, record in zip(scenes, records, strict=True)
    ]
    for path, picture in zip(scenes, pictures, strict=True):
        save_beside(picture, folder / "predicted", path.name)
    return records, pictures


def _report(folder: Path, record: dict[str, Any], pictures: list[NDArray[np.uint8]]) -> Path:
    """One page: the figures, the scenes, and where the rest is."""
    from facekit.report.page import Section, Thumbnail, document, pairs, preformatted, thumbnails
    from facekit.report.page import table, write_page

    metrics, ranges = record["metrics"], record["intervals"]
    rows = [(name, _number(metrics[name]), _range(ranges.get(name))) for name in metrics]
    each = record["per_attribute"]
    gains = sorted(each, key=lambda name: _gain(each[name]), reverse=True)[:12]
    learnt = [(n, _number(each[n]["accuracy"]), _number(each[n]["majority"])) for n in gains]
    scenes = [Thumbnail(picture, f"scene {i + 1}") for i, picture in enumerate(pictures)]
    sections = [
        Section("Scenes", "People that training never saw, found and read.", thumbnails(scenes)),
        Section(
            "Measured",
            f"40 attributes on {record['n']} photos of people held back, with 95 % intervals.",
            table(("metric", "value", "interval"), rows),
        ),
        Section(
            "Learnt best",
            "Accuracy beside always saying what most training photos say.",
            table(("attribute", "accuracy", "majority"), learnt),
        ),
        Section("Files", "All inside this folder.", pairs(_FILES)),
        Section("Next", "The same with photographs.", preformatted(_NEXT)),
    ]
    html = document("facekit demo", "Drawn faces from end to end; no photograph is involved.", sections)
    write_page(folder / "report.html", html)
    return folder / "report.html"
