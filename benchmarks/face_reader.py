"""Our way from photos to identity vectors, timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lineup import Picture, most_central
from facekit.bundle.bundle import identity_vectors
from facekit.errors import BundleError
from facekit.photos.align import align
from facekit.photos.detect import yunet_path
from facekit.predict import FaceModel
from facekit.system.pool import cores

_HEAD: Final = "attributes"
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Faces:
    """The most central face of n photos; NaN where none was found.

    Attributes:
        vectors: float32 array of shape (n, d), identity vectors.
        attributes: float32 array of shape (n, 40), probabilities.
    """

    vectors: Floats
    attributes: Floats


class FaceReader:
    """Photos to identity vectors and attributes, on all cores.

    Attributes:
        name: In the table.
        seconds: Spent on detection, alignment and identity vectors so far.
    """

    name = "facekit"

    def __init__(self, model: FaceModel) -> None:
        """Warm up.

        Args:
            model: It needs a part ``identity`` and a head ``attributes``.

        Raises:
            BundleError: It lacks one.
        """
        if _HEAD not in model.bundle.heads:
            raise BundleError(f"the model {model.bundle.name} has no head {_HEAD!r}")
        self._model, self.seconds = model, 0.0
        self._refine = model.bundle.refiner()
        self._vectors: list[Floats] = []
        self._attributes: list[Floats] = []
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="faces")
        self._width = identity_vectors(model.bundle, self._crops([None])).shape[1]
        list(self._pool.map(self._crop, [np.zeros((64, 64, 3), np.uint8)] * (4 * cores())))

    def read(self, pictures: Sequence[Picture]) -> None:
        """Keep the most central face of each uint8 RGB photo (h, w, 3)."""
        begun = time.perf_counter()
        crops = list(self._pool.map(self._crop, pictures))
        vectors = identity_vectors(self._model.bundle, self._crops(crops))
        self.seconds += time.perf_counter() - begun
        scores = self._model.bundle.scores(self._crops(crops), [_HEAD])[_HEAD]
        blank = [crop is None for crop in crops]
        vectors[blank], scores[blank] = np.nan, np.nan
        self._vectors.append(vectors)
        self._attributes.append(scores)

    @property
    def faces(self) -> Faces:
        """All that were read."""
        return Faces(np.concatenate(self._vectors), np.concatenate(self._attributes))

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Mask of shape (n,): where no face was found."""
        return np.asarray(np.isnan(np.concatenate(self._vectors)).any(1))

    def megabytes(self) -> dict[str, float]:
        """Size of the model's graph, heads and strangers, and the detector's file."""
        folder = self._model.bundle.graph.parent
        files = [path for path in folder.glob("*") if path.suffix in (".onnx", ".npz")]
        files += [yunet_path()] if self._model.detector.name == "yunet" else []
        return {"megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 1)}

    def _crop(self, rgb: Picture) -> Picture | None:
        detector = self._model.detector
        try:
            found = detector.detect(rgb)
        except cv2.error:
            return None
        if not found:
            return None
        height, width = rgb.shape[:2]
        face = found[most_central([one.box for one in found], (height, width))]
        frame = self._model.bundle.frame
        return align(rgb, face, frame, detector=detector.name, refine=self._refine)[0]

    def _crops(self, crops: Sequence[Picture | None]) -> Picture:
        side = self._model.bundle.frame.side
        black = np.zeros((side, side, 3), np.uint8)
        return np.stack([black if crop is None else crop for crop in crops])
