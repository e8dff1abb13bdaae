"""Strangers that a face is held against: is it more like you than they are?

One half of them teaches a neuron beside your own photos, the other half ranks:
what counts is never a score but the share of strangers that reach it. Measured
on 12 people of LFW (each photo against ten others, 550 times, 400 LFW strangers
planted) and 4 of CelebA (83 unaligned photos, each against all others):

    bar                        0.5 %   1 %    2.5 %  5 %
    own photos lost, LFW       0.9 %   0.7 %  0.7 %  0.4 %
    own photos lost, unaligned 3       2      0      0
    strangers let in           1.6 %   3.0 %  6.3 %  11.5 %

Where one photo in ten shows somebody else, 1 to 2.5 % cost the fewest mistakes.
The upper end was taken, because whoever refuses his own hardest photos will
measure an error rate that is too good. More strangers are let in than the bar
says, because CelebA's are mostly women, LFW's mostly men.

Alone, the cosine to the mean of the others loses more of few photos: 10 % of
them with one other photo at 1 % (the neuron 2 %), 2 % with five (0 %). One bar on
the cosine itself for everybody loses 14 % of ten photos at 1 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.features.identity import IDENTITY
from facekit.heads.neuron import fit_neuron
from facekit.recipe.enroll import EnrollHeadSpec

__all__ = ["AGREES", "FOLLOWS", "Crowd", "Judge"]

Floats = NDArray[np.float32]
#: Vectors (n, d) to (scores (n,), share of strangers that reach each (n,)).
Judge = Callable[[Floats], tuple[Floats, Floats]]

#: A face is yours when at most this share of strangers is as much like your others.
AGREES: Final = 0.025
#: The same while it is still being found out who you are, for cosines to a middle:
#: of 12 photos of one person and 6 of another, 0.5 % of the own ones are lost at any
#: bar from 0.2 to 2 %, and 3.8 % of the others let in at 0.5 %, 6.1 % at 1 % and
#: 8.6 % at 2 %: once one is in, it brings the next.
FOLLOWS: Final = 0.005
#: Share of the pairs of strangers that are as alike as two photos of one person.
_PAIR: Final = 0.01
#: Strangers that the cosines of pairs are taken from.
_PAIRS: Final = 1000


class Crowd:
    """Strangers, all of them different people.

    Args:
        strangers: float32 array of shape (k, d), unit identity vectors in any
            order; none of them may set the threshold of the enrolment later.

    Raises:
        DataError: There are fewer than four.
    """

    def __init__(self, strangers: Floats) -> None:
        if len(strangers) < 4:
            raise DataError(f"{len(strangers)} strangers: at least 4 are needed to compare with")
        self._all = np.asarray(strangers, np.float32)
        self._teaching, self._ranking = self._all[::2], self._all[1::2]

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
