"""Everybody who is not the person: who teaches a head, and who judges it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import AnyArray, Bool, Float32, Float64, Int64, Str
from facekit.bundle.bundle import IDENTITY, Bundle, identity_vectors
from facekit.bundle.strangers import Strangers
from facekit.enrollment.examine import Finder
from facekit.enrollment.gather import examine_all
from facekit.enrollment.rates import refuse_leak, split_people
from facekit.enrollment.subject import ImpostorCohort
from facekit.errors import DataError
from facekit.recipe.enroll import QualitySpec
from facekit.system.terminal import printable, tell

#: How many strangers each of the user's own others counts for: enough to be
#: heard among thousands, and not so many that they push others aside
#: (data/trials.md).
_OWN_WEIGHT: Final = 25.0


@dataclass(frozen=True, eq=False)
class Impostors:
    """Vectors of other people, those who teach apart from those who test.

    Attributes:
        vectors: float32 array of shape (k, d): they teach.
        weights: float64 array of shape (k,): how much each counts.
        people: int64 array of shape (k,): who they are, a number each.
        judging: float32 array of shape (j, d): strangers who set thresholds.
        judges: int64 array of shape (j,): who those are.
        tests: float32 array of shape (t, d): the user's own others, kept out.
        tested: int64 array of shape (t,): who those are.
        taught: How many of the user's own others teach, people.
    """

    vectors: Float32
    weights: Float64
    people: Int64
    judging: Float32
    judges: Int64
    tests: Float32
    tested: Int64
    taught: int


_NAMES: Final = ("negative_vectors", "negative_people")
_SOURCES: Final = "negative_sources"


@dataclass(frozen=True, eq=False)
class Negatives:
    """Faces of others.

    Attributes:
        vectors: float32 array of shape (m, d), in the part that is read.
        people: int64 array of shape (m,): faces of one person share a number.
        photos: Photos that were looked at.
        unusable: Photos without a face that can be used.
        own: Faces left out because they are the person's.
        sources: str array of shape (m,): the folder that each is from, or its photo
            where all lie in one folder; None where an earlier version did not say.
    """

    vectors: Float32
    people: Int64
    photos: int = 0
    unusable: int = 0
    own: int = 0
    sources: Str | None = None

    def record(self) -> dict[str, Any]:
        """Counts as JSON values, and whose vectors are kept: faces by where they are from."""
        sources = [] if self.sources is None else self.sources.tolist()
        return {
            "whose": dict(sorted(Counter(sources).items())),
            "photos": self.photos,
            "faces": len(self.vectors),
            "people": len(np.unique(self.people)),
            "unusable_photos": self.unusable,
            "own_faces_left_out": self.own,
        }

    def arrays(self) -> dict[str, AnyArray]:
        """What ``--add`` needs of them, for ``stored_negatives``."""
        known = {} if self.sources is None else {_SOURCES: self.sources}
        return {**dict(zip(_NAMES, (self.vectors, self.people), strict=True)), **known}


def gather_impostors(
    strangers: Strangers, negatives: Negatives | None, *, seed: int, most: int = 0
) -> Impostors:
    """Strangers, halved as they come, and the user's own others, halved by person.

    Args:
        strangers: That come with the backbone.
        negatives: The user's own others, such as family; None for nobody.
        seed: Who of the user's own others teaches.
        most: Strangers that teach; 0 takes all.

    Raises:
        DataError: The shapes do not fit, a half is empty, or somebody is in both.
    """
    d = strangers.vectors.shape[1]
    own = no_negatives(d) if negatives is None else negatives
    vectors, given = own.vectors, own.people
    if vectors.shape[1:] != (d,) or given.shape != (len(vectors),):
        raise DataError(f"negatives {vectors.shape} of people {given.shape} do not fit (m, {d})")
    _, who = np.unique(given, return_inverse=True)
    who = -1 - who.astype(np.int64)  # the strangers have the numbers from 0 on
    out = split_people(who, seed)
    numbers = np.arange(len(strangers))
    teach, judge = numbers[~strangers.calibration], numbers[strangers.calibration]
    teach = teach[: most or len(teach)]  # they come in random order
    if not len(teach) or not len(judge):
        raise DataError(
            f"{len(teach)} strangers to teach and {len(judge)} to judge: both are needed"
        )
    known = np.unique(who[~out], return_counts=True)
    share = _OWN_WEIGHT / known[1][np.searchsorted(known[0], who[~out])]
    found = Impostors(
        vectors=np.concatenate([strangers.vectors[teach], vectors[~out]]),
        weights=np.concatenate([np.ones(len(teach)), share]),
        people=np.concatenate([teach, who[~out]]),
        judging=strangers.vectors[judge],
        judges=judge,
        tests=vectors[out],
        tested=who[out],
        taught=len(known[0]),
    )
    refuse_leak([], [], found.people, np.concatenate([found.judges, found.tested]))
    _refuse_twins(found)
    return found


def _refuse_twins(found: Impostors) -> None:
    """The very same vector on both sides is one person under two numbers."""
    taught = {row.tobytes() for row in found.vectors}
    shared = sum(row.tobytes() in taught for row in (*found.judging, *found.tests))
    if shared:
        raise DataError(
            f"{shared} vectors would both teach and test: the same pictures are on both sides; "
            "keep each person in one folder, or make the strangers again"
        )


# The user's own others: family and colleagues, who are not the person.

#: Share of the pairs of strangers that are as alike as two faces which count as one
#: person here: too many in one group costs a few negatives, too few splits a person.
_SAME: Final = 0.002
#: A face is taken for the person, who is in many photos of the family, when at most this
#: share of strangers is as like ten of the photos. Of other photos of the same person (12
#: of LFW, 4 of CelebA unaligned) 97 % are known so, of strangers 0.5 % are lost; at 0.1 %
#: 94 and 0.3 %, at 0.5 % 98 and 1.3 %. As like as the least alike quarter: 74 and 0 %.
_OWN: Final = 0.002


def no_negatives(size: int) -> Negatives:
    """Nobody.

    Args:
        size: d, the length of identity vectors.
    """
    return Negatives(np.zeros((0, size), np.float32), np.zeros(0, np.int64))


def stored_negatives(arrays: Mapping[str, AnyArray], size: int) -> Negatives:
    """Those of an earlier enrolment.

    Raises:
        DataError: They have another shape.
    """
    if _NAMES[0] not in arrays:
        return no_negatives(size)
    vectors, people = (arrays.get(name, np.zeros(0)) for name in _NAMES)
    if vectors.shape != (len(people), size):
        raise DataError("what the enrolment says of others does not fit together: enrol again")
    sources = arrays.get(_SOURCES)
    if sources is not None and (sources.shape != people.shape or sources.dtype.kind != "U"):
        raise DataError("what the enrolment says of others does not fit together: enrol again")
    known = Negatives(np.asarray(vectors, np.float32), np.asarray(people, np.int64))
    return replace(known, sources=sources)


def read_negatives(
    files: Sequence[Path],
    model: Finder,
    own: Float32,
    strangers: Float32,
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
        DataError: No photo has a face that can be used, or all faces are the person's.
    """
    sights = examine_all(files, model, QualitySpec(), progress, reader)
    rows, places, crops, unusable = [], [], [], 0
    for path, sight in zip(files, sights, strict=True):
        good = [i for i, look in enumerate(sight.looks) if look.flaw is None]
        unusable += not good
        rows.append(sight.vectors[good].reshape(len(good), own.shape[1]))
        places += [path] * len(good)
        if part != IDENTITY:
            crops += [sight.looks[i].cut.crop for i in good]
    vectors = np.concatenate(rows) if rows else np.zeros((0, own.shape[1]), np.float32)
    if not len(vectors):
        raise DataError(
            f"none of {len(files)} photos of others shows a face that can be used: name a folder "
            "of photos of family or colleagues with --negatives, or leave it out"
        )
    cohort = ImpostorCohort(strangers)
    mine = _own_faces(vectors, own, cohort)
    if mine.all():
        raise DataError(
            f"all {len(mine)} faces in the photos of others are the person's own: name photos of "
            "family or colleagues with --negatives, or leave it out"
        )
    if mine.any():
        tell(
            f"facekit: {mine.sum()} of {len(mine)} faces in the photos of others are the person's "
            "own, so they were left out"
        )
    folders = [path.parent for path in places]
    people = _people(vectors, folders, cohort.pair_bar(_SAME))
    apart = len(set(folders)) > 1
    names = [printable((path.parent if apart else path).name) for path in places]
    if part != IDENTITY:
        vectors = identity_vectors(reader or model.bundle, np.stack(crops), part)
    left = int(mine.sum())
    return Negatives(
        vectors[~mine], people[~mine], len(files), unusable, left, np.array(names, str)[~mine]
    )


def _own_faces(vectors: Float32, own: Float32, cohort: ImpostorCohort) -> Bool:
    """Which faces are the person's: the very same ones, and those that are too like them."""
    same = (vectors @ own.T >= 1 - 1e-6).any(1)
    alike = cohort.judge(own)(vectors)[1] <= _OWN if len(own) > 1 else False
    return np.asarray(same | alike)


def _people(vectors: Float32, folders: Sequence[Path], bar: float) -> Int64:
    """A number for each face; faces of one folder of several, or alike, share one."""
    from scipy.sparse import csr_array  # late: a tenth of a second
    from scipy.sparse.csgraph import connected_components

    joined = vectors @ vectors.T >= bar
    names = np.unique([str(folder) for folder in folders], return_inverse=True)[1]
    if names.max() > 0:  # photos that lie loose in one folder say nothing of who is who
        joined |= names[:, None] == names
    return np.asarray(connected_components(csr_array(joined), directed=False)[1], np.int64)
