"""Which wrong answers were given with the greatest confidence.

They are worth a look: most are wrong labels, the rest say what was not learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from facekit.arrays import Float64, Int64
from facekit.evaluation.calibration import checked_probabilities
from facekit.evaluation.weighted import checked_classes


class Wrong(NamedTuple):
    """One wrong answer.

    Attributes:
        row: Which image.
        answer: The class given; of attributes, which one.
        probability: Of that class, or that the attribute is there; in [0, 1].
        label: The class that the label says; of attributes, 1 or 0.
    """

    row: int
    answer: int
    probability: float
    label: int


def most_confident_mistakes(
    labels: ArrayLike, probabilities: ArrayLike, *, limit: int = 24, per_column: int = 2
) -> list[Wrong]:
    """The answers that were surest and wrong, at most one for each image.

    Args:
        labels: int array of shape (n, k) with 1, 0 and -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1].
        limit: How many to return at most.
        per_column: How many of one attribute at most, so that one badly
            labelled attribute does not fill the list.

    Returns:
        Surest first; an answer on the right side of 0.5 is never among them.

    Raises:
        ValueError: Shapes differ, or a probability is NaN or outside [0, 1].
    """
    truth, chance = checked_probabilities(labels, probabilities)
    gap = np.where(truth >= 0, np.abs(chance - truth), 0.0)
    order = np.argsort(-gap, axis=None, kind="stable")[: int((gap > 0.5).sum())]
    places = zip(*np.unravel_index(order, gap.shape), strict=True)
    wrong = (Wrong(int(i), int(j), float(chance[i, j]), int(truth[i, j])) for i, j in places)
    return _varied(wrong, lambda one: one.answer, per_column, limit)


def most_confident_wrong_classes(
    labels: ArrayLike, probabilities: ArrayLike, *, limit: int = 24, per_pair: int = 4
) -> list[Wrong]:
    """The answers that were surest and wrong.

    Args:
        labels: int array of shape (n,) with classes in [0, k), -1 for unknown.
        probabilities: float array of shape (n, k), in [0, 1]; rows sum to 1.
        limit: How many to return at most.
        per_pair: How many at most with the same label and the same answer, so
            that one common confusion does not fill the list.

    Returns:
        Surest first.

    Raises:
        ValueError: Shapes do not fit, or a row is no distribution.
    """
    truth, chance = checked_classes(labels, probabilities)
    said, sure = chance.argmax(1), chance.max(1)
    wrong = np.flatnonzero((truth >= 0) & (said != truth))
    surest = wrong[np.argsort(-sure[wrong], kind="stable")].tolist()
    found = (Wrong(row, int(said[row]), float(sure[row]), int(truth[row])) for row in surest)
    return _varied(found, lambda one: (one.label, one.answer), per_pair, limit)


def _varied(
    wrong: Iterable[Wrong], kind: Callable[[Wrong], Hashable], most: int, limit: int
) -> list[Wrong]:
    """The first ones, at most one of an image and ``most`` of a kind."""
    rows: set[int] = set()
    kinds: Counter[Hashable] = Counter()
    out: list[Wrong] = []
    for one in wrong:
        if len(out) == limit:
            break
        if one.row not in rows and kinds[kind(one)] < most:
            rows.add(one.row)
            kinds[kind(one)] += 1
            out.append(one)
    return out


# Labels that are likely wrong, by the scores of a model that has not seen them.
#
# Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating
# Uncertainty in Dataset Labels", JAIR 2021): a class is credible for a picture where
# its probability reaches the mean it has on pictures that carry its label, so that
# a class which is hard to see is not contested everywhere. Scores come from
# cross-validation; copies of a picture share a fold, else a model would recall the
# wrong label from the copy.
#
# On FER-2013, with a linear head on a frozen backbone that is right on 56 % of the
# pictures, the ten people of FER+ outvote 92 % of the labels of the 20 surest
# suspects of each class, 86 % of the 50 and 83 % of the 100 surest; of all labels
# they outvote 36 %.

#: Parts of a cross-validation.
FOLDS: Final = 5


@dataclass(frozen=True)
class Suspect:
    """A label that is likely wrong.

    Attributes:
        row: Which picture.
        column: Which attribute; -1 where a picture has one label of several.
        given: The label: a class, or 1 or 0 of an attribute.
        suggested: The more credible one.
        probability: Of the suggested label, in [0, 1].
        own: Probability of the given label, in [0, 1].
    """

    row: int
    column: int
    given: int
    suggested: int
    probability: float
    own: float


def fold_numbers(
    labels: ArrayLike, groups: ArrayLike, *, folds: int = FOLDS, seed: int = 0
) -> Int64:
    """Deal whole groups out to folds, each class about evenly.

    Args:
        labels: int array of shape (n,); a group is dealt by its first label.
        groups: int array of shape (n,), equal numbers stay together.
        folds: How many, in [2, inf).
        seed: Seed of the draw.

    Returns:
        int64 array of shape (n,) with numbers in [0, folds); a fold is empty where
        there are fewer groups than folds.
    """
    _, first, code = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    label = np.asarray(labels)[first]
    size = np.bincount(code)
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.lexsort((-size[order], label[order]))]  # class by class, large groups first
    number = np.empty(len(first), np.int64)
    number[order] = np.arange(len(first)) % folds
    return np.asarray(number[code])


def likely_wrong(labels: ArrayLike, probabilities: ArrayLike, *, most: int = 50) -> list[Suspect]:
    """Suspects among pictures with one label each.

    Args:
        labels: int array of shape (n,) in [0, k), -1 for unknown.
        probabilities: float array of shape (n, k), rows sum to 1, each from a model
            that was not fitted on this row.
        most: How many of a class at most.

    Returns:
        Class by class of the given label, the surest first.

    Raises:
        ValueError: Shapes do not fit.
    """
    truth, chance = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if chance.ndim != 2 or truth.shape != chance.shape[:1]:
        raise ValueError(f"labels {truth.shape} do not fit probabilities {chance.shape}")
    found: list[Suspect] = []
    for row, suggested in _contested(truth, chance, most):
        own, other = float(chance[row, truth[row]]), float(chance[row, suggested])
        found.append(Suspect(row, -1, int(truth[row]), suggested, other, own))
    return found


def likely_wrong_attributes(
    labels: ArrayLike, probabilities: ArrayLike, *, most: int = 10
) -> list[Suspect]:
    """Suspects among yes-or-no attributes.

    Args:
        labels: int array of shape (n, k) with 1, 0 and -1 for unknown.
        probabilities: float array of shape (n, k) in [0, 1], from models that were
            not fitted on these rows.
        most: How many of an attribute's yes, and of its no, at most.

    Returns:
        Attribute by attribute, no before yes, the surest first.

    Raises:
        ValueError: Shapes do not fit.
    """
    truth, chance = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if chance.ndim != 2 or truth.shape != chance.shape:
        raise ValueError(f"labels {truth.shape} do not fit probabilities {chance.shape}")
    found: list[Suspect] = []
    for column in range(truth.shape[1]):
        both = np.stack([1 - chance[:, column], chance[:, column]], axis=1)
        for row, suggested in _contested(truth[:, column], both, most):
            other = float(both[row, suggested])
            found.append(Suspect(row, column, 1 - suggested, suggested, other, 1 - other))
    return found


def _contested(truth: Int64, chance: Float64, most: int) -> Iterator[tuple[int, int]]:
    """(row, credible other class), at most ``most`` a class, the widest gap first."""
    known = np.flatnonzero((truth >= 0) & np.isfinite(chance).all(1))
    own = chance[known, truth[known]]
    usual = np.full(chance.shape[1], np.inf)  # a class without labels is never credible
    for one in np.unique(truth[known]):
        usual[one] = own[truth[known] == one].mean()
    credible = np.where(chance[known] >= usual, chance[known], -1.0)
    credible[np.arange(len(known)), truth[known]] = -1.0
    other = credible.argmax(1)
    gap = credible.max(1) - own
    for one in np.unique(truth[known]):
        rows = np.flatnonzero((truth[known] == one) & (gap > 0))
        for place in rows[np.argsort(-gap[rows], kind="stable")][:most]:
            yield int(known[place]), int(other[place])
