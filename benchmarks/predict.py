"""``python -m benchmarks predict``: one photo from a cold start, and faces a second after it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.registry import BenchOptions
from facekit.errors import DataError, FacekitError
from facekit.predict import FaceModel, load
from facekit.system.pool import cores

#: Photos when the user names no limit.
_LIMIT: Final = 100
#: Cold starts; the median is reported.
_STARTS: Final = 5
_SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".webp"))
_COMMAND: Final = "from facekit.cli.app import main; main()"


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on the photos below ``options.data``, or on drawn scenes.

    Args:
        options: Folder, model, number of photos, seed.

    Returns:
        As ``measure_predict``.

    Raises:
        DataError: There is no photo.
    """
    limit = options.limit or _LIMIT
    with tempfile.TemporaryDirectory(prefix="facekit-bench-") as scratch:
        if options.data is None:
            photos = _draw(Path(scratch), min(limit, 24), options.seed)
        else:
            found = (p for p in options.data.rglob("*") if p.suffix.lower() in _SUFFIXES)
            photos = sorted(found)
            photos = photos[:: max(1, len(photos) // limit)][:limit]
        if not photos:
            raise DataError(f"{options.data} holds no photo ({', '.join(sorted(_SUFFIXES))})")
        return measure_predict(photos, options.model)


def measure_predict(
    photos: Sequence[Path],
    model: str | None = None,
    *,
    detector: str = "auto",
    starts: int = _STARTS,
) -> dict[str, Any]:
    """Time whole processes for one photo, then a warm model on all of them.

    Args:
        photos: At least one.
        model: Bundle name or folder, None for the default.
        detector: As for ``facekit.load``.
        starts: Cold starts in [1, inf).

    Returns:
        ``cold_start_seconds`` (median of processes that predict one photo,
        Python's own start included), ``cold_start_runs``, ``faces_per_second``
        and ``photos_per_second`` of a warm model, ``crops_per_second`` of the
        backbone with its heads alone, and what was measured on.

    Raises:
        FacekitError: The command failed.
    """
    runs = [_cold_start(photos[0], model, detector) for _ in range(starts)]
    warm = load(model, detector, identities="none")
    list(warm.analyze_many(photos[:2]))
    begun = time.perf_counter()
    found = list(warm.analyze_many(photos))
    seconds = time.perf_counter() - begun
    faces = sum(len(one.faces) for one in found)
    return {
        "model": warm.bundle.name,
        "detector": warm.detector.name,
        "cores": cores(),
        "photos": len(photos),
        "errors": sum(one.error is not None for one in found),
        "faces": faces,
        "cold_start_seconds": round(statistics.median(runs), 3),
        "cold_start_runs": [round(seconds, 3) for seconds in runs],
        "photos_per_second": round(len(photos) / seconds, 1),
        "faces_per_second": round(faces / seconds, 1),
        "crops_per_second": round(_crops_rate(warm), 1),
    }


def render(record: dict[str, Any]) -> str:
    """Lines for people.

    Args:
        record: From ``run``.
    """
    runs = record["cold_start_runs"]
    spread = f"median of {len(runs)}, {min(runs):.2f} to {max(runs):.2f}"
    lines = [
        f"model {record['model']}, detector {record['detector']}, {record['cores']} cores",
        f"cold start, one photo {record['cold_start_seconds']:8.2f} s  ({spread})",
        f"then {record['photos']:>4} photos      {record['photos_per_second']:8.1f} a second",
        f"with {record['faces']:>4} faces       {record['faces_per_second']:8.1f} a second",
        f"backbone and heads    {record['crops_per_second']:8.1f} crops a second",
    ]
    return "\n".join(lines)


def _cold_start(photo: Path, model: str | None, detector: str) -> float:
    """Seconds of one ``facekit predict PHOTO --json`` as a process of its own."""
    words = ["predict", str(photo), "--json", "--detector", detector, "--identities", "none"]
    words += [] if model is None else ["--model", model]
    command = [sys.executable, "-c", _COMMAND, *words]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise FacekitError(f"facekit predict {photo.name} failed: {done.stderr.strip()[-300:]}")
    return seconds


def _crops_rate(model: FaceModel, seconds: float = 1.0) -> float:
    """Crops a second through the backbone and every head."""
    import numpy as np

    side = model.bundle.backbone.side
    crops = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), np.uint8)
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        embedding = model.bundle.embed(crops)
        for head in model.bundle.heads.values():
            head.scores(embedding)
        done += len(crops)
    return done / passed


def _draw(folder: Path, count: int, seed: int) -> list[Path]:
    """Photos of one to three drawn people."""
    import cv2
    import numpy as np

    from facekit.cartoon import draw_scene, make_person

    photos = []
    for i in range(count):
        people = [make_person(seed, 3 * i + k) for k in range(1 + i % 3)]
        scene = draw_scene(people, np.random.default_rng([seed, i]))
        photos.append(folder / f"{i:03}.jpg")
        cv2.imwrite(str(photos[-1]), scene.image[:, :, ::-1])
    return photos
