"""All faces of all photos, and the person who is seen most often among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.enrollment.crowd import FOLLOWS, Crowd

__all__ = ["NOBODY", "Gallery", "largest_group", "settle"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: In place of a face's number: the photo does not show the person.
NOBODY: Final = -1
#: Rounds after which a group that still changes is taken as it is.
_ROUNDS: Final = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Gallery:
    """Faces of several photos, photo by photo.

    Attributes:
        vectors: float32 array of shape (f, d), unit identity vectors.
        photo: int64 array of shape (f,), the photo of each face, ascending.
        good: bool array of shape (f,), whether its quality is good enough.
        photos: How many photos there are, those without faces too.
        known: float32 array of shape (k, d), vectors of the person from before.
        looks: float32 array of shape (f, 40) of attribute probabilities, or (f, 0).
        known_looks: The same of those known.
    """

    vectors: Floats
    photo: Ints
    good: Mask
    photos: int
    known: Floats
    looks: Floats
    known_looks: Floats

    @classmethod
    def of(
        cls,
        vectors: Sequence[Floats],
        good: Sequence[Sequence[bool]],
        known: Floats,
        *,
        looks: Sequence[Floats] = (),
        known_looks: Floats | None = None,
    ) -> Gallery:
        """Join the faces of photos; each photo gives its vectors and which are good."""
        counts = [len(rows) for rows in vectors]
        joined = np.concatenate(looks) if looks else np.zeros((sum(counts), 0), np.float32)
        return cls(
            vectors=np.concatenate([*vectors, known[:0]]),
            photo=np.repeat(np.arange(len(counts)), counts),
            good=np.array([one for rows in good for one in rows], np.bool_),
            photos=len(counts),
            known=known,
            looks=joined,
            known_looks=joined[:0] if known_looks is None else known_looks,
        )

    def faces(self, photo: int) -> Ints:
        """Numbers of the faces of a photo."""
        return np.flatnonzero(self.photo == photo)

    @property
    def voters(self) -> int:
        """Photos with a face that could be used."""
        return len(np.unique(self.photo[self.good]))

    def own(self, chosen: Ints, *, without: int = NOBODY) -> Floats:
        """Vectors of the person: those known, and those chosen in other photos.

        Args:
            chosen: int64 array of shape (photos,), a face or ``NOBODY`` each.
            without: A photo that is left out.
        """
        rows = [face for photo, face in enumerate(chosen) if face >= 0 and photo != without]
        return np.concatenate([self.known, self.vectors[rows]])

    def own_looks(self, chosen: Ints) -> Floats:
        """Attributes of the person; no rows where nobody knows them."""
        both = (self.known_looks, self.looks[chosen[chosen >= 0]])
        told = [rows for rows in both if rows.shape[1]]
        return np.concatenate(told) if told else np.zeros((0, 0), np.float32)


def largest_group(gallery: Gallery, crowd: Crowd, among: Mask, *, seed: int | None = None) -> Ints:
    """The faces of whoever is seen in most photos, as a first guess.

    Faces are alike when fewer than 1 % of the pairs of strangers are as much. The
    group is gathered around the face that has its like in most other photos.

    Args:
        gallery: All faces.
        crowd: Strangers.
        among: bool array of shape (f,), faces that may be taken.
        seed: The face to gather around, where that is known.

    Returns:
        int64 array of shape (photos,): a face of each photo, or ``NOBODY``.
    """
    chosen = np.full(gallery.photos, NOBODY)
    able = np.flatnonzero(among & gallery.good)
    start = [seed] if seed is not None else able.tolist()
    best: tuple[int, float] = (0, 0.0)
    bar = crowd.pair_bar()
    for face in start:
        group = np.full(gallery.photos, NOBODY)
        cosine = gallery.vectors[able] @ gallery.vectors[face]
        for row in np.argsort(cosine, kind="stable"):  # the nearest of a photo comes last
            if cosine[row] > bar:
                group[gallery.photo[able[row]]] = able[row]
        group[gallery.photo[face]] = face
        members = group[group >= 0]
        rank = (len(members), float((gallery.vectors[members] @ gallery.vectors[face]).sum()))
        if rank > best:
            best, chosen = rank, group
    return chosen


def settle(gallery: Gallery, crowd: Crowd, chosen: Ints, among: Mask) -> Ints:
    """Let a group find its members: in each photo the face nearest to the others.

    A face stays when at most ``FOLLOWS`` of the strangers are as near to the
    middle of the other members, so that no face speaks for itself.

    Args:
        gallery: All faces.
        crowd: Strangers.
        chosen: int64 array of shape (photos,), a first guess.
        among: bool array of shape (f,), faces that may be taken.

    Returns:
        int64 array of shape (photos,).
    """
    for _ in range(_ROUNDS):
        found = np.full(gallery.photos, NOBODY)
        for photo, faces in _able(gallery, among):
            own = gallery.own(chosen, without=photo)
            if not len(own):  # alone: there is nothing to agree with
                found[photo] = chosen[photo]
                continue
            middle = own.mean(0)
            share = crowd.near(middle, gallery.vectors[faces])
            nearest = int(np.argmax(gallery.vectors[faces] @ middle))
            if share[nearest] <= FOLLOWS:
                found[photo] = faces[nearest]
        if np.array_equal(found, chosen):
            break
        chosen = found
    return chosen


def _able(gallery: Gallery, among: Mask) -> Iterator[tuple[int, Ints]]:
    """Photos with the faces of each that may be taken; photos without are left out."""
    able = np.flatnonzero(among & gallery.good)
    for photo in np.unique(gallery.photo[able]):
        yield int(photo), able[gallery.photo[able] == photo]
