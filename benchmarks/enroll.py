"""``python -m benchmarks enroll``: seconds of an enrolment, against training the old way.

The project that facekit grew from sent 5,000 pictures of strangers and 200
augmented copies of each of 21 photos through the whole network in every epoch.
Here every face is embedded once. The same network runs both ways.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.lineup import list_photos
from benchmarks.old_way import compare_ways
from benchmarks.registry import BenchOptions
from facekit.bundle.load import find_bundle
from facekit.errors import DataError, FacekitError
from facekit.system.home import models_folder
from facekit.system.pool import cores

#: Photos when the user names no limit: as many as the first author had.
_LIMIT: Final = 21
_FEWEST: Final = 6  # one of them is added to the others
_ROUNDS: Final = 3
_COMMAND: Final = "from facekit.cli.app import main; main()"


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on a folder of photos of one person, or on drawn scenes.

    Args:
        options: Folder, model, number of photos at most, seed.

    Returns:
        As ``measure_enrollment``, and ``ways`` as ``compare_ways``.

    Raises:
        DataError: There are too few photos.
        FacekitError: A command failed.
    """
    limit = options.limit or _LIMIT
    with tempfile.TemporaryDirectory(prefix="facekit-bench-") as scratch:
        if options.data is None:
            photos = _draw(Path(scratch) / "photos", limit, options.seed)
        else:
            photos = list_photos(options.data)[:limit]
        if len(photos) < _FEWEST:
            raise DataError(
                f"{options.data} has {len(photos)} photos, {_FEWEST} or more are needed: "
                "give a folder of photos of one person"
            )
        record = measure_enrollment(photos, options.model, Path(scratch))
        return record | {"ways": compare_ways(photos, options.model)}


def measure_enrollment(
    photos: Sequence[Path], model: str | None, scratch: Path, *, rounds: int = _ROUNDS
) -> dict[str, Any]:
    """Time whole processes: all photos, and one photo added to the others.

    Args:
        photos: At least ``_FEWEST``.
        model: Bundle name or folder, None for the default.
        scratch: Folder for a home of their own; nobody's enrolments are touched.
        rounds: How often each is timed, in [1, inf).

    Returns:
        ``enroll_seconds`` and ``add_seconds`` (medians, Python's own start
        included), their runs, and how many photos were used.

    Raises:
        FacekitError: A command failed.
    """
    words = [] if model is None else ["--model", str(find_bundle(model).resolve())]
    whole, added, used = [], [], {}
    for number in range(rounds):
        home = _new_home(scratch / f"home{number}")
        seconds, record = _enroll(photos, [*words, "--name", "whole"], home)
        whole.append(seconds)
        _enroll(photos[:-1], [*words, "--name", "part"], home)
        seconds, more = _enroll(photos[-1:], [*words, "--name", "part", "--add"], home)
        added.append(seconds)
        used = {"photos_used": record["photos_used"], "photos_used_after_add": more["photos_used"]}
    return {
        "photos": len(photos),
        **used,
        "cores": cores(),
        "rounds": rounds,
        "enroll_seconds": round(statistics.median(whole), 2),
        "enroll_runs": [round(seconds, 2) for seconds in whole],
        "add_seconds": round(statistics.median(added), 2),
        "add_runs": [round(seconds, 2) for seconds in added],
    }


def render(record: dict[str, Any]) -> str:
    """Lines for people.

    Args:
        record: From ``run``.
    """
    ways = record["ways"]
    lines = [
        (
            f"{record['photos']} photos, {record['photos_used']} used, {record['cores']} core(s), "
            f"median of {record['rounds']}"
        ),
        f"facekit enroll         {_timed(record, 'enroll')}",
        f"facekit enroll --add   {_timed(record, 'add')}",
        (
            f"the old way, one epoch {ways['old_epoch_seconds']:8.1f} s  "
            f"({ways['old_images']:,} images through the network)"
        ),
    ]
    for way in ways["new"]:
        lines.append(
            f"embedded once, {way['copies']:>3} copies each: {way['embed_seconds']:.1f} s, fit "
            f"{way['fit_seconds']:.2f} s; one epoch takes {way['ratio_epoch']:.1f} times as long, "
            f"20 epochs {way['ratio_20_epochs']:.0f} times"
        )
    whole = 20 * ways["old_epoch_seconds"] / record["enroll_seconds"]
    lines.append(f"20 epochs of the old way take as long as {whole:.1f} whole enrolments")
    return "\n".join([*lines, ways["note"]])


def _timed(record: dict[str, Any], what: str) -> str:
    runs = record[f"{what}_runs"]
    return f"{record[f'{what}_seconds']:8.1f} s  ({min(runs):.1f} to {max(runs):.1f})"


def _new_home(home: Path) -> Path:
    """An empty home that knows the user's models and detector."""
    home.mkdir()
    if models_folder().is_dir():
        (home / "models").symlink_to(models_folder().resolve(), target_is_directory=True)
    return home


def _enroll(
    photos: Sequence[Path], words: Sequence[str], home: Path
) -> tuple[float, dict[str, Any]]:
    """Seconds of one ``facekit enroll`` as a process of its own, and its record."""
    command = [sys.executable, "-c", _COMMAND, "enroll", *map(str, photos), *words]
    environment = os.environ | {"FACEKIT_HOME": str(home)}
    begun = time.perf_counter()
    done = subprocess.run(
        [*command, "--yes", "--json"], capture_output=True, text=True, env=environment, check=False
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise FacekitError(f"facekit enroll failed: {done.stderr.strip()[-300:]}")
    return seconds, json.loads(done.stdout)


def _draw(folder: Path, count: int, seed: int) -> list[Path]:
    """Photos of one drawn person, each in another scene."""
    import cv2
    import numpy as np

    from facekit.cartoon import draw_scene, make_person

    folder.mkdir()
    photos = []
    for i in range(count):
        scene = draw_scene([make_person(seed, 0)], np.random.default_rng([seed, i]))
        photos.append(folder / f"{i:03}.jpg")
        cv2.imwrite(str(photos[-1]), scene.image[:, :, ::-1])
    return photos
