"""Our side of ``python -m benchmarks identity``: enrol a person, score faces.

Enrolment is the tool's own: its choice and refusal of photos, its augmented
copies, its strangers, its threshold. Two simpler scorers get the same photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.face_reader import Faces
from facekit.bundle.bundle import IDENTITY
from facekit.bundle.strangers import Strangers, read_strangers
from facekit.enrollment.fit import Fitted, fit_enrollment
from facekit.enrollment.gather import gather_photos
from facekit.enrollment.photo import Photo
from facekit.enrollment.vectors import PhotoVectors, PhotoViews, make_views
from facekit.errors import DataError
from facekit.heads.one_person import fit_scorer
from facekit.predict import FaceModel
from facekit.recipe.enroll import EnrollRecipe

Floats = NDArray[np.float32]

#: The tool's own scorer in the table.
OURS: Final = "facekit enroll"
#: Half a step of the stored probabilities: the logit of 0 and 1.
_CLIP: Final = 0.5 / 255


@dataclass(frozen=True, eq=False)
class Enrolled:
    """One person, enrolled.

    Attributes:
        fitted: Neuron, threshold and claim.
        own: Vectors of the photos used, augmented copies included.
        refused: How many photos were refused, by code.
    """

    fitted: Fitted
    own: PhotoVectors
    refused: Counter[str]


class Enroller:
    """Enrols people from photos and scores faces.

    Attributes:
        recipe: What it goes by.
        strangers: That ship with the model.
    """

    def __init__(self, model: FaceModel, recipe: EnrollRecipe) -> None:
        """Read the strangers.

        Args:
            model: Finds and embeds faces.
            recipe: Says everything else.

        Raises:
            BundleError: The model has no identity part or no strangers.
        """
        self._model, self.recipe = model, recipe
        self.strangers: Strangers = read_strangers(model.bundle)
        self._views: dict[str, PhotoViews] = {}

    def enroll(self, paths: Sequence[Path]) -> Enrolled:
        """Enrol one person.

        Args:
            paths: Photos; the tool chooses among their faces.

        Raises:
            FacekitError: Too few of the photos can be used.
        """
        photos = self.gather(paths)
        used = [photo for photo in photos if photo.used]
        if not used:
            raise DataError(f"none of {len(photos)} photos could be used")
        own = self.views(used)
        refused = Counter[str](photo.code for photo in photos if not photo.used)
        return Enrolled(self.fit(own), own, refused)

    def gather(self, paths: Sequence[Path]) -> list[Photo]:
        """Each photo, used or refused."""
        return gather_photos(list(paths), self._model, self.recipe.quality)

    def fit(self, own: PhotoVectors) -> Fitted:
        """Neuron, threshold and claim."""
        return fit_enrollment(own, self.strangers, self.recipe, name="me")

    def scorers(self, enrolled: Enrolled) -> dict[str, Callable[[Faces], Floats]]:
        """What gives each face a score, by the name in the table; ours comes first."""
        return {
            OURS: lambda faces: _logit(enrolled.fitted.head, faces.vectors),
            "mean of the vectors": lambda faces: faces.vectors @ _template(enrolled.own),
            "attributes alone": self._attribute_scorer(enrolled.own),
        }

    def _attribute_scorer(self, own: PhotoVectors) -> Callable[[Faces], Floats]:
        """The same neuron on the logits of the 40 attributes of the same photos."""
        head = fit_scorer(
            _logits(own.attributes),
            np.ones(len(own.attributes), np.float32),
            _logits(self.strangers.training().probabilities),
            self.recipe.head,
        )
        return lambda faces: _logit(head, _logits(faces.attributes))

    def views(self, used: Sequence[Photo]) -> PhotoVectors:
        """Vectors of photos and of their augmented copies.

        Args:
            used: At least one photo that is used; what is made of each is kept, so
                that another draw of the same photos costs nothing.
        """
        new = [photo for photo in used if _key(photo) not in self._views]
        if new:
            spec, seed = self.recipe.augment, self.recipe.seed
            views, _ = make_views(self._model.bundle, new, spec, seed=seed)
            for place, photo in enumerate(new):
                self._views[_key(photo)] = _one(views, place)
        joined = reduce(PhotoViews.join, [self._views[_key(photo)] for photo in used])
        return joined.vectors(np.array([photo.session for photo in used], np.int64))


def _key(photo: Photo) -> str:
    return f"{photo.digest} {photo.box}"


def _one(views: PhotoViews, place: int) -> PhotoViews:
    rows, copies = slice(place, place + 1), views.copies[views.photo == place]
    zeros = np.zeros(len(copies), np.int64)
    return PhotoViews(views.plain[rows], copies, zeros, views.attributes[rows])


def _template(own: PhotoVectors) -> Floats:
    mean = own.plain_views().mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _logits(chance: Floats) -> Floats:
    inside = np.clip(chance.astype(np.float32), _CLIP, 1 - _CLIP)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)


def _logit(head: object, vectors: Floats) -> Floats:
    return head.logits({IDENTITY: vectors})[:, 0]  # type: ignore[attr-defined,no-any-return]
