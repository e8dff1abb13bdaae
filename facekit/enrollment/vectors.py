"""Vectors of photos: each as it is, and of augmented copies of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, Float64, Int64, UInt8
from facekit.augment.photos import augment_photos
from facekit.bundle.bundle import IDENTITY, Bundle, identity_vectors, join_views
from facekit.enrollment.photo import Photo
from facekit.enrollment.sessions import stored_arrays
from facekit.errors import DataError
from facekit.recipe.enroll import PhotoAugmentSpec

_PREFIX: Final = "view_"
_ATTRIBUTES: Final = 40
_HEAD: Final = "attributes"
#: Copies that are embedded together, and copies of each photo that are kept as
#: pictures: memory does not grow with the number of copies.
_TOGETHER: Final = 512
_SHOWN: Final = 16


#: Weight of a photo's plain view; all its augmented copies share the rest
#: (data/trials.md).
_PLAIN: Final = 0.8


@dataclass(frozen=True, eq=False)
class PhotoVectors:
    """Views of the photos used: each as it is, and augmented copies of it.

    Attributes:
        vectors: float32 array of shape (v, d), rows of length 1.
        photo: int64 array of shape (v,): which photo each shows, in [0, photos).
        plain: bool array of shape (v,): one view of each photo is as it is.
        session: int64 array of shape (photos,): photos of one sitting share one.
        attributes: float32 array of shape (photos, 40), probabilities.
    """

    vectors: Float32
    photo: Int64
    plain: Bool
    session: Int64
    attributes: Float32

    def __post_init__(self) -> None:
        """Check that every photo has one plain view and everything fits."""
        n, views = len(self.session), len(self.vectors)
        lengths = (len(self.photo), len(self.plain), len(self.attributes))
        if not n or lengths != (views, views, n) or not np.isfinite(self.vectors).all():
            raise DataError(f"{views} views {lengths} of {n} photos do not fit together")
        if not np.array_equal(np.sort(self.photo[self.plain]), np.arange(n)):
            raise DataError(f"each of {n} photos needs exactly one view as it is")

    def weights(self) -> Float64:
        """How much each view counts: photos count the same."""
        copies = np.bincount(self.photo[~self.plain], minlength=len(self.session))[self.photo]
        shared = (1 - _PLAIN) / np.maximum(copies, 1)
        return np.where(self.plain, np.where(copies, _PLAIN, 1.0), shared)

    def plain_views(self) -> Float32:
        """float32 array of shape (photos, d): each photo as it is, in order."""
        out = np.empty((len(self.session), self.vectors.shape[1]), np.float32)
        out[self.photo[self.plain]] = self.vectors[self.plain]
        return out


@dataclass(frozen=True, eq=False)
class PhotoViews:
    """What is embedded of n photos, kept so that no photo is read twice.

    Attributes:
        plain: float32 array of shape (n, d), vectors of the photos in the part that
            is read, made as identity vectors are.
        copies: float32 array of shape (c, d), of their augmented copies.
        photo: int64 array of shape (c,): which photo each copy shows, in [0, n).
        attributes: float32 array of shape (n, 40), probabilities; NaN for a model
            without them.
    """

    plain: Float32
    copies: Float32
    photo: Int64
    attributes: Float32

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

    def vectors(self, session: Int64) -> PhotoVectors:
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

    def arrays(self) -> dict[str, AnyArray]:
        """Everything as arrays, for ``read_views``."""
        return {_PREFIX + name: getattr(self, name) for name in self.__dataclass_fields__}


def make_views(
    bundle: Bundle,
    photos: Sequence[Photo],
    spec: PhotoAugmentSpec,
    *,
    seed: int,
    part: str = IDENTITY,
) -> tuple[PhotoViews, UInt8]:
    """Augment photos and embed the copies.

    Args:
        bundle: What reads the photos; their crops are in its frame.
        photos: n photos that are used.
        spec: Which copies, and how many of each photo.
        seed: Of the copies; a photo's own file is part of it, so that its copies
            stay the same when other photos come and go.
        part: The part of the embedding that is read.

    Returns:
        The views, and the first copies of each photo as pictures: uint8 RGB array
        of shape (n * min(copies, 16), side, side, 3), all of the first photo first.
    """
    wide = [photo.wide for photo in photos if photo.wide is not None]
    known = [photo.vector for photo in photos if photo.vector is not None]
    if not photos or len(wide) != len(photos) or len(known) != len(photos):
        raise DataError("only photos that are used can be augmented, and at least one")
    seeds = [int(photo.digest[:8], 16) ^ seed for photo in photos]
    plain, looks = _plain(bundle, photos, part)
    copies, shown = [np.zeros((0, plain.shape[1]), np.float32)], []
    step = max(1, _TOGETHER // max(1, spec.copies))
    for start in range(0, len(photos), step):
        some = slice(start, start + step)
        pictures = augment_photos(
            wide[some], spec, frame=bundle.frame, copies=spec.copies, seeds=seeds[some]
        )
        if len(pictures):
            copies.append(identity_vectors(bundle, pictures, part))
        each = pictures.reshape(len(wide[some]), spec.copies, *pictures.shape[1:])[:, :_SHOWN]
        shown.append(each.reshape(-1, *pictures.shape[1:]).copy())
    which = np.repeat(np.arange(len(photos)), spec.copies)
    views = PhotoViews(plain, np.concatenate(copies), which, looks)
    return views, np.concatenate(shown)


def _plain(bundle: Bundle, photos: Sequence[Photo], part: str) -> tuple[Float32, Float32]:
    """Vectors and attributes of photos as they are, (n, d) and (n, 40)."""
    if part == IDENTITY:  # what told them from others is what is read
        unknown = np.full(_ATTRIBUTES, np.nan, np.float32)
        rows = [unknown if photo.attributes is None else photo.attributes for photo in photos]
        return np.stack([p.vector for p in photos if p.vector is not None]), np.stack(rows)
    crops = np.stack([photo.crop for photo in photos if photo.crop is not None])
    heads = [_HEAD] if _HEAD in bundle.heads else []
    reading = bundle.read_views(crops, heads, [part])
    nobody = np.full((len(crops), _ATTRIBUTES), np.nan, np.float32)
    looks = reading.scores[_HEAD] if heads else nobody
    return join_views(reading.embedding[part], reading.mirrored[part]), looks


def read_views(arrays: Mapping[str, AnyArray]) -> PhotoViews:
    """Read back what ``PhotoViews.arrays`` gave; other arrays are left alone.

    Raises:
        DataError: An array is missing or has another shape.
    """
    views = PhotoViews(**stored_arrays(arrays, _PREFIX, PhotoViews.__dataclass_fields__))
    n, d = views.plain.shape if views.plain.ndim == 2 else (-1, -1)
    shapes = (views.copies.shape[1:], views.photo.shape, views.attributes.shape)
    fits = shapes == ((d,), views.copies.shape[:1], (n, _ATTRIBUTES))
    if not fits or not np.isin(views.photo, np.arange(n)).all():
        raise DataError("what the enrolment says of its photos does not fit together: enrol again")
    return views
