"""Vectors of photos: each as it is, and of augmented copies of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.augment.photos import augment_photos
from facekit.bundle.bundle import Bundle
from facekit.enrollment.fit import PhotoVectors
from facekit.enrollment.photo import Photo
from facekit.errors import DataError
from facekit.features.identity import identity_vectors
from facekit.recipe.enroll import PhotoAugmentSpec

__all__ = ["PhotoViews", "make_views", "read_views"]

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]

_PREFIX: Final = "view_"
_ATTRIBUTES: Final = 40


@dataclass(frozen=True, eq=False)
class PhotoViews:
    """What is embedded of n photos, kept so that no photo is read twice.

    Attributes:
        plain: float32 array of shape (n, d), identity vectors of the photos.
        copies: float32 array of shape (c, d), of their augmented copies.
        photo: int64 array of shape (c,): which photo each copy shows, in [0, n).
        attributes: float32 array of shape (n, 40), probabilities; NaN for a model
            without them.
    """

    plain: Floats
    copies: Floats
    photo: NDArray[np.int64]
    attributes: Floats

    def __len__(self) -> int:
        return len(self.plain)

    def join(self, other: PhotoViews) -> PhotoViews:
        """These photos, then the others."""
        return PhotoViews(
            np.concatenate([self.plain, other.plain]),
            np.concatenate([self.copies, other.copies]),
            np.concatenate([self.photo, other.photo + len(self)]),
            np.concatenate([self.attributes, other.attributes]),
        )

    def vectors(self, session: NDArray[np.int64]) -> PhotoVectors:
        """What a head is fitted on.

        Args:
            session: int64 array of shape (n,): photos of one sitting share one.
        """
        n = len(self)
        return PhotoVectors(
            vectors=np.concatenate([self.plain, self.copies]),
            photo=np.concatenate([np.arange(n), self.photo]),
            plain=np.arange(n + len(self.copies)) < n,
            session=session,
            attributes=self.attributes,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays, for ``read_views``."""
        return {_PREFIX + name: getattr(self, name) for name in self.__dataclass_fields__}


def make_views(
    bundle: Bundle, photos: Sequence[Photo], spec: PhotoAugmentSpec, *, seed: int
) -> tuple[PhotoViews, Images]:
    """Augment photos and embed the copies.

    Args:
        bundle: What embedded the photos.
        photos: n photos that are used.
        spec: Which copies, and how many of each photo.
        seed: Of the copies; a photo's own file is part of it, so that its copies
            stay the same when other photos come and go.

    Returns:
        The views, and the copies as pictures: uint8 RGB array of shape
        (n * copies, side, side, 3), all of the first photo first.
    """
    wide = [photo.wide for photo in photos if photo.wide is not None]
    plain = [photo.vector for photo in photos if photo.vector is not None]
    if not photos or len(wide) != len(photos) or len(plain) != len(photos):
        raise DataError("only photos that are used can be augmented, and at least one")
    seeds = [int(photo.digest[:8], 16) ^ seed for photo in photos]
    frame = bundle.frame
    pictures = augment_photos(wide, spec, frame=frame, copies=spec.copies, seeds=seeds)
    unknown = np.full(_ATTRIBUTES, np.nan, np.float32)
    rows = [unknown if photo.attributes is None else photo.attributes for photo in photos]
    copies = np.zeros((0, len(plain[0])), np.float32)
    if len(pictures):
        copies = identity_vectors(bundle, pictures)
    which = np.repeat(np.arange(len(photos)), spec.copies)
    return PhotoViews(np.stack(plain), copies, which, np.stack(rows)), pictures


def read_views(arrays: Mapping[str, NDArray[Any]]) -> PhotoViews:
    """Read back what ``PhotoViews.arrays`` gave; other arrays are left alone.

    Raises:
        DataError: An array is missing or has another shape.
    """
    names = PhotoViews.__dataclass_fields__
    try:
        views = PhotoViews(*(arrays[_PREFIX + name] for name in names))
    except KeyError as error:
        missing = f"the enrolment says nothing of its photos ({error}): enrol again"
        raise DataError(missing) from None
    n, d = views.plain.shape if views.plain.ndim == 2 else (-1, -1)
    shapes = (views.copies.shape[1:], views.photo.shape, views.attributes.shape)
    fits = shapes == ((d,), views.copies.shape[:1], (n, _ATTRIBUTES))
    if not fits or not np.isin(views.photo, np.arange(n)).all():
        raise DataError("what the enrolment says of its photos does not fit together: enrol again")
    return views
