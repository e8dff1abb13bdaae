"""Which face of each photo is the person: the one that agrees with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from facekit.arrays import Bool, Float32, Int64
from facekit.bundle.bundle import IDENTITY
from facekit.errors import DataError
from facekit.evaluation.claim import match_cohort, percent
from facekit.heads.one_person import fit_scorer
from facekit.recipe.enroll import EnrollHeadSpec

#: The photo's number to the place of the right face among its faces, or None.
Ask = Callable[[int], int | None]

#: Two faces that both agree are told apart by this much of a score (log-odds of
#: the neuron). On LFW, with three own photos and more, of photos with a stranger
#: beside the person 0.15 % are asked about for that, and in fewer than 0.005 % a
#: stranger is ahead by more; with one own photo 0.8 and 0.03 %.
_APART: Final = 2.0
#: Photos by which the person must be ahead of who is seen second most often: at
#: least two, and a tenth, because detectors miss faces (the embedded one 4 % of
#: 84 unaligned photos) and 1 to 2 % of the own ones do not agree.
_AHEAD: Final = (2, 0.1)
#: Between ``AGREES`` and this share of strangers whoever is there is asked.
_DOUBT: Final = 0.15


@dataclass(frozen=True)
class Choice:
    """What was decided about one photo.

    Attributes:
        face: The place of the likeliest face among its faces; None for a photo
            without faces.
        code: "" where that face is the person, else why not.
        reason: The same in one line.
        doubtful: Whether somebody who knows the person should be asked.
    """

    face: int | None
    code: Literal["", "not_you", "doubtful", "ambiguous"] = ""
    reason: str = ""
    doubtful: bool = False


def choose_faces(
    candidates: Candidates, cohort: ImpostorCohort, ask: Ask | None = None
) -> list[Choice]:
    """Find out who the person is, then which face of each photo agrees.

    The person is who is seen in most photos, or whose vectors are known. First a
    core of faces is found that are alike beyond doubt; then each photo is judged
    by a neuron that the core in the other photos has taught. Faces that are let in
    so teach nothing, else one stranger would bring the next.

    Args:
        candidates: All faces.
        cohort: Strangers.
        ask: Asked where the photos do not say; None to decide without.

    Returns:
        One choice a photo.
    """
    everybody = np.ones(len(candidates.photo), np.bool_)
    core = _core(candidates, cohort, everybody)
    verdicts = _verdicts(candidates, cohort, core)
    doubt = "" if len(candidates.known) else _doubt(candidates, cohort, verdicts)
    asked: dict[int, int | None] = {}
    if doubt and ask is not None:
        photo = _telling_photo(candidates, verdicts)
        place = asked[photo] = ask(photo)
        if place is not None:
            core = _core(candidates, cohort, everybody, seed=int(candidates.faces(photo)[place]))
            verdicts, doubt = _verdicts(candidates, cohort, core), ""
    if doubt:
        return [
            one if one.face is None else Choice(one.face, "ambiguous", doubt) for one in verdicts
        ]
    return [_answered(photo, one, ask, asked) for photo, one in enumerate(verdicts)]


def _answered(photo: int, verdict: Choice, ask: Ask | None, asked: dict[int, int | None]) -> Choice:
    """The verdict, or what somebody who knows the person says."""
    if verdict.doubtful and ask is not None and photo not in asked:
        asked[photo] = ask(photo)
    place = asked.get(photo)
    return verdict if place is None else Choice(place)


def _core(
    candidates: Candidates, cohort: ImpostorCohort, among: Bool, *, seed: int | None = None
) -> Int64:
    """Faces that are one person beyond doubt, a photo each: around those known, or the seed."""
    if len(candidates.known):
        return settle(candidates, cohort, np.full(candidates.photos, NOBODY), among)
    core = settle(candidates, cohort, largest_group(candidates, cohort, among, seed=seed), among)
    if seed is not None:
        core[candidates.photo[seed]] = seed
    return core


def _verdicts(candidates: Candidates, cohort: ImpostorCohort, core: Int64) -> list[Choice]:
    """Each photo is judged by a neuron that the other photos have taught."""
    alike = cohort.like(candidates.own_looks(core))
    everything = candidates.own(core)
    shared = alike.judge(everything) if len(everything) else None
    verdicts = []
    for photo in range(candidates.photos):
        own = candidates.own(core, without=photo)
        same = len(own) == len(everything)
        judge = shared if same else alike.judge(own) if len(own) else None
        verdict = _verdict(candidates, photo, judge, alike.words)
        verdicts.append(_doubted(candidates, photo, verdict, judge, own))
    return verdicts


def _doubt(candidates: Candidates, cohort: ImpostorCohort, verdicts: Sequence[Choice]) -> str:
    """Why it is not certain who the person is, else ""."""
    rows = np.array([_row(candidates, photo, one) for photo, one in enumerate(verdicts)], np.int64)
    seen, voters = int((rows >= 0).sum()), candidates.voters
    if voters > 1 and 2 * seen <= voters:
        return (
            f"nobody is seen in most of the photos (the most frequent face in {seen} of "
            f"{voters}): give photos of one person"
        )
    second = _second(candidates, cohort, rows)
    if second > 1 and seen - second < max(_AHEAD[0], _AHEAD[1] * seen):
        return (
            f"two people are seen about equally often (in {seen} and in {second} of {voters} "
            "photos): add photos that show you without the other"
        )
    return ""


def _second(candidates: Candidates, cohort: ImpostorCohort, person: Int64) -> int:
    """In how many photos the second most frequent person is seen."""
    members = person[person >= 0]
    if not len(members):
        return 0
    others = cohort.near(candidates.vectors[members].mean(0), candidates.vectors) > AGREES
    others[members] = False
    core = _core(candidates, cohort, others)
    if (core >= 0).sum() < 2:
        return 0
    judge = cohort.like(candidates.own_looks(core)).judge(candidates.own(core))
    agrees = others & candidates.good & (judge(candidates.vectors)[1] <= AGREES)
    return len(np.unique(candidates.photo[agrees]))


def _row(candidates: Candidates, photo: int, choice: Choice) -> int:
    """The face that counts for the person, or ``NOBODY``; a face in doubt counts too."""
    if choice.face is None or choice.code == "not_you":
        return NOBODY
    face = int(candidates.faces(photo)[choice.face])
    return face if candidates.good[face] else NOBODY


def _telling_photo(candidates: Candidates, verdicts: Sequence[Choice]) -> int:
    """The photo to ask about: one that shows the person with the fewest others."""
    counts = np.array([len(candidates.faces(photo)) for photo in range(candidates.photos)])
    seen = np.array([_row(candidates, photo, one) >= 0 for photo, one in enumerate(verdicts)])
    best = np.where(seen & (counts > 1), counts, np.where(counts > 0, 1000 + counts, 10**6))
    return int(np.argmin(best))


def _verdict(candidates: Candidates, photo: int, judge: Judge | None, whom: str) -> Choice:
    """One photo; without a judge it is a photo alone."""
    faces = candidates.faces(photo)
    if not len(faces):
        return Choice(None)
    good = candidates.good[faces]
    if judge is None:
        places = np.flatnonzero(good) if good.any() else np.arange(len(faces))
        several = f"it shows {len(places)} people, and no other photo says who is meant"
        first = int(places[0])
        return Choice(first, "ambiguous", several, True) if len(places) > 1 else Choice(first)
    scores, shares = judge(candidates.vectors[faces])
    agrees = shares <= AGREES
    if (agrees & good).any():  # a face that cannot be used takes nobody's place
        agrees &= good
    if not agrees.any():
        best = int(np.argmax(scores))
        share = float(shares[best])
        return Choice(best, "not_you", _stranger(len(faces), share, whom), share <= _DOUBT)
    order = np.flatnonzero(agrees)[np.argsort(-scores[agrees], kind="stable")]
    if len(order) > 1 and scores[order[0]] - scores[order[1]] < _APART:
        words = f"{len(order)} of its {len(faces)} faces may be you: cut the photo to your face"
        return Choice(int(order[0]), "ambiguous", words, True)
    return Choice(int(order[0]))


def _doubted(
    candidates: Candidates, photo: int, verdict: Choice, judge: Judge | None, own: Float32
) -> Choice:
    """The verdict, or doubt: a face that strangers reach and that stands off from the others."""
    if verdict.code or verdict.face is None or judge is None or len(own) < _TYPICAL:
        return verdict
    face = candidates.vectors[candidates.faces(photo)[verdict.face]][None]
    share = float(judge(face)[1][0])
    if share <= SURE:
        return verdict
    among = ((own @ own.T).sum(1) - 1) / (len(own) - 1)
    middle = float(np.median(among))
    bar = middle - _STANDS_OFF * float(np.median(np.abs(among - middle)))
    likeness = float((own @ face[0]).mean())
    if likeness >= bar:
        return verdict
    words = (
        f"perhaps not you: {percent(share)} of strangers are as much like your other photos, and "
        f"it is less like them ({likeness:.2f}) than they are like each other (most have "
        f"{bar:.2f} and more): add photos like it, or leave it out"
    )
    return Choice(verdict.face, "doubtful", words, True)


def _stranger(faces: int, share: float, whom: str) -> str:
    who = "probably not you" if faces == 1 else f"probably none of its {faces} faces is you"
    whose = "this face" if faces == 1 else "the likeliest"
    return (
        f"{who}: of {whom}, {percent(share)} are as much like your other photos as {whose}; "
        f"at most {100 * AGREES:g} % may be"
    )


# All faces of all photos, and the person who is seen most often among them.

#: In place of a face's number: the photo does not show the person.
NOBODY: Final = -1
#: Rounds after which a group that still changes is taken as it is.
_ROUNDS: Final = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidates:
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

    vectors: Float32
    photo: Int64
    good: Bool
    photos: int
    known: Float32
    looks: Float32
    known_looks: Float32

    @classmethod
    def of(
        cls,
        vectors: Sequence[Float32],
        good: Sequence[Sequence[bool]],
        known: Float32,
        *,
        looks: Sequence[Float32] = (),
        known_looks: Float32 | None = None,
    ) -> Candidates:
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

    def faces(self, photo: int) -> Int64:
        """Numbers of the faces of a photo."""
        return np.flatnonzero(self.photo == photo)

    @property
    def voters(self) -> int:
        """Photos with a face that could be used."""
        return len(np.unique(self.photo[self.good]))

    def own(self, chosen: Int64, *, without: int = NOBODY) -> Float32:
        """Vectors of the person: those known, and those chosen in other photos.

        Args:
            chosen: int64 array of shape (photos,), a face or ``NOBODY`` each.
            without: A photo that is left out.
        """
        rows = [face for photo, face in enumerate(chosen) if face >= 0 and photo != without]
        return np.concatenate([self.known, self.vectors[rows]])

    def own_looks(self, chosen: Int64) -> Float32:
        """Attributes of the person; no rows where nobody knows them."""
        both = (self.known_looks, self.looks[chosen[chosen >= 0]])
        told = [rows for rows in both if rows.shape[1]]
        return np.concatenate(told) if told else np.zeros((0, 0), np.float32)


def largest_group(
    candidates: Candidates, cohort: ImpostorCohort, among: Bool, *, seed: int | None = None
) -> Int64:
    """The faces of whoever is seen in most photos, as a first guess.

    Faces are alike when fewer than 1 % of the pairs of strangers are as much. The
    group is gathered around the face that has its like in most other photos.

    Args:
        candidates: All faces.
        cohort: Strangers.
        among: bool array of shape (f,), faces that may be taken.
        seed: The face to gather around, where that is known.

    Returns:
        int64 array of shape (photos,): a face of each photo, or ``NOBODY``.
    """
    chosen = np.full(candidates.photos, NOBODY)
    able = np.flatnonzero(among & candidates.good)
    start = [seed] if seed is not None else able.tolist()
    best: tuple[int, float] = (0, 0.0)
    bar = cohort.pair_bar()
    for face in start:
        group = np.full(candidates.photos, NOBODY)
        cosine = candidates.vectors[able] @ candidates.vectors[face]
        for row in np.argsort(cosine, kind="stable"):  # the nearest of a photo comes last
            if cosine[row] > bar:
                group[candidates.photo[able[row]]] = able[row]
        group[candidates.photo[face]] = face
        members = group[group >= 0]
        rank = (len(members), float((candidates.vectors[members] @ candidates.vectors[face]).sum()))
        if rank > best:
            best, chosen = rank, group
    return chosen


def settle(candidates: Candidates, cohort: ImpostorCohort, chosen: Int64, among: Bool) -> Int64:
    """Let a group find its members: in each photo the face nearest to the others.

    A face stays when at most ``FOLLOWS`` of the strangers are as near to the
    middle of the other members, so that no face speaks for itself.

    Args:
        candidates: All faces.
        cohort: Strangers.
        chosen: int64 array of shape (photos,), a first guess.
        among: bool array of shape (f,), faces that may be taken.

    Returns:
        int64 array of shape (photos,).
    """
    for _ in range(_ROUNDS):
        found = np.full(candidates.photos, NOBODY)
        for photo, faces in _able(candidates, among):
            own = candidates.own(chosen, without=photo)
            if not len(own):  # alone: there is nothing to agree with
                found[photo] = chosen[photo]
                continue
            middle = own.mean(0)
            share = cohort.near(middle, candidates.vectors[faces])
            nearest = int(np.argmax(candidates.vectors[faces] @ middle))
            if share[nearest] <= FOLLOWS:
                found[photo] = faces[nearest]
        if np.array_equal(found, chosen):
            break
        chosen = found
    return chosen


def _able(candidates: Candidates, among: Bool) -> Iterator[tuple[int, Int64]]:
    """Photos with the faces of each that may be taken; photos without are left out."""
    able = np.flatnonzero(among & candidates.good)
    for photo in np.unique(candidates.photo[able]):
        yield int(photo), able[candidates.photo[able] == photo]


# Strangers that a face is held against: is it more like you than they are?
#
# One half of them teaches a neuron beside your own photos, the other half ranks:
# what counts is never a score but the share of strangers that reach it, of those
# who have your apparent sex and age. Measured on 12 people of LFW (each photo
# against ten others, 400 LFW strangers planted) and 4 of CelebA (83 unaligned
# photos, each against all others of the person, the same strangers):
#
#     bar                                      1 %       2.5 %     5 %
#     strangers alike: own lost, LFW           0.7 %     0.7 %     0.7 %
#                      own lost, unaligned     3         1         0
#                      let in, LFW / unaligned 0.9/0.4 % 2.2/1.3 % 4.4/2.5 %
#     all strangers:   own lost, LFW           0.7 %     0.7 %     0.0 %
#                      own lost, unaligned     2         0         0
#                      let in, LFW / unaligned 2.9/1.1 % 6.3/2.2 % 11.3/5.6 %
#
# Where one photo in ten shows somebody else, all bars cost about as many mistakes.
# The widest was taken, because whoever refuses his own hardest photos will measure
# an error rate that is too good. The embedded detector cuts faces out less well: 1
# of its 82 unaligned photos is lost.
#
# Alone, the cosine to the mean of the others loses more of few photos: 10 % of
# them with one other photo at 1 % of all strangers (the neuron 2 %), 2 % with five
# (0 %). One bar on the cosine itself for everybody loses 14 % of ten photos at 1 %.

#: Vectors (n, d) to (scores (n,), share of strangers that reach each (n,)).
Judge = Callable[[Float32], tuple[Float32, Float32]]

#: A face is yours when at most this share of strangers is as much like your others.
AGREES: Final = 0.05
#: It is beyond doubt at most at this share; between the two it must be about as like the
#: others as they are like each other: the mean of its cosines not further below their
#: median than so many times the median deviation (3 standard deviations), of so many
#: photos at least. With 14 own photos of the same people and each of the strangers
#: planted, 4.2 % are let in by ``AGREES`` alone (LFW; unaligned 2.1 %), 1.0 % (0.4 %) so;
#: own ones lost are 1.8 % (3.0 %) in place of 1.2 % (1.8 %).
SURE: Final = 0.01
_STANDS_OFF: Final = 3 * 1.4826
_TYPICAL: Final = 8
#: The same while it is still being found out who you are, for cosines to a middle
#: and all strangers: of 12 photos of one person and 6 of another, 0.6 to 0.8 % of the
#: own ones are lost whatever the bar, and 4.5 % of the others let in at 0.5 %, 5.1 %
#: at 1 % and 7.3 % at 2 %: once one is in, it brings the next.
FOLLOWS: Final = 0.005
#: Share of the pairs of strangers that are as alike as two photos of one person.
_PAIR: Final = 0.01
#: Strangers of the same sex and age that must be there to rank; else wider ones do:
#: with so many, 5 % are known to within 2 % (standard error).
_NEEDED: Final = 100
#: Strangers that the cosines of pairs are taken from.
_PAIRS: Final = 1000


class ImpostorCohort:
    """Strangers, all of them different people.

    Args:
        strangers: float32 array of shape (k, d), unit identity vectors in any
            order; none of them may set the threshold of the enrolment later.
        attributes: float array of shape (k, 40) of probabilities, to choose those
            who are like somebody; None to rank by all.

    Attributes:
        words: Who ranks.

    Raises:
        DataError: There are fewer than four.
    """

    def __init__(self, strangers: Float32, attributes: Float32 | None = None) -> None:
        if len(strangers) < 4:
            raise DataError(f"{len(strangers)} strangers: at least 4 are needed to compare with")
        self.words = "strangers"
        self._all = np.asarray(strangers, np.float32)
        self._teaching, self._ranking = self._all[::2], self._all[1::2]
        self._attributes = None if attributes is None else attributes[1::2]

    def like(self, own: Float32) -> ImpostorCohort:
        """The same, ranking by strangers of a person's apparent sex and age.

        Args:
            own: float array of shape (m, 40), attribute probabilities of the
                person; nothing changes where m is 0 or the strangers have none.
        """
        if self._attributes is None or not len(own):
            return self
        cohort = match_cohort(own, self._attributes, "matched", _NEEDED)
        alike = copy(self)
        alike.words = cohort.words
        alike._ranking = self._ranking[cohort.rows]
        alike._attributes = self._attributes[cohort.rows]
        return alike

    def pair_bar(self, share: float = _PAIR) -> float:
        """The cosine that this share of the pairs of strangers reaches."""
        one, other = self._teaching[:_PAIRS], self._ranking[:_PAIRS]
        return float(np.quantile(one @ other.T, 1 - share))

    def near(self, middle: Float32, vectors: Float32) -> Float32:
        """Which share of strangers is as near to a middle as each vector.

        Args:
            middle: float32 array of shape (d,).
            vectors: float32 array of shape (n, d).

        Returns:
            float32 array of shape (n,), in [0, 1].
        """
        return _shares(self._all @ middle, vectors @ middle)

    def judge(self, own: Float32) -> Judge:
        """Learn to tell a person from strangers.

        Args:
            own: float32 array of shape (m, d), m >= 1 vectors of the person.

        Returns:
            What scores vectors and ranks the scores among strangers.
        """
        weight = np.ones(len(own), np.float32)
        head = fit_scorer(own, weight, self._teaching, EnrollHeadSpec())
        others = head.logits({IDENTITY: self._ranking})[:, 0]

        def judged(vectors: Float32) -> tuple[Float32, Float32]:
            scores = head.logits({IDENTITY: np.asarray(vectors, np.float32)})[:, 0]
            return scores, _shares(others, scores)

        return judged


def _shares(strangers: Float32, scores: Float32) -> Float32:
    """The share of strangers that reach each score."""
    below = np.searchsorted(np.sort(strangers), scores, side="left")
    return np.asarray(1 - below / len(strangers), np.float32)
