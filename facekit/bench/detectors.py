"""``facekit bench detectors``: what each detector finds, and how well it aligns.

YuNet's faces are the reference. A false box overlaps none of them; the eye
error is how far the reference's eyes land from their places in the frame.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.bench.registry import BenchOptions
from facekit.bench.samples import sample_pictures
from facekit.crops.align import Refine, align
from facekit.crops.decode import decode
from facekit.crops.detect import Detection, Detector, find_detector
from facekit.errors import BundleError
from facekit.frame import BOX_EYES, FaceFrame

__all__ = ["measure_detectors", "overlap", "render", "run"]

#: Pictures of each source when the user names no limit.
_LIMIT: Final = 200
_SOURCES: Final = ("wild", "lfw", "celeba")
#: Overlap (intersection over union) above which two boxes are one face. Low,
#: because a square box and a tall one of the same face overlap by half.
_SAME: Final = 0.2
#: Score of a reference face: below the detector's own, so that a face which
#: YuNet doubts makes no box false.
_DOUBTFUL: Final = 0.5


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on ``options.data``, refined by the model's points where it has them.

    Args:
        options: Folder, model, pictures of each source, seed.

    Returns:
        As ``measure_detectors``.

    Raises:
        UsageError: No pictures, or YuNet's file is missing.
    """
    frame, refine = _refiner(options.model)
    return measure_detectors(
        options.data, frame=frame, refine=refine, limit=options.limit or _LIMIT, seed=options.seed
    )


def _refiner(model: str | None) -> tuple[FaceFrame, Refine | None]:
    from facekit.bundle.zoo import load_bundle

    try:
        bundle = load_bundle(model)
    except BundleError:
        if model is not None:
            raise
        return FaceFrame(), None
    head = bundle.heads.get("points")
    if head is None:
        return bundle.frame, None

    def refine(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        shares = head.scores(bundle.embed(crops, head.parts)).reshape(-1, 5, 2)
        return np.asarray(shares, np.float64) * bundle.frame.side

    return bundle.frame, refine


def measure_detectors(
    data: Path | None,
    *,
    frame: FaceFrame | None = None,
    refine: Refine | None = None,
    limit: int = _LIMIT,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare YuNet and Haar on photos, with boxes alone and refined.

    Args:
        data: Folder with any of ``wild``, ``lfw`` and ``celeba``.
        frame: The frame that faces are brought into; the default one if None.
        refine: Finds five points in crops; without it nothing is refined.
        limit: Pictures of each source at most, in [1, inf).
        seed: Of the sample.

    Returns:
        ``{"refined": bool, "sources": {source: {detector: {...}}}, "box_eyes":
        {detector: [line, distance]}}``. Eye errors are shares of the eye
        distance, times are seconds a photo on one core.

    Raises:
        UsageError: No pictures, or YuNet's file is missing.
    """
    frame = frame or FaceFrame()
    detectors = [find_detector("yunet"), find_detector("haar")]
    sources: dict[str, Any] = {}
    places: dict[str, list[NDArray[np.float64]]] = {each.name: [] for each in detectors}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for source, paths in sample_pictures(data, limit, seed, sources=_SOURCES).items():
            photos = [_Photo(decode(path), frame, refine) for path in paths]
            sources[source] = {each.name: _compare(each, photos) for each in detectors}
            for each in detectors:
                places[each.name].append(_box_eyes(photos, each.name))
    finally:
        cv2.setNumThreads(threads)
    box_eyes = {name: np.mean(rows, 0).round(4).tolist() for name, rows in places.items()}
    return {"refined": refine is not None, "sources": sources, "box_eyes": box_eyes}
