"""What is kept of the photos of an enrolment, so that they need not be read again.

Enough to tell a photo that is already there, also cut, recompressed, lighter or
mirrored, and to tell which photos were taken on one occasion; no pixels.

The bars were set on 324 photos of 16 people (12 of LFW, 4 of CelebA unaligned)
and on 80 of them recompressed, halved, made lighter, darker or grey, mirrored,
turned by 2 degrees with noise, or cut, each with its face found anew: 99 % of
these are known as copies, 97 % of those cut by 15 % and 96 % of those cut by a
quarter and recompressed. Of 3,120 pairs of different photos of one person, two
pass as copies: one that is in LFW twice, and two frames of one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, Float64, Int64
from facekit.enrollment.photo import Photo
from facekit.errors import DataError
from facekit.photos.likeness import COLOURS, MIRROR_SIGNS

#: Least product of two identity vectors, of two faces' low frequencies and of two
#: photos' colours: a copy. Without the colours, 3 more pairs pass or every fifth of
#: the cut copies does not.
_COPY: Final = (0.88, 0.70, 0.85)
#: Least product of two photos' low frequencies and of their vectors: a copy too.
_SAME_VIEW: Final = (0.97, 0.85)
#: Vectors and faces: one sitting, or one light.
_SAME_LIGHT: Final = (0.90, 0.75)
#: Low frequencies, or colours, of two whole photos: one place.
_SAME_PLACE: Final = 0.88
_SAME_COLOURS: Final = 0.86
#: What two whole photos share may be a frame, a screen or the grey of prints: where the
#: faces' surroundings are less alike in the same respect, it says nothing. Of 33 pairs
#: of one place or colours among 3,869 of 359 such photos none is, of the others 93 %.
_NEAR: Final = 0.75
#: Seconds between two photos of one occasion. The very same second is a clock that stands.
_HOUR: Final = 3600.0
#: Many photos of few hours whose surroundings are rarely alike (chance: 7 % of the pairs)
#: were scanned or saved then, or the clock was never set: their time says nothing.
_MANY, _RARELY = 4, 0.15

#: Names of the arrays, as they are stored.
_ARRAYS: Final = (
    *("vectors", "faces", "scenes", "colours", "near_scenes", "near_colours"),
    *("looks", "taken"),
)
_PREFIX: Final = "photo_"
_SIZES: Final = {
    "faces": 63,
    "scenes": 63,
    "colours": COLOURS,
    "near_scenes": 63,
    "near_colours": COLOURS,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownPhotos:
    """Traces of n photos that are used.

    Attributes:
        digests: SHA-256 of each file.
        files: Name of each file, with folders where only they tell it from another.
        vectors: float32 array of shape (n, d), identity vectors.
        faces: float32 array of shape (n, 63), low frequencies of the faces.
        scenes: float32 array of shape (n, 63), those of the whole photos.
        colours: float32 array of shape (n, 256), colours of the whole photos.
        near_scenes: float32 array of shape (n, 63), of the faces' surroundings.
        near_colours: float32 array of shape (n, 256); zeros where a photo has none.
        looks: float32 array of shape (n, 40), attribute probabilities; (n, 0) for a
            model without them.
        taken: float64 array of shape (n,), seconds by the camera's clock; NaN where
            nobody knows.
    """

    digests: tuple[str, ...]
    files: tuple[str, ...]
    vectors: Float32
    faces: Float32
    scenes: Float32
    colours: Float32
    near_scenes: Float32
    near_colours: Float32
    looks: Float32
    taken: Float64

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def sessions(self) -> Int64:
        """int64 array of shape (n,): which photos were taken on one occasion.

        Occasions are numbered from 0 by their first photo. Photos join when they
        share a view, colours, light or the hour; who joins one joins all of them.
        """
        labels = _groups(self._joined())
        first = {label: row for row, label in reversed(list(enumerate(labels.tolist())))}
        order = {label: place for place, label in enumerate(sorted(first, key=first.__getitem__))}
        return np.array([order[label] for label in labels.tolist()], np.int64)

    def copies_of(self, row: int) -> Int64:
        """Earlier photos that show the same picture as photo ``row``.

        Returns:
            int64 array of their numbers, in [0, row).
        """
        alike, faces, scenes, colours, near = (
            rows[:row] @ rows[row]
            for rows in (self.vectors, self.faces, self.scenes, self.colours, self.near_scenes)
        )
        faces = np.maximum(faces, self.faces[:row] @ (self.faces[row] * MIRROR_SIGNS))
        scenes = np.maximum(scenes, self.scenes[:row] @ (self.scenes[row] * MIRROR_SIGNS))
        near = np.maximum(near, self.near_scenes[:row] @ (self.near_scenes[row] * MIRROR_SIGNS))
        same = _both(alike, faces, _COPY[:2]) & (colours >= _COPY[2])
        same |= _both(scenes, alike, _SAME_VIEW) & (near >= _NEAR)
        same |= np.array([digest == self.digests[row] for digest in self.digests[:row]], bool)
        return np.flatnonzero(same)

    def take(self, rows: Sequence[int]) -> KnownPhotos:
        """Some of the photos, in the given order."""
        index = np.asarray(rows, np.int64)
        return KnownPhotos(
            digests=tuple(self.digests[i] for i in index),
            files=tuple(self.files[i] for i in index),
            **{name: getattr(self, name)[index] for name in _ARRAYS},
        )

    def with_photos(self, photos: Sequence[Photo]) -> KnownPhotos:
        """These photos, then the used ones among others.

        Raises:
            DataError: The vectors are of another length.
        """
        more = known_photos(photos)
        if not len(self) or not len(more):
            return more if not len(self) else self
        if self.vectors.shape[1] != more.vectors.shape[1]:
            raise DataError(
                f"the photos have vectors of {more.vectors.shape[1]} numbers, those enrolled "
                f"{self.vectors.shape[1]}: use the model they were enrolled with"
            )
        return KnownPhotos(
            digests=self.digests + more.digests,
            files=self.files + more.files,
            **{n: np.concatenate([getattr(self, n), getattr(more, n)]) for n in _ARRAYS},
        )

    def arrays(self) -> dict[str, AnyArray]:
        """Everything as arrays of numbers and strings, for ``read_known``."""
        words = {"digests": np.array(self.digests, "U64"), "files": np.array(self.files, "U")}
        numbers = {name: getattr(self, name) for name in _ARRAYS}
        return {_PREFIX + name: array for name, array in {**words, **numbers}.items()}

    def _joined(self) -> Bool:
        """Pairs of photos of one occasion, bool of shape (n, n)."""
        names = ("vectors", "faces", "scenes", "colours", "near_scenes", "near_colours")
        alike, faces, scenes, colours, near, near_colours = (
            rows @ rows.T for rows in map(self.__getattribute__, names)
        )
        joined = _both(alike, faces, _SAME_LIGHT)
        joined |= _both(scenes, near, (_SAME_PLACE, _NEAR))
        joined |= _both(colours, near_colours, (_SAME_COLOURS, _NEAR))
        joined |= _both(scenes, alike, _SAME_VIEW) & (near >= _NEAR)
        return joined | self._hours(joined | (near >= _NEAR) | (near_colours >= _NEAR))

    def _hours(self, alike: Bool) -> Bool:
        """Pairs of one hour, where looks do not gainsay the clock."""
        apart = np.abs(self.taken[:, None] - self.taken)  # NaN is never within the hour
        hour = np.asarray((apart <= _HOUR) & (apart > 0))
        labels = _groups(hour)
        for label in range(int(labels.max(initial=-1)) + 1):
            rows = np.flatnonzero(labels == label)
            pairs = alike[np.ix_(rows, rows)][np.triu_indices(len(rows), 1)]
            if len(rows) >= _MANY and pairs.mean() < _RARELY:
                hour[rows] = False
        return hour


def known_photos(photos: Sequence[Photo]) -> KnownPhotos:
    """What is kept of the used ones among photos, in their order."""
    used = [(p, p.vector, p.trace) for p in photos if p.used]
    none = np.zeros(0, np.float32)
    whole = [
        (
            p,
            (
                v,
                t.face,
                t.scene,
                t.colours,
                t.near_scene,
                t.near_colours,
                none if p.attributes is None else p.attributes,
            ),
        )
        for p, v, t in used
        if v is not None and t
    ]
    columns = {
        name: np.stack([row[k] for _, row in whole]) if whole else np.zeros((0, size), np.float32)
        for k, (name, size) in enumerate({"vectors": 0, **_SIZES, "looks": 0}.items())
    }
    return KnownPhotos(
        digests=tuple(p.digest for p, _ in whole),
        files=tuple(p.label for p, _ in whole),
        taken=np.array([np.nan if p.taken is None else p.taken for p, _ in whole], np.float64),
        **columns,
    )


def read_known(arrays: Mapping[str, AnyArray]) -> KnownPhotos:
    """Read back what ``KnownPhotos.arrays`` gave; other arrays are left alone.

    Raises:
        DataError: An array is missing or has another shape.
    """
    # Of an earlier version: whole photos alone.
    whole = {_PREFIX + "near_" + name: arrays.get(_PREFIX + name) for name in ("scenes", "colours")}
    arrays = {**{name: rows for name, rows in whole.items() if rows is not None}, **arrays}
    found = stored_arrays(arrays, _PREFIX, ("digests", "files", *_ARRAYS))
    n = len(found["digests"])
    fits = all(array.ndim >= 1 and len(array) == n for array in found.values())
    fits &= all(found[name].shape == (n, size) for name, size in _SIZES.items())
    shapes = tuple(found[name].ndim for name in ("vectors", "looks", "taken"))
    if not fits or shapes != (2, 2, 1):
        raise DataError("what the enrolment says of its photos does not fit together: enrol again")
    digests, files = (found[name].astype(str).tolist() for name in ("digests", "files"))
    return KnownPhotos(
        digests=tuple(digests),
        files=tuple(files),
        taken=np.asarray(found["taken"], np.float64),
        **{name: np.asarray(found[name], np.float32) for name in ("vectors", *_SIZES, "looks")},
    )


def stored_arrays(
    arrays: Mapping[str, AnyArray], prefix: str, names: Iterable[str]
) -> dict[str, AnyArray]:
    """Arrays of an enrolment by their names without the prefix.

    Raises:
        DataError: One is missing.
    """
    try:
        return {name: arrays[prefix + name] for name in names}
    except KeyError as error:
        missing = f"the enrolment says nothing of its photos ({error}): enrol again"
        raise DataError(missing) from None


def _groups(joined: Bool) -> Int64:
    from scipy.sparse import csr_array  # late: a tenth of a second
    from scipy.sparse.csgraph import connected_components

    return np.asarray(connected_components(csr_array(joined), directed=False)[1], np.int64)


def _both(one: Float32, other: Float32, bars: Sequence[float]) -> Bool:
    return np.asarray((one >= bars[0]) & (other >= bars[1]))
