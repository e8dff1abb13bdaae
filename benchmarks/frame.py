"""``python -m benchmarks frame``: is the face frame the same for every source?

A backbone is only as transferable as its frame is shared, so the eyes of every
source are measured in the frame, and mean faces are drawn side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import BenchOptions
from benchmarks.samples import sample_pictures
from facekit.frame import ALIGNED_EYES, FaceFrame
from facekit.photos.align import align
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detection, Detector
from facekit.photos.image import decode
from facekit.system.files import write_atomically
from facekit.system.home import home

#: Pictures of each source when the user names no limit.
_LIMIT: Final = 200
#: Sources whose pictures come aligned; the others are detected and aligned.
_ALIGNED: Final = tuple(ALIGNED_EYES)
_ZOOM: Final = 4  # of the mean faces in the montage


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on ``options.data``; the montage goes to ``FACEKIT_HOME/bench``.

    Args:
        options: Folder, pictures of each source, seed.

    Returns:
        As ``measure_frame``, and where a face was found ``montage``, its path.

    Raises:
        UsageError: No pictures, or YuNet's file is missing.
    """
    montage = home() / "bench" / "frame.png"
    montage.parent.mkdir(parents=True, exist_ok=True)
    record = measure_frame(
        options.data, limit=options.limit or _LIMIT, seed=options.seed, montage=montage
    )
    drawn = any(source["faces"] for source in record["sources"].values())
    return {"montage": str(montage), **record} if drawn else record


def measure_frame(
    data: Path | None,
    *,
    frame: FaceFrame | None = None,
    limit: int = _LIMIT,
    seed: int = 0,
    montage: Path | None = None,
) -> dict[str, Any]:
    """Where eyes and mouths of every source lie in the frame.

    CelebA, FER-2013 and CK+ are cropped as the crop cache does it, LFW and photos
    by YuNet's five points. The places are YuNet's points of the picture,
    carried into the frame.

    Args:
        data: Folder with any of ``celeba``, ``fer2013``, ``ckplus``, ``lfw`` and ``wild``.
        frame: The frame to measure; the default one if None.
        limit: Pictures of each source at most, in [1, inf).
        seed: Of the sample.
        montage: PNG to write with the mean faces side by side, or None.

    Returns:
        ``{"frame": {...}, "sources": {name: {...}}}``; lengths are shares of
        the side, spreads are interquartile ranges.

    Raises:
        UsageError: No pictures, or YuNet's file is missing.
    """
    frame = frame or FaceFrame()
    detector = find_detector("yunet")
    sources, means = {}, {}
    for name, paths in sample_pictures(data, limit, seed).items():
        crops, places = _crops(name, paths, frame, detector)
        sources[name] = {"pictures": len(paths), **_summary(places / frame.side)}
        if len(crops):
            means[name] = crops.mean(0).astype(np.uint8)
    if montage is not None and means:
        good, png = cv2.imencode(
            ".png", cv2.cvtColor(draw_montage(means, frame), cv2.COLOR_RGB2BGR)
        )
        assert good
        write_atomically(montage, png.tobytes())
    target = frame.points() / frame.side
    wanted = {"eye_y": frame.eye_y, "eye_distance": frame.eye_distance, "side": frame.side}
    return {"frame": {**wanted, "mouth_y": round(float(target[3, 1]), 4)}, "sources": sources}


def _crops(
    name: str, paths: list[Path], frame: FaceFrame, detector: Detector
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Crops (n, side, side, 3) and their points (n, 5, 2) in pixels of the frame."""
    crops, places = [], []
    for path in paths:
        rgb = decode(path)
        faces = detector.detect(rgb)
        if not faces:
            continue
        crop, matrix = _crop(name, rgb, faces[0], frame, detector.name)
        points = faces[0].points
        assert points is not None
        crops.append(crop)
        places.append(points @ matrix[:, :2].T + matrix[:, 2])
    side = frame.side
    return (
        np.array(crops, np.uint8).reshape(-1, side, side, 3),
        np.array(places, np.float64).reshape(-1, 5, 2),
    )


def _crop(
    name: str, rgb: NDArray[np.uint8], face: Detection, frame: FaceFrame, detector: str
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    if name not in _ALIGNED:
        return align(rgb, face, frame, detector=detector)
    matrix = frame.matrix_from_aligned(name, rgb.shape[1], rgb.shape[0])
    return frame.warp(rgb, matrix), matrix


def _summary(places: NDArray[np.float64]) -> dict[str, Any]:
    """Medians and spreads of points (n, 5, 2) in shares of the side."""
    if not len(places):
        return {"faces": 0}
    eyes = places[:, 1] - places[:, 0]
    measures = {
        "right_eye_x": places[:, 0, 0],
        "left_eye_x": places[:, 1, 0],
        "eye_y": places[:, :2, 1].mean(1),
        "eye_distance": np.hypot(eyes[:, 0], eyes[:, 1]),
        "mouth_y": places[:, 3:, 1].mean(1),
    }
    record: dict[str, Any] = {"faces": len(places)}
    for name, values in measures.items():
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
        record[name] = round(float(middle), 4)
        record[f"{name}_spread"] = round(float(high - low), 4)
    return record


def draw_montage(means: dict[str, NDArray[np.uint8]], frame: FaceFrame) -> NDArray[np.uint8]:
    """Mean faces side by side, each with crosses where the five points belong.

    Args:
        means: uint8 RGB array of shape (side, side, 3) for each source.
        frame: Their geometry.

    Returns:
        uint8 RGB array of shape (height, width, 3).
    """
    side, strip = frame.side * _ZOOM, 28
    tiles = []
    for name, mean in means.items():
        tile = np.full((side + strip, side, 3), 255, np.uint8)
        tile[strip:] = cv2.resize(mean, (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.putText(tile, name, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        for x, y in frame.points() * _ZOOM:
            at = round(float(x)), round(float(y)) + strip
            cv2.drawMarker(tile, at, (0, 255, 0), cv2.MARKER_CROSS, 3 * _ZOOM, 1, cv2.LINE_AA)
        tiles.append(tile)
    return np.hstack(tiles)


def render(record: dict[str, Any]) -> str:
    """The record as a table for people."""
    columns = ("right_eye_x", "left_eye_x", "eye_y", "eye_distance", "mouth_y")
    lines = [f"{'source':8}{'faces':>6}" + "".join(f"{name:>20}" for name in columns)]
    for name, row in record["sources"].items():
        cells = (
            f"{row[c]:.3f} ± {row[f'{c}_spread']:.3f}" if row["faces"] else "-" for c in columns
        )
        lines.append(f"{name:8}{row['faces']:6}" + "".join(f"{cell:>20}" for cell in cells))
    wanted = record["frame"]
    half = wanted["eye_distance"] / 2
    goal = (0.5 - half, 0.5 + half, wanted["eye_y"], wanted["eye_distance"], wanted["mouth_y"])
    lines.append(f"{'frame':14}" + "".join(f"{value:>20.3f}" for value in goal))
    if "montage" in record:
        lines.append(f"mean faces: {record['montage']}")
    return "\n".join(lines)
