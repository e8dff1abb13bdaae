"""YuNet: box and five points by a small network, through OpenCV.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any, Final

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.errors import UsageError
from facekit.photos.detection import THINNEST, Detection, View, biggest_first, silence_opencv

#: Lowest score of a face. On 84 unaligned photos and 200 of LFW every photo
#: keeps its face up to 0.8; at 0.5 there are 0.1 more boxes a photo.
SCORE: Final = 0.7
#: Overlap above which two boxes are one face; OpenCV's default.
OVERLAP: Final = 0.3
#: (longer side, margin) of each look; the next is taken when one finds nothing.
#: The second is for faces that fill the picture (of heads cut at 10 % inside
#: their box and enlarged to 1,000 px, 64 % are found without it and 98 % with),
#: the third for small ones.
LOOKS: Final = ((640, 0.0), (320, 0.25), (1600, 0.0))
#: Pictures are enlarged to this: of 48 px faces (FER-2013) 81 % are found as
#: they are and 98 % at 160 px.
SMALLEST: Final = 160


class YuNet:
    """A detector with a box and five points for every face.

    Args:
        model: Bytes of the ONNX file. From memory, because OpenCV cannot open
            every file name on Windows.
        score: Lowest score of a face, in [0, 1].

    Raises:
        UsageError: The bytes are no YuNet model.
    """

    name = "yunet"

    def __init__(self, model: bytes, *, score: float = SCORE) -> None:
        silence_opencv()
        self._model = np.frombuffer(model, np.uint8)
        self._score = score
        self._local = threading.local()  # the network keeps state between calls
        self.key = f"yunet-{hashlib.sha256(model).hexdigest()[:12]}-{score}"
        try:
            self._look(View(np.zeros((THINNEST, THINNEST, 3), np.uint8)))
        except (cv2.error, ValueError) as error:
            raise UsageError(
                "this ONNX file is no YuNet face detector: give a file like "
                "face_detection_yunet_2023mar.onnx"
            ) from error

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Find faces.

        Args:
            rgb: uint8 RGB array of shape (height, width, 3).

        Returns:
            Detections with points, biggest first.
        """
        seen = None
        for longest, margin in LOOKS:
            view = View.of(rgb, longest, smallest=SMALLEST, margin=margin)
            if view.empty or (view.scale, view.margin) == seen:
                continue  # the picture has no more to show
            seen = seen or (view.scale, view.margin)
            found = self._look(view)
            if found:
                return biggest_first(found)
        return []

    def _look(self, view: View) -> list[Detection]:
        height, width = view.image.shape[:2]
        network = self._network()
        network.setInputSize((width, height))
        answer: Any = network.detect(cv2.cvtColor(view.image, cv2.COLOR_RGB2BGR))[1]
        rows = np.zeros((0, 15)) if answer is None else np.asarray(answer, np.float64)
        found = []
        for row in rows[np.isfinite(rows).all(1)]:
            box, points = view.box(*row[:4].tolist()), row[4:14].reshape(5, 2)
            if min(box[2:]) > 0 and np.ptp(points) > 0 and view.shows(box):  # else no crop
                found.append(Detection(box, float(row[14]), view.points(points)))
        return found

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._local, "network"):
            empty = np.zeros(0, np.uint8)
            self._local.network = cv2.FaceDetectorYN.create(
                "onnx", self._model, empty, (THINNEST, THINNEST), self._score, OVERLAP
            )
        return self._local.network  # type: ignore[no-any-return]
