"""Detections to crops in the face frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from facekit.arrays import Float64, Floating, UInt8
from facekit.frame import FaceFrame
from facekit.photos.detection import Detection

#: UInt8 (n, side, side, 3) to five points each (n, 5, 2), in pixels of the crop.
Refine = Callable[[UInt8], Floating]

#: A refinement that zooms, turns or moves a crop by more than this found
#: something else than the face, and the box stays as it was. Boxes are off by
#: half of it at most (`python -m benchmarks detectors`).
_MOST_ZOOM: Final = 1.8
_MOST_TURN: Final = np.deg2rad(50.0)
_MOST_SHIFT: Final = 0.4


def align(
    rgb: UInt8,
    detection: Detection,
    frame: FaceFrame,
    *,
    detector: str,
    refine: Refine | None = None,
) -> tuple[UInt8, Float64]:
    """Crop one face; see ``align_faces``.

    Returns:
        uint8 RGB array of shape (side, side, 3), and the float64 matrix of
        shape (2, 3) that maps the picture's pixels to the crop's.
    """
    crops, matrices = align_faces(rgb, [detection], frame, detector=detector, refine=refine)
    return crops[0], matrices[0]


def align_faces(
    rgb: UInt8,
    detections: Sequence[Detection],
    frame: FaceFrame,
    *,
    detector: str,
    refine: Refine | None = None,
) -> tuple[UInt8, Float64]:
    """Crop the faces of one picture into the frame.

    Five points give the transform at once. A box gives a first crop, in which
    ``refine`` finds the points of all such faces in one batch for a second.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).
        detections: n faces of this picture.
        frame: The geometry of the crops.
        detector: Name of the detector, a key of ``BOX_EYES`` or "none".
        refine: Finds five points in crops, or None to trust boxes.

    Returns:
        uint8 RGB array of shape (n, side, side, 3), and the float64 matrices
        of shape (n, 2, 3) that map the picture's pixels to each crop's.
    """
    matrices = np.empty((len(detections), 2, 3))
    for i, face in enumerate(detections):
        matrices[i] = _first(face, frame, detector)
    boxes = np.array([i for i, face in enumerate(detections) if face.points is None], np.int64)
    crops = np.empty((len(detections), frame.side, frame.side, 3), np.uint8)
    for i, matrix in enumerate(matrices):
        crops[i] = frame.warp(rgb, matrix)
    if refine is None or not len(boxes):
        return crops, matrices
    for i, points in zip(boxes, refine(crops[boxes]), strict=True):
        better = through_points(matrices[i], np.asarray(points, np.float64), frame)
        if better is not None:
            matrices[i] = better
            crops[i] = frame.warp(rgb, better)
    return crops, matrices


def _first(face: Detection, frame: FaceFrame, detector: str) -> Float64:
    if face.points is not None:
        return frame.matrix_from_points(face.points)
    if detector != "none":
        return frame.matrix_from_box(face.box, detector)
    x, y, width, _ = face.box
    scale = frame.side / width
    return np.array([[scale, 0.0, -x * scale], [0.0, scale, -y * scale]])


def through_points(matrix: Float64, points: Float64, frame: FaceFrame) -> Float64 | None:
    """A crop's matrix brought to the points found in that crop.

    Args:
        matrix: float64 array of shape (2, 3), image to frame pixels.
        points: float64 array of shape (5, 2) in pixels of the crop.
        frame: The frame of the crop.

    Returns:
        float64 array of shape (2, 3), or None when the points cannot be right.
    """
    try:
        step = frame.matrix_from_points(points)
    except ValueError:
        return None
    zoom = float(np.hypot(step[0, 0], step[1, 0]))
    turn = abs(float(np.arctan2(step[1, 0], step[0, 0])))
    middle = np.full(2, frame.side / 2)
    shift = float(np.linalg.norm(step[:, :2] @ middle + step[:, 2] - middle)) / frame.side
    if not 1 / _MOST_ZOOM <= zoom <= _MOST_ZOOM or turn > _MOST_TURN or shift > _MOST_SHIFT:
        return None
    better = np.empty((2, 3))
    better[:, :2] = step[:, :2] @ matrix[:, :2]
    better[:, 2] = step[:, :2] @ matrix[:, 2] + step[:, 2]
    return better
