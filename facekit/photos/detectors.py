"""YuNet: box and five points by a small network.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.errors import UsageError
from facekit.photos.detection import (
    OVERLAP,
    THINNEST,
    Detection,
    View,
    biggest_first,
    shown,
    silence_opencv,
)
from facekit.photos.yunet_network import YuNetNetwork

#: Lowest score of a face. On 84 unaligned photos and 200 of LFW every photo
#: keeps its face up to 0.8; at 0.5 there are 0.1 more boxes a photo.
SCORE: Final = 0.7
#: (longer side, margin, lowest score) of each look; what any of them finds counts. The
#: second is for faces that fill the picture (of 89 heads cut at 10 % inside their box and
#: enlarged to 1,000 px, 64 % are found without it and all with it), the third for small
#: ones: it adds a false box to 1 % of photos, most of them below 0.74.
LOOKS: Final = ((640, 0.0, 0.0), (160, 0.25, 0.0), (1600, 0.0, 0.74))
#: Pictures are enlarged to this: of 48 px faces (FER-2013) 81 % are found as
#: they are and 98 % at 160 px.
SMALLEST: Final = 160


class YuNet:
    """A detector with a box and five points for every face.

    Args:
        model: Bytes of the ONNX file.
        score: Lowest score of a face, in [0, 1].

    Raises:
        UsageError: The bytes are no YuNet model.
    """

    name = "yunet"

    def __init__(self, model: bytes, *, score: float = SCORE) -> None:
        self.key = f"yunet-{hashlib.sha256(model).hexdigest()[:12]}-{score}"
        try:
            self._network = YuNetNetwork(model, score=score, overlap=OVERLAP)
            self._look(View(np.zeros((THINNEST, THINNEST, 3), np.uint8)))
        except Exception as error:  # ONNX Runtime's own types share no public base
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
        found: list[Detection] = []
        seen = set()
        # Shrinking a large picture takes longer than to look at it: once for all looks.
        wide = View.of(rgb, max(longest for longest, _, _ in LOOKS))
        if any(wide.margin):
            wide = View(rgb)
        for longest, margin, least in LOOKS:
            view = View.of(wide.image, longest, smallest=SMALLEST, margin=margin).within(wide)
            if view.empty or (view.scale, view.margin) in seen:
                continue  # the picture has no more to show
            seen.add((view.scale, view.margin))
            looked = (face for face in self._look(view) if face.score >= least)
            found += [face for face in looked if not shown(face.box, found)]
        return biggest_first(found)

    def _look(self, view: View) -> list[Detection]:
        found = []
        for row in self._network.rows(view.image).astype(np.float64):
            box, points = view.box(*row[:4].tolist()), row[4:14].reshape(5, 2)
            if min(box[2:]) > 0 and np.ptp(points) > 0 and view.shows(box):  # else no crop
                found.append(Detection(box, float(row[14]), view.points(points)))
        return found


# Haar cascades: boxes alone, by the files that OpenCV ships.
#
# Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple
# Features", 2001; the frontal-face cascades are Rainer Lienhart's.

#: Pictures are enlarged to this, in pixels of the longer side.
#: Smallest face that is looked for, in pixels of the view.
SMALLEST_FACE: Final = 24


@dataclass(frozen=True)
class Look:
    """One cascade and how to read it.

    Attributes:
        cascade: Text of the XML file.
        longest: Longer side of the view in pixels.
        neighbours: Raw boxes that must agree on a face.
        margin: Added border as a share of the shorter side, for faces that
            fill the picture: of heads cut at 10 % inside their box, 11 % are
            found without it and 75 % with.
        even: Weight of the last stage that is as often right as wrong, or
            None when nobody measured it.
        slope: Change of the log-odds for one unit of weight.
        lowest: Weights below are no face.
    """

    cascade: str
    longest: int
    neighbours: int
    margin: float = 0.0
    even: float | None = None
    slope: float = 1.0
    lowest: float = 0.0


class Haar:
    """A detector with boxes alone; later looks are taken when one finds nothing.

    Args:
        looks: The cascades, in order.

    Raises:
        UsageError: A file is no cascade.
    """

    name = "haar"

    def __init__(self, looks: tuple[Look, ...]) -> None:
        silence_opencv()
        self._looks = looks
        self._local = threading.local()  # a cascade keeps state between calls
        self.key = f"haar-{hashlib.sha256(repr(looks).encode()).hexdigest()[:12]}"
        self._cascade(looks[0].cascade)

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Find upright frontal faces.

        Args:
            rgb: uint8 RGB array of shape (height, width, 3).

        Returns:
            Detections without points, biggest first.
        """
        grey: UInt8 = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
        for look in self._looks:
            view = View.of(grey, look.longest, smallest=SMALLEST, margin=look.margin)
            if view.empty:
                continue
            found = [
                Detection(view.box(*map(float, box)), score)
                for box, score in _search(self._cascade(look.cascade), look, view.image)
                if view.shows(view.box(*map(float, box)))
            ]
            if found:
                return biggest_first(found)
        return []

    def _cascade(self, text: str) -> cv2.CascadeClassifier:
        """Read in every thread once, and only when a look needs it."""
        known: dict[str, cv2.CascadeClassifier] = self._local.__dict__.setdefault("known", {})
        if text not in known:
            known[text] = _cascade(text)
        return known[text]


def shipped_haar() -> Haar:
    """The embedded detector: two frontal cascades of OpenCV.

    Weights were read from 84 unaligned photos, 50 of LFW and 68 faceless
    parts of photos: ``alt`` has next to no false boxes (99 % of its true
    boxes weigh 106.8 and more, faceless ones up to 107.2), ``default`` finds
    some of the faces that it misses, at the price of some false ones.
    """
    folder = Path(cv2.__file__).parent / "data"  # cv2.data has no types
    first, second = (
        (folder / f"haarcascade_frontalface_{kind}.xml").read_text("utf-8")
        for kind in ("alt", "default")
    )
    return Haar(
        (
            Look(first, longest=480, neighbours=3, even=107.0, slope=3.0, lowest=106.7),
            Look(second, longest=400, neighbours=4, even=3.3, slope=1.0, lowest=3.0),
            Look(
                first, longest=240, neighbours=3, margin=0.25, even=107.0, slope=3.0, lowest=106.7
            ),
        )
    )


def _cascade(text: str) -> cv2.CascadeClassifier:
    """From memory, because OpenCV cannot open every file name on Windows."""
    cascade = cv2.CascadeClassifier()
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        good = cascade.read(storage.getFirstTopLevelNode())
    except (cv2.error, SystemError):
        good = False
    if not good or cascade.empty():
        raise UsageError("this XML file is no Haar cascade: give one like those of OpenCV")
    return cascade


def _search(
    cascade: cv2.CascadeClassifier, look: Look, grey: UInt8
) -> list[tuple[Sequence[int], float]]:
    """(box, score) of one cascade."""
    size = (SMALLEST_FACE, SMALLEST_FACE)
    if look.even is None:  # an unknown cascade: many agreeing boxes are a good sign
        boxes, counts = cascade.detectMultiScale2(grey, 1.1, look.neighbours, minSize=size)
        return [(box, float(n / (n + 5.0))) for box, n in zip(boxes, counts, strict=True)]
    boxes, _, weights = cascade.detectMultiScale3(
        grey, 1.1, look.neighbours, minSize=size, outputRejectLevels=True
    )
    return [
        (box, float(1 / (1 + np.exp(-look.slope * (weight - look.even)))))
        for box, weight in zip(boxes, weights, strict=True)
        if weight >= look.lowest
    ]
