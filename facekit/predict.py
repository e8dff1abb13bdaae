"""Photo -> faces -> one embedding each -> every head."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.analysis import Analysis, Box, Face
from facekit.bundle.session import cores
from facekit.bundle.zoo import POINTS, Bundle, load_bundle
from facekit.crops.align import align_faces
from facekit.crops.decode import Picture, read_picture
from facekit.crops.detect import Detection, Detector, find_detector
from facekit.errors import FacekitError, UsageError

__all__ = ["Analysis", "Face", "FaceModel", "load"]

Image = str | Path | NDArray[np.uint8]
Scores = dict[str, dict[str, float]]
Embedding = dict[str, NDArray[np.float32]]

#: Faces, or photos, that are embedded at once.
BATCH: Final = 32
#: What one photo may raise without stopping the others.
_PHOTO_ERRORS: Final = (FacekitError, OSError, ValueError, MemoryError, cv2.error)


@dataclass(frozen=True, eq=False)
class _Found:
    """A photo after detection and alignment, before the backbone."""

    path: str | None
    error: str | None = None
    width: int | None = None
    height: int | None = None
    faces: tuple[tuple[Box, float, NDArray[np.uint8]], ...] = ()


def load(name: str | Path | None = None, detector: str = "auto", *, threads: int = 0) -> FaceModel:
    """Load a model and a detector.

    Args:
        name: A shipped or own model by name, the folder of one, or None for
            the default.
        detector: "auto" (YuNet where its file is, else Haar), "yunet", "haar",
            "none" (the photo is one face) or a detector file.
        threads: In [1, inf), or 0 for one a core.

    Returns:
        What finds and reads faces.

    Raises:
        BundleError: The model is missing, altered or foreign.
        UsageError: There is no such detector.
    """
    found = find_detector(detector)  # first: the cheaper of the two mistakes
    return FaceModel(load_bundle(name, threads=threads), found, threads=threads)


class FaceModel:
    """A bundle and a detector: photos in, faces with scores out.

    One model may be used from several threads.

    Attributes:
        bundle: The backbone and its heads.
        detector: What finds faces.
    """

    def __init__(self, bundle: Bundle, detector: Detector, *, threads: int = 0) -> None:
        """Join a loaded bundle and a detector; ``threads`` as for ``load``."""
        self.bundle = bundle
        self._refine = bundle.refiner()
        self.detector = detector
        self._threads = threads or cores()
        # Kept between calls: a detector reads its files once in every thread.
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="faces")

    def analyze(self, image: Image) -> Analysis:
        """Find the faces of one photo and read every head.

        Args:
            image: The path of a photo, or a uint8 RGB array of shape
                (height, width, 3).

        Returns:
            The analysis; a file that cannot be used gives one with ``error``.

        Raises:
            UsageError: The array has another type or shape.
        """
        return self._read([self._find(_checked(image))])[0]

    def analyze_many(self, images: Iterable[Image]) -> Iterator[Analysis]:
        """Analyze photos; faces of several photos are embedded together.

        Photos are decoded and searched in threads, a few at a time, so memory
        does not grow with their number.

        Args:
            images: As for ``analyze``; consumed as needed.

        Yields:
            One analysis for every image, in their order.

        Raises:
            UsageError: An array has another type or shape.
        """
        source = (self._pool.submit(self._find, _checked(image)) for image in images)
        waiting: deque[Future[_Found]] = deque()
        batch: list[_Found] = []
        try:
            waiting.extend(islice(source, 2 * self._threads))
            while waiting:
                batch.append(waiting.popleft().result())
                waiting.extend(islice(source, 1))
                faces = sum(len(found.faces) for found in batch)
                if faces >= BATCH or len(batch) >= BATCH or not waiting:
                    yield from self._read(batch)
                    batch = []
        finally:
            for future in waiting:
                future.cancel()

    def _find(self, image: Image) -> _Found:
        """Decode, detect and align; an error becomes part of the answer."""
        path = None if isinstance(image, np.ndarray) else str(image)
        try:
            picture = _picture(image)
            found = self.detector.detect(picture.rgb)
            crops = self._crops(picture.rgb, found)
            faces = tuple(
                (_box_inside(one, picture), round(float(one.score), 4), crop)
                for one, crop in zip(found, crops, strict=True)
            )
        except _PHOTO_ERRORS as error:
            return _Found(path, _one_line(error))
        return _Found(path, None, picture.width, picture.height, faces)

    def _crops(self, rgb: NDArray[np.uint8], found: list[Detection]) -> NDArray[np.uint8]:
        frame, name = self.bundle.frame, self.detector.name
        return align_faces(rgb, found, frame, detector=name, refine=self._refine)[0]

    def _read(self, batch: list[_Found]) -> list[Analysis]:
        """Embed every face of a batch once and read every head."""
        crops = [crop for found in batch for _, _, crop in found.faces]
        read = self._scores(np.stack(crops)) if crops else iter(())
        return [
            Analysis(
                found.path,
                found.error,
                found.width,
                found.height,
                tuple(Face(*face, *next(read)) for face in found.faces),
            )
            for found in batch
        ]

    def _scores(self, crops: NDArray[np.uint8]) -> Iterator[tuple[Scores, Embedding]]:
        """Scores by head and label, and the embedding, of each crop."""
        heads = {name: head for name, head in self.bundle.heads.items() if name != POINTS}
        embedding, found = self.bundle.read(crops, list(heads))
        scores = {name: rows.astype(float) for name, rows in found.items()}
        for i in range(len(crops)):
            named = {
                name: dict(zip(heads[name].labels, rows[i].round(6).tolist(), strict=True))
                for name, rows in scores.items()
            }
            yield named, {part: rows[i] for part, rows in embedding.items()}


def _checked(image: Image) -> Image:
    """The image, or a UsageError that says what an image is."""
    if isinstance(image, str | Path):
        return image
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"an image is a path or a uint8 RGB array of shape (height, width, 3), "
            f"not {type(image).__name__}"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UsageError(
            f"the array is {image.dtype} of shape {image.shape}; "
            "needed is uint8 RGB of shape (height, width, 3)"
        )
    return image


def _picture(image: Image) -> Picture:
    if isinstance(image, np.ndarray):
        return Picture(np.ascontiguousarray(image), image.shape[1], image.shape[0])
    return read_picture(Path(image))


def _box_inside(detection: Detection, picture: Picture) -> Box:
    """The box in whole pixels of the full-size picture, cut at its edges."""
    x, y, width, height = (value * picture.scale for value in detection.box)
    left = min(max(round(x), 0), picture.width - 1)
    top = min(max(round(y), 0), picture.height - 1)
    right = min(max(round(x + width), left + 1), picture.width)
    bottom = min(max(round(y + height), top + 1), picture.height)
    return left, top, right - left, bottom - top


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, FacekitError):
        return text
    return f"could not be used: {type(error).__name__}{': ' if text else ''}{text}"
