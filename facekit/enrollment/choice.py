"""Which face of each photo is the person: the one that agrees with the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from facekit.enrollment.crowd import AGREES, Crowd, Judge
from facekit.enrollment.gallery import NOBODY, Gallery, largest_group, settle

__all__ = ["Ask", "Choice", "choose_faces"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
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
    code: Literal["", "not_you", "ambiguous"] = ""
    reason: str = ""
    doubtful: bool = False


def choose_faces(gallery: Gallery, crowd: Crowd, ask: Ask | None = None) -> list[Choice]:
    """Find out who the person is, then which face of each photo agrees.

    The person is who is seen in most photos, or whose vectors are known. First a
    core of faces is found that are alike beyond doubt; then each photo is judged
    by a neuron that the core in the other photos has taught. Faces that are let in
    so teach nothing, else one stranger would bring the next.

    Args:
        gallery: All faces.
        crowd: Strangers.
        ask: Asked where the photos do not say; None to decide without.

    Returns:
        One choice a photo.
    """
    everybody = np.ones(len(gallery.photo), np.bool_)
    core = _core(gallery, crowd, everybody)
    verdicts = _verdicts(gallery, crowd, core)
    doubt = "" if len(gallery.known) else _doubt(gallery, crowd, verdicts)
    asked: dict[int, int | None] = {}
    if doubt and ask is not None:
        photo = _telling_photo(gallery, verdicts)
        place = asked[photo] = ask(photo)
        if place is not None:
            core = _core(gallery, crowd, everybody, seed=int(gallery.faces(photo)[place]))
            verdicts, doubt = _verdicts(gallery, crowd, core), ""
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


def _core(gallery: Gallery, crowd: Crowd, among: Mask, *, seed: int | None = None) -> Ints:
    """Faces that are one person beyond doubt, a photo each: around those known, or the seed."""
    if len(gallery.known):
        return settle(gallery, crowd, np.full(gallery.photos, NOBODY), among)
    core = settle(gallery, crowd, largest_group(gallery, crowd, among, seed=seed), among)
    if seed is not None:
        core[gallery.photo[seed]] = seed
    return core


def _verdicts(gallery: Gallery, crowd: Crowd, core: Ints) -> list[Choice]:
    """Each photo is judged by a neuron that the other photos have taught."""
    alike = crowd.like(gallery.own_looks(core))
    everything = gallery.own(core)
    shared = alike.judge(everything) if len(everything) else None
    verdicts = []
    for photo in range(gallery.photos):
        own = gallery.own(core, without=photo)
        same = len(own) == len(everything)
        judge = shared if same else alike.judge(own) if len(own) else None
        verdicts.append(_verdict(gallery, photo, judge, alike.words))
    return verdicts


def _doubt(gallery: Gallery, crowd: Crowd, verdicts: Sequence[Choice]) -> str:
    """Why it is not certain who the person is, else ""."""
    rows = np.array([_row(gallery, photo, one) for photo, one in enumerate(verdicts)], np.int64)
    seen, voters = int((rows >= 0).sum()), gallery.voters
    if voters > 1 and 2 * seen <= voters:
        return (
            f"nobody is seen in most of the photos (the most frequent face in {seen} of "
            f"{voters}): give photos of one person"
        )
    second = _second(gallery, crowd, rows)
    if second > 1 and seen - second < max(_AHEAD[0], _AHEAD[1] * seen):
        return (
            f"two people are seen about equally often (in {seen} and in {second} of {voters} "
            "photos): add photos that show you without the other"
        )
    return ""


def _second(gallery: Gallery, crowd: Crowd, person: Ints) -> int:
    """In how many photos the second most frequent person is seen."""
    members = person[person >= 0]
    if not len(members):
        return 0
    others = crowd.near(gallery.vectors[members].mean(0), gallery.vectors) > AGREES
    others[members] = False
    core = _core(gallery, crowd, others)
    if (core >= 0).sum() < 2:
        return 0
    judge = crowd.like(gallery.own_looks(core)).judge(gallery.own(core))
    agrees = others & gallery.good & (judge(gallery.vectors)[1] <= AGREES)
    return len(np.unique(gallery.photo[agrees]))


def _row(gallery: Gallery, photo: int, choice: Choice) -> int:
    """The face that counts for the person, or ``NOBODY``; a face in doubt counts too."""
    if choice.face is None or choice.code == "not_you":
        return NOBODY
    face = int(gallery.faces(photo)[choice.face])
    return face if gallery.good[face] else NOBODY


def _telling_photo(gallery: Gallery, verdicts: Sequence[Choice]) -> int:
    """The photo to ask about: one that shows the person with the fewest others."""
    counts = np.array([len(gallery.faces(photo)) for photo in range(gallery.photos)])
    seen = np.array([_row(gallery, photo, one) >= 0 for photo, one in enumerate(verdicts)])
    best = np.where(seen & (counts > 1), counts, np.where(counts > 0, 1000 + counts, 10**6))
    return int(np.argmin(best))


def _verdict(gallery: Gallery, photo: int, judge: Judge | None, whom: str) -> Choice:
    """One photo; without a judge it is a photo alone."""
    faces = gallery.faces(photo)
    if not len(faces):
        return Choice(None)
    good = gallery.good[faces]
    if judge is None:
        places = np.flatnonzero(good) if good.any() else np.arange(len(faces))
        several = f"it shows {len(places)} people, and no other photo says who is meant"
        first = int(places[0])
        return Choice(first, "ambiguous", several, True) if len(places) > 1 else Choice(first)
    scores, shares = judge(gallery.vectors[faces])
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


def _stranger(faces: int, share: float, whom: str) -> str:
    who = "probably not you" if faces == 1 else f"probably none of its {faces} faces is you"
    whose = "this face" if faces == 1 else "the likeliest"
    return (
        f"{who}: of {whom}, {100 * share:.2g} % are as much like your other photos as {whose}; "
        f"at most {100 * AGREES:g} % may be"
    )
