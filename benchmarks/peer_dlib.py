"""The peer that people install: dlib as the package ``face_recognition`` uses it.

Its defaults, called directly (the package itself is not needed): the HOG
detector on the photo enlarged once, the five-point predictor, the 128 numbers
without jitter; two faces are the same person at a distance of 0.6 or less.
https://github.com/ageitgey/face_recognition, ``api.py``.
"""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.lineup import Picture, most_central
from facekit.cache.teacher import DLIB_SIZE
from facekit.errors import FacekitError, MissingExtraError
from facekit.system.pool import cores

#: The two files of the package ``face_recognition_models`` that are used. It is not
#: imported: that needs ``pkg_resources``, which new environments lack.
DLIB_FILES: Final = {
    "points": "shape_predictor_5_face_landmarks.dat",
    "network": "dlib_face_recognition_resnet_model_v1.dat",
}
#: ``face_recognition.compare_faces`` accepts up to this distance.
TOLERANCE: Final = 0.6
#: ``face_recognition.face_locations`` enlarges a photo once before it looks.
_ENLARGED: Final = 1

Floats = NDArray[np.float32]


class DlibReader:
    """Photos to dlib's vectors, on all cores.

    Attributes:
        name: In the table.
        seconds: Spent on detection, points and network so far.
    """

    name = "dlib"

    def __init__(self) -> None:
        """Find the files of the models.

        Raises:
            MissingExtraError: dlib or its model files are not installed.
        """
        self._folder = model_files()
        self._local = threading.local()
        self._vectors: list[Floats] = []
        self.seconds = 0.0
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="dlib")
        blank = np.zeros((64, 64, 3), np.uint8)
        list(self._pool.map(self._describe, [blank] * (4 * cores())))  # loads in every thread

    def read(self, pictures: Sequence[Picture]) -> None:
        """Keep the vector of the most central face of each uint8 RGB photo (h, w, 3)."""
        begun = time.perf_counter()
        self._vectors += self._pool.map(self._describe, pictures)
        self.seconds += time.perf_counter() - begun

    @property
    def vectors(self) -> Floats:
        """float32 array of shape (n, 128), NaN where no face was found."""
        return np.stack(self._vectors) if self._vectors else np.empty((0, DLIB_SIZE), np.float32)

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Mask of shape (n,): where no face was found."""
        return np.asarray(np.isnan(self.vectors).any(1))

    def megabytes(self) -> dict[str, float]:
        """Sizes of the files that are used, and of all that are installed."""
        used = [self._folder / name for name in DLIB_FILES.values()]
        return {
            "megabytes": _megabytes(used),
            "megabytes_installed": _megabytes(sorted(self._folder.glob("*.dat"))),
        }

    def _describe(self, rgb: Picture) -> Floats:
        tools = self._tools()
        try:
            found = tools.detector(rgb, _ENLARGED)
        except RuntimeError:  # such as a photo too large to enlarge
            found = []
        if not found:
            return np.full(DLIB_SIZE, np.nan, np.float32)
        boxes = [(box.left(), box.top(), box.width(), box.height()) for box in found]
        height, width = rgb.shape[:2]
        points = tools.points(rgb, found[most_central(boxes, (height, width))])
        return np.asarray(tools.network.compute_face_descriptor(rgb, points, 1), np.float32)

    def _tools(self) -> Any:
        """Detector, points and network of this thread: they cannot be shared."""
        import dlib

        local = self._local
        if not hasattr(local, "network"):
            local.detector = dlib.get_frontal_face_detector()
            local.points = dlib.shape_predictor(str(self._folder / DLIB_FILES["points"]))
            network = str(self._folder / DLIB_FILES["network"])
            local.network = dlib.face_recognition_model_v1(network)
        return local


def model_files() -> Path:
    """The folder of the library's two files.

    Raises:
        MissingExtraError: dlib or its model files are not installed.
        FacekitError: The installed package lacks one of them.
    """
    instead = "or leave out --peer dlib"
    if importlib.util.find_spec("dlib") is None:
        raise MissingExtraError("dlib", "peers", instead)
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or found.origin is None:
        raise MissingExtraError("face_recognition_models", "peers", instead)
    folder = Path(found.origin).parent / "models"
    for name in DLIB_FILES.values():
        if not (folder / name).exists():
            raise FacekitError(f"{folder} lacks {name}: reinstall face_recognition_models")
    return folder


def _megabytes(files: Sequence[Path]) -> float:
    return round(sum(file.stat().st_size for file in files) / 1e6, 1)
