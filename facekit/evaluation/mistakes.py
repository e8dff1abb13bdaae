"""Which wrong answers were given with the greatest confidence.

They are worth a look: most are wrong labels, the rest say what was not learned.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facekit.evaluation.calibration import checked_probabilities
from facekit.evaluation.weighted import checked_classes


@dataclass(frozen=True)
class Wrong:
    """One wrong answer.

    Attributes:
        row: Which image.
        column: Which attribute.
        probability: Of "the attribute is there", in [0, 1].
        label: What the label says, 1 or 0.
    """

    row: int
    column: int
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
    used_rows: set[int] = set()
    used_columns = [0] * truth.shape[1]
    out: list[Wrong] = []
    for row, column in zip(*np.unravel_index(order, gap.shape), strict=True):
        if len(out) == limit:
            break
        if row in used_rows or used_columns[column] == per_column:
            continue
        used_rows.add(int(row))
        used_columns[column] += 1
        value = float(chance[row, column])
        out.append(Wrong(int(row), int(column), value, int(truth[row, column])))
    return out


@dataclass(frozen=True)
class WrongClass:
    """One wrong answer among classes that exclude each other.

    Attributes:
        row: Which image.
        answer: The class given.
        probability: Of that class, in [0, 1].
        label: The class that the label says.
    """

    row: int
    answer: int
    probability: float
    label: int


def most_confident_wrong_classes(
    labels: ArrayLike, probabilities: ArrayLike, *, limit: int = 24, per_pair: int = 4
) -> list[WrongClass]:
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
    used: Counter[tuple[int, int]] = Counter()
    out: list[WrongClass] = []
    for row in wrong[np.argsort(-sure[wrong], kind="stable")]:
        pair = int(truth[row]), int(said[row])
        if len(out) == limit:
            break
        if used[pair] == per_pair:
            continue
        used[pair] += 1
        out.append(WrongClass(int(row), pair[1], float(sure[row]), pair[0]))
    return out
