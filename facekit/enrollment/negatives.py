"""The user's own others: family and colleagues, who are not the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import Bundle
from facekit.enrollment.crowd import Crowd
from facekit.enrollment.photos import look_at_all
from facekit.enrollment.sight import Finder
from facekit.errors import DataError
from facekit.features.identity import IDENTITY, identity_vectors
from facekit.recipe.enroll import QualitySpec

__all__ = ["Negatives", "no_negatives", "read_negatives", "stored_negatives"]

Floats = NDArray[np.float32]
_NAMES: Final = ("negative_vectors", "negative_people")
#: Share of the pairs of strangers that are as alike as two faces which count as one
#: person here: too many in one group costs a few negatives, too few splits a person.
_SAME: Final = 0.002
#: A face that is as like the person's photos as the least alike quarter of them is
#: taken for the person: many are in their family's photos.
_OWN_QUARTER: Final = 0.25


@dataclass(frozen=True, eq=False)
class Negatives:
    """Faces of others.

    Attributes:
        vectors: float32 array of shape (m, d), in the part that is read.
        people: int64 array of shape (m,): faces of one person share a number.
        photos: Photos that were looked at.
        unusable: Photos without a face that can be used.
        own: Faces left out because they are the person's.
    """

    vectors: Floats
    people: NDArray[np.int64]
    photos: int = 0
    unusable: int = 0
    own: int = 0

    def record(self) -> dict[str, int]:
        """Counts as JSON values."""
        return {
            "photos": self.photos,
            "faces": len(self.vectors),
            "people": len(np.unique(self.people)),
            "unusable_photos": self.unusable,
            "own_faces_left_out": self.own,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What ``--add`` needs of them, for ``stored_negatives``."""
        return dict(zip(_NAMES, (self.vectors, self.people), strict=True))


def no_negatives(size: int) -> Negatives:
    """Nobody.

    Args:
        size: d, the length of identity vectors.
    """
    return Negatives(np.zeros((0, size), np.float32), np.zeros(0, np.int64))


def stored_negatives(arrays: Mapping[str, NDArray[Any]], size: int) -> Negatives:
    """Those of an earlier enrolment.

    Raises:
        DataError: They have another shape.
    """
    if _NAMES[0] not in arrays:
        return no_negatives(size)
    vectors, people = (arrays.get(name, np.zeros(0)) for name in _NAMES)
    if vectors.shape != (len(people), size):
        raise DataError("what the enrolment says of others does not fit together: enrol again")
    return Negatives(np.asarray(vectors, np.float32), np.asarray(people, np.int64))


def read_negatives(
    files: Sequence[Path],
    model: Finder,
    own: Floats,
    strangers: Floats,
    *,
    progress: bool = False,
    reader: Bundle | None = None,
    part: str = IDENTITY,
) -> Negatives:
    """Every face in photos of others.

    Faces in one folder below the top, and faces that are alike, count as one person:
    a person must not both teach and test.

    Args:
        files: Photos; a folder for each person helps and is not needed.
        model: Finds faces and tells people apart.
        own: float32 array of shape (n, d), identity vectors of the person's photos.
        strangers: float32 array of shape (k, d), identity vectors; see ``Crowd``.
        progress: Show a bar.
        reader: What reads the faces, where it is not the model's bundle.
        part: The part of the embedding that is read.

    Raises:
        DataError: No photo has a face that can be used.
    """
    sights = look_at_all(files, model, QualitySpec(), progress, reader)
    rows, folders, crops, unusable = [], [], [], 0
    for path, sight in zip(files, sights, strict=True):
        good = [i for i, look in enumerate(sight.looks) if look.flaw is None]
        unusable += not good
        rows.append(sight.vectors[good].reshape(len(good), own.shape[1]))
        folders += [path.parent] * len(good)
        if part != IDENTITY:
            crops += [sight.looks[i].cut.crop for i in good]
    vectors = np.concatenate(rows) if rows else np.zeros((0, own.shape[1]), np.float32)
    if not len(vectors):
        raise DataError(
            f"none of {len(files)} photos of others shows a face that can be used: name a folder "
            "of photos of family or colleagues with --negatives, or leave it out"
        )
    mine = _own_faces(vectors, own)
    people = _people(vectors, folders, Crowd(strangers).pair_bar(_SAME))
    if part != IDENTITY:
        vectors = identity_vectors(reader or model.bundle, np.stack(crops), part)
    return Negatives(vectors[~mine], people[~mine], len(files), unusable, int(mine.sum()))


def _own_faces(vectors: Floats, own: Floats) -> NDArray[np.bool_]:
    """Which faces are the person's."""
    if len(own) < 2:
        return np.asarray((vectors @ own.T >= 1 - 1e-6).any(1))
    total = own.sum(0)
    others = total - own  # of each photo, all but itself
    lengths = np.linalg.norm(others, axis=1)
    bar = np.quantile((own * others).sum(1) / lengths, _OWN_QUARTER)
    return np.asarray(vectors @ (total / np.linalg.norm(total)) >= bar)


def _people(vectors: Floats, folders: Sequence[Path], bar: float) -> NDArray[np.int64]:
    """A number for each face; faces of one folder of several, or alike, share one."""
    from scipy.sparse import csr_array  # late: a tenth of a second
    from scipy.sparse.csgraph import connected_components

    joined = vectors @ vectors.T >= bar
    names = np.unique([str(folder) for folder in folders], return_inverse=True)[1]
    if names.max() > 0:  # photos that lie loose in one folder say nothing of who is who
        joined |= names[:, None] == names
    return np.asarray(connected_components(csr_array(joined), directed=False)[1], np.int64)
