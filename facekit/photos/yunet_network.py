"""YuNet's network: a picture to rows of boxes, points and scores, in ONNX Runtime.

What goes in and comes out is as OpenCV's ``FaceDetectorYN`` has it (boxes and points to
0.001 px); ONNX Runtime takes a third of its time.
"""

from __future__ import annotations

import re
from typing import Final

import cv2
import numpy as np

from facekit.arrays import AnyArray, Float32, UInt8
from facekit.system.graph import Graph

#: Pixels between the places of each grid that the network looks at.
_STRIDES: Final = (8, 16, 32)
_OUTPUTS: Final = [
    f"{kind}_{stride}" for stride in _STRIDES for kind in ("cls", "obj", "bbox", "kps")
]
#: OpenCV's default: faces of one picture that are compared at most.
_MOST: Final = 5000
#: A shape (1, 3, height, width) in an ONNX file, both sides written with two bytes; in
#: the published file 640. Of the same length: the sides by name, so that any will do.
_FIXED: Final = re.compile(
    rb"(?<=\x12\x12\n\x02\x08\x01\n\x02\x08\x03)\n\x03\x08..\n\x03\x08..", re.DOTALL
)
_NAMED: Final = b"\n\x03\x12\x01h\n\x03\x12\x01w"


class YuNetNetwork:
    """The network, for pictures of any size; several threads may use it at once.

    Args:
        model: Bytes of the ONNX file.
        score: Lowest score of a face, in [0, 1].
        overlap: Intersection over union above which two boxes are one face.

    Raises:
        Exception: Whatever ONNX Runtime finds wrong.
    """

    def __init__(self, model: bytes, *, score: float, overlap: float) -> None:
        self._score, self._overlap = score, overlap
        # Callers search many pictures side by side: a run takes one thread.
        self._graph = Graph(_FIXED.sub(_NAMED, model), threads=1)
        self._input = self._graph.session().get_inputs()[0].name

    def rows(self, rgb: UInt8) -> Float32:
        """Find faces.

        Args:
            rgb: uint8 RGB array of shape (height, width, 3).

        Returns:
            float32 array of shape (n, 15), the surest first: x, y, width and height of
            the box, five points (x, y), score; all numbers are finite.
        """
        height, width = (-(-side // _STRIDES[-1]) * _STRIDES[-1] for side in rgb.shape[:2])
        picture = np.zeros((1, 3, height, width), np.float32)
        for plane, channel in zip(picture[0, ::-1], cv2.split(rgb), strict=True):
            plane[: rgb.shape[0], : rgb.shape[1]] = channel
        values = self._graph.run(_OUTPUTS, {self._input: picture})
        with np.errstate(all="ignore"):  # a foreign network may give anything
            grids = [
                self._read(stride, width // stride, *values[4 * i : 4 * i + 4])
                for i, stride in enumerate(_STRIDES)
            ]
        rows = np.concatenate(grids)
        rows = rows[np.isfinite(rows).all(1)]
        kept = cv2.dnn.NMSBoxes(
            np.trunc(rows[:, :4]).tolist(), rows[:, 14].tolist(), 0.0, self._overlap, 1.0, _MOST
        )
        return rows[np.asarray(kept, np.int64)]

    def _read(
        self,
        stride: int,
        columns: int,
        face: AnyArray,
        object_: AnyArray,
        box: AnyArray,
        points: AnyArray,
    ) -> Float32:
        """Rows of one grid: each place says where a face lies from it, in strides."""
        score = np.sqrt(np.clip(face[0, :, 0], 0, 1) * np.clip(object_[0, :, 0], 0, 1))
        at = np.flatnonzero(score >= self._score)
        place = np.stack([at % columns, at // columns], 1).astype(np.float32)
        middle = (place + box[0, at, :2]) * stride
        size = np.exp(box[0, at, 2:]) * stride
        spots = (points[0, at].reshape(-1, 5, 2) + place[:, None]) * stride
        return np.column_stack([middle - size / 2, size, spots.reshape(-1, 10), score[at]])
