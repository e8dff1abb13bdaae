"""Photo -> faces -> one embedding each -> every head and everybody enrolled."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import Asked, load_bundle
from facekit.enrollment.person import Gallery
from facekit.enrollment.read import open_gallery
from facekit.errors import FacekitError, UsageError
from facekit.faces import FoundFace, Image, checked_image, find_faces, read_faces
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.results import Analysis
from facekit.system.pool import cores, one_library_thread
from facekit.system.terminal import tell

#: Faces, or photos, that are embedded at once.
BATCH: Final = 32
_MOST_THREADS: Final = 1024
#: What one photo may raise without stopping the others.
_PHOTO_ERRORS: Final = (FacekitError, OSError, ValueError, MemoryError, cv2.error)


@dataclass(frozen=True, eq=False)
class _Found:
    """A photo after detection and alignment, before the backbone."""

    path: str | None
    error: str | None = None
    width: int | None = None
    height: int | None = None
    faces: tuple[FoundFace, ...] = ()


def load(
    name: str | Path | None = None,
    detector: str = "auto",
    *,
    threads: int = 0,
    identities: str | Sequence[str] = "auto",
    precision: Asked = "auto",
) -> FaceModel:
    """Load a model, a detector and everybody who is enrolled.

    Args:
        name: A shipped or own model by name, the folder of one, or None for
            the default.
        detector: "auto" (YuNet where its file is, else Haar), "yunet", "haar",
            "none" (the photo is one face) or a detector file.
        threads: In [1, inf), or 0 for one a core.
        identities: Who is looked for: "all" (with a message for each enrolment
            that cannot be used), "matches" (all, without verdicts of "no"), "auto" (all;
            matches where more than 10 are enrolled), "none", a name, or several.
        precision: "auto" runs the int8 graph of a model whose manifest says that it
            loses next to nothing, and the float graph of every other; or "float" or
            "int8". Of models that others were enrolled with it is always "auto".

    Returns:
        What finds and reads faces.

    Raises:
        BundleError: The model is missing, altered or foreign, or somebody named
            was enrolled with another backbone.
        UsageError: There is no such detector, or nobody has that name.
        DataError: The enrolment of somebody named is damaged.
    """
    if threads not in range(_MOST_THREADS + 1):  # also refuses what is no whole number
        raise UsageError(f"threads={threads!r}: give 0 for one a core, or up to {_MOST_THREADS}")
    found = find_detector(detector)  # first: the cheaper of the two mistakes
    bundle = load_bundle(name, threads=threads, precision=precision)
    gallery = open_gallery(bundle, identities)
    for reason in gallery.left_out.values():
        tell(f"facekit: not looked for: {reason}")
    return FaceModel(bundle, found, threads=threads, gallery=gallery)


class FaceModel:
    """A bundle and a detector: photos in, faces with scores out.

    One model may be used from several threads.

    Attributes:
        bundle: The backbone and its heads.
        detector: What finds faces.
        gallery: Who is looked for in them.
    """

    def __init__(
        self,
        bundle: Bundle,
        detector: Detector,
        *,
        threads: int = 0,
        gallery: Gallery | None = None,
    ) -> None:
        """Join a loaded bundle, a detector and enrolments; ``threads`` as for ``load``."""
        self.bundle = bundle
        self.gallery = gallery or Gallery()
        self.detector = detector
        self._threads = threads or cores()
        # Kept between calls: a detector reads its files once in every thread.
        self._pool = self._new_pool()

    def _new_pool(self) -> tuple[int, ThreadPoolExecutor]:
        return os.getpid(), ThreadPoolExecutor(self._threads, thread_name_prefix="faces")

    def _threads_of_this_process(self) -> ThreadPoolExecutor:
        """The pool; threads stay behind when a process forks, and a child makes its own."""
        if self._pool[0] != os.getpid():
            self._pool = self._new_pool()
        return self._pool[1]

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
        return self._read([self._find(checked_image(image))])[0]

    def analyze_many(self, images: Iterable[Image]) -> Iterator[Analysis]:
        """Analyze photos; faces of several photos are embedded together.

        Photos are decoded and searched in threads, a few at a time, so memory
        does not grow with their number.

        Args:
            images: As for ``analyze``; consumed as needed.

        Returns:
            One analysis for every image, in their order.

        Raises:
            UsageError: An array has another type or shape, or ``images`` is a single one.
        """
        stack = isinstance(images, np.ndarray) and images.ndim == 4
        if isinstance(images, str | bytes | os.PathLike | np.ndarray) and not stack:
            raise UsageError(
                f"analyze_many takes several images, not one {type(images).__name__}: "
                "give a list, or use analyze"
            )
        if not isinstance(images, Iterable):
            raise UsageError(f"analyze_many takes several images, not {type(images).__name__}")
        return self._analyze_many(images)

    def _analyze_many(self, images: Iterable[Image]) -> Iterator[Analysis]:
        pool, process = self._threads_of_this_process(), os.getpid()
        source = (pool.submit(self._find, checked_image(image)) for image in images)
        waiting: deque[Future[_Found]] = deque()
        batch: list[_Found] = []
        try:
            waiting.extend(islice(source, 2 * self._threads))
            while waiting:
                if os.getpid() != process:  # its threads stayed behind
                    raise UsageError(
                        "analyze_many was begun in another process: begin it anew after a fork"
                    )
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
            with one_library_thread():
                readers = [bundle for bundle, _ in self.gallery.elsewhere]
                picture, faces = find_faces(image, self.detector, self.bundle, readers)
        except _PHOTO_ERRORS as error:
            return _Found(path, _one_line(error))
        return _Found(path, None, picture.width, picture.height, faces)

    def _read(self, batch: list[_Found]) -> list[Analysis]:
        """As ``_read_all``; where that fails, each photo alone has its answer or its error."""
        try:
            return self._read_all(batch)
        except _PHOTO_ERRORS as error:
            if len(batch) > 1:
                return [analysis for found in batch for analysis in self._read([found])]
            found = batch[0]
            return [Analysis(found.path, _one_line(error), found.width, found.height, ())]

    def _read_all(self, batch: list[_Found]) -> list[Analysis]:
        """Embed every face of a batch once; read every head and every enrolment."""
        every = [face for found in batch for face in found.faces]
        with one_library_thread():
            faces = iter(read_faces(every, self.bundle, self.gallery))
        return [
            Analysis(
                found.path,
                found.error,
                found.width,
                found.height,
                tuple(islice(faces, len(found.faces))),
            )
            for found in batch
        ]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, FacekitError):
        return text
    return f"could not be used: {type(error).__name__}{': ' if text else ''}{text}"
