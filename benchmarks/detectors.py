"""``python -m benchmarks detectors``: what each detector finds, and how well it aligns.

YuNet's faces are the reference. A false box overlaps none of them; the eye
error is how far the reference's eyes land from their places in the frame.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import BenchOptions
from benchmarks.samples import sample_pictures
from facekit.errors import BundleError
from facekit.frame import BOX_EYES, FaceFrame
from facekit.photos.align import Refine, align
from facekit.photos.detect import find_detector, read_yunet
from facekit.photos.detection import Box, Detection, Detector
from facekit.photos.detectors import YuNet
from facekit.photos.image import decode
from facekit.system.pool import one_library_thread

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
    from facekit.bundle.load import load_bundle

    try:
        bundle = load_bundle(model)
    except BundleError:
        if model is not None:
            raise
        return FaceFrame(), None
    return bundle.frame, bundle.refiner()


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
        distance, times are processor seconds a photo on one core.

    Raises:
        UsageError: No pictures, or YuNet's file is missing.
    """
    frame = frame or FaceFrame()
    reference = YuNet(read_yunet(), score=_DOUBTFUL)
    detectors = [find_detector("yunet"), find_detector("haar")]
    sources: dict[str, Any] = {}
    places: dict[str, list[NDArray[np.float64]]] = {each.name: [] for each in detectors}
    with one_library_thread():
        for source, paths in sample_pictures(data, limit, seed, sources=_SOURCES).items():
            tallies = {each.name: _Tally() for each in detectors}
            for rgb in map(decode, paths):
                truth = reference.detect(rgb)
                for each in detectors:
                    _look(each, rgb, truth, tallies[each.name], frame, refine)
            sources[source] = {name: tally.record() for name, tally in tallies.items()}
            for name, tally in tallies.items():
                if tally.places:
                    places[name].append(np.median(tally.places, 0))
    box_eyes = {name: np.mean(rows, 0).round(3).tolist() for name, rows in places.items() if rows}
    return {"refined": refine is not None, "sources": sources, "box_eyes": box_eyes}


@dataclass
class _Tally:
    """What one detector did on one source."""

    photos: int = 0
    hits: int = 0
    false: int = 0
    seconds: float = 0.0
    errors: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    places: list[tuple[float, float]] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Shares, rates and eye errors as plain numbers."""
        errors = {
            way: {
                "faces": len(values),
                "mean": round(float(np.mean(values)), 4),
                "median": round(float(np.median(values)), 4),
                "p90": round(float(np.quantile(values, 0.9)), 4),
            }
            for way, values in self.errors.items()
        }
        return {
            "photos": self.photos,
            "photos_with_face": round(self.hits / self.photos, 4),
            "false_boxes_per_photo": round(self.false / self.photos, 4),
            "seconds_per_photo": round(self.seconds / self.photos, 4),
            "eye_error": errors,
        }


def _look(
    detector: Detector,
    rgb: NDArray[np.uint8],
    truth: list[Detection],
    tally: _Tally,
    frame: FaceFrame,
    refine: Refine | None,
) -> None:
    """One detector on one photo."""
    begun = time.thread_time()  # of this core alone, whoever else is at work
    found = detector.detect(rgb)
    tally.seconds += time.thread_time() - begun
    tally.photos += 1
    matches = [(each, _match(each, truth)) for each in found]
    tally.hits += any(face is not None for _, face in matches)
    tally.false += sum(face is None for _, face in matches)
    for each, face in matches:
        if face is None or face.points is None:
            continue
        box_only = replace(each, points=None)
        ways: dict[str, tuple[Detection, Refine | None]] = {"box": (box_only, None)}
        if refine is not None:
            ways["refined"] = box_only, refine
        if each.points is not None:
            ways["points"] = (each, None)
        for way, (start, better) in ways.items():
            matrix = align(rgb, start, frame, detector=detector.name, refine=better)[1]
            tally.errors[way].append(_eye_error(matrix, face.points[:2], frame))
        tally.places.append(_place(each.box, face.points[:2]))


def _match(found: Detection, truth: list[Detection]) -> Detection | None:
    """The reference face that a box shows, or None for a false box."""
    shares = [overlap(found.box, each.box) for each in truth]
    best = int(np.argmax(shares)) if shares else -1
    return truth[best] if shares and shares[best] > _SAME else None


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(across, 0.0) * max(down, 0.0)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def _eye_error(matrix: NDArray[np.float64], eyes: NDArray[np.float64], frame: FaceFrame) -> float:
    """Mean distance of the eyes from their places, in eye distances of the frame."""
    landed = eyes @ matrix[:, :2].T + matrix[:, 2]
    off = np.linalg.norm(landed - frame.points()[:2], axis=1)
    return float(off.mean()) / (frame.eye_distance * frame.side)


def _place(box: Box, eyes: NDArray[np.float64]) -> tuple[float, float]:
    """Eye line and eye distance inside a box, as ``frame.BOX_EYES`` has them."""
    line = (float(eyes[:, 1].mean()) - box[1]) / box[3]
    return line, float(np.linalg.norm(eyes[1] - eyes[0])) / box[2]


def render(record: dict[str, Any]) -> str:
    """The record as a table for people."""
    ways = ("box", "refined", "points") if record["refined"] else ("box", "points")
    lines = [
        f"{'source':8}{'detector':9}{'photos':>7}{'with face':>10}{'false/photo':>12}{'s/photo':>9}"
        + "".join(f"{'eyes, ' + way:>15}" for way in ways)
    ]
    for source, detectors in record["sources"].items():
        for name, row in detectors.items():
            errors = (row["eye_error"].get(way) for way in ways)
            cells = (f"{e['mean']:.3f}" if e else "-" for e in errors)
            lines.append(
                f"{source:8}{name:9}{row['photos']:7}{row['photos_with_face']:10.1%}"
                f"{row['false_boxes_per_photo']:12.3f}{row['seconds_per_photo']:9.3f}"
                + "".join(f"{cell:>15}" for cell in cells)
            )
    for name, (line, distance) in record["box_eyes"].items():
        used = BOX_EYES[name]
        lines.append(
            f"eyes in a {name} box: line {line:.3f}, distance {distance:.3f} "
            f"(in use: {used[0]:.3f}, {used[1]:.3f})"
        )
    return "\n".join(lines)
