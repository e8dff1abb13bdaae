"""Strangers that a face is held against: is it more like you than they are?

One half of them teaches a neuron beside your own photos, the other half ranks:
what counts is never a score but the share of strangers that reach it, of those
who have your apparent sex and age. Measured on 12 people of LFW (each photo
against ten others, 400 LFW strangers planted) and 4 of CelebA (83 unaligned
photos, each against all others of the person, the same strangers):

    bar                                      1 %       2.5 %     5 %
    strangers alike: own lost, LFW           0.7 %     0.7 %     0.7 %
                     own lost, unaligned     3         1         0
                     let in, LFW / unaligned 0.9/0.4 % 2.2/1.3 % 4.4/2.5 %
    all strangers:   own lost, LFW           0.7 %     0.7 %     0.0 %
                     own lost, unaligned     2         0         0
                     let in, LFW / unaligned 2.9/1.1 % 6.3/2.2 % 11.3/5.6 %

Where one photo in ten shows somebody else, all bars cost about as many mistakes.
The widest was taken, because whoever refuses his own hardest photos will measure
an error rate that is too good. The embedded detector cuts faces out less well: 1
of its 82 unaligned photos is lost.

Alone, the cosine to the mean of the others loses more of few photos: 10 % of
them with one other photo at 1 % of all strangers (the neuron 2 %), 2 % with five
(0 %). One bar on the cosine itself for everybody loses 14 % of ten photos at 1 %.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.evaluation.cohort import match_cohort
from facekit.features.identity import IDENTITY
from facekit.heads.neuron import fit_neuron
from facekit.recipe.enroll import EnrollHeadSpec

__all__ = ["AGREES", "FOLLOWS", "Crowd", "Judge"]

Floats = NDArray[np.float32]
#: Vectors (n, d) to (scores (n,), share of strangers that reach each (n,)).
Judge = Callable[[Floats], tuple[Floats, Floats]]

#: A face is yours when at most this share of strangers is as much like your others.
AGREES: Final = 0.05
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


class Crowd:
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

    def __init__(self, strangers: Floats, attributes: Floats | None = None) -> None:
        if len(strangers) < 4:
            raise DataError(f"{len(strangers)} strangers: at least 4 are needed to compare with")
        self.words = "strangers"
        self._all = np.asarray(strangers, np.float32)
        self._teaching, self._ranking = self._all[::2], self._all[1::2]
        self._attributes = None if attributes is None else attributes[1::2]

    def like(self, own: Floats) -> Crowd:
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

    def near(self, middle: Floats, vectors: Floats) -> Floats:
        """Which share of strangers is as near to a middle as each vector.

        Args:
            middle: float32 array of shape (d,).
            vectors: float32 array of shape (n, d).

        Returns:
            float32 array of shape (n,), in [0, 1].
        """
        return _shares(self._all @ middle, vectors @ middle)

    def judge(self, own: Floats) -> Judge:
        """Learn to tell a person from strangers.

        Args:
            own: float32 array of shape (m, d), m >= 1 vectors of the person.

        Returns:
            What scores vectors and ranks the scores among strangers.
        """
        spec = EnrollHeadSpec()
        weight = np.ones(len(own), np.float32)
        head = fit_neuron(own, weight, self._teaching, strength=spec.strength, share=spec.share)
        others = head.logits({IDENTITY: self._ranking})[:, 0]

        def judged(vectors: Floats) -> tuple[Floats, Floats]:
            scores = head.logits({IDENTITY: np.asarray(vectors, np.float32)})[:, 0]
            return scores, _shares(others, scores)

        return judged


def _shares(strangers: Floats, scores: Floats) -> Floats:
    """The share of strangers that reach each score."""
    below = np.searchsorted(np.sort(strangers), scores, side="left")
    return np.asarray(1 - below / len(strangers), np.float32)
