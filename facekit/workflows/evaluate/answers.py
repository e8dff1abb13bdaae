"""A bundle's answers beside the labels, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.arrays import AnyArray, Float32, Int64, Str, UInt8
from facekit.bundle.bundle import Bundle
from facekit.datasets.table import Table
from facekit.errors import BundleError, DataError
from facekit.evaluation.measures import (
    attribute_intervals,
    attribute_metrics,
    class_intervals,
    class_metrics,
)
from facekit.evaluation.weighted import WeightedAttributes, WeightedClasses
from facekit.labels import EMOTIONS, plain_class
from facekit.report.record import Measured, Metrics, evaluation_record

#: Heads whose labels exclude each other; their names are also the tasks.
CLASS_HEADS: Final = ("emotions", "classes")
#: Rounds of the bootstrap behind every interval.
ROUNDS: Final = 1000
_BLOCK: Final = 1024


@dataclass(frozen=True)
class Answers:
    """Labels beside a bundle's answers, row by row.

    Attributes:
        names: The k attributes, or classes, that the model answers.
        labels: Of attributes int8 array of shape (n, k): 1, 0, -1 for unknown; of
            classes int64 array of shape (n,), positions in ``names``.
        probabilities: float32 array of shape (n, k) in [0, 1]; rows of classes sum to 1.
        majority: The training data's commonest class, or answer of every attribute
            (k,); None if unknown.
        groups: Array of shape (n,): which rows belong together, or None.
        unit: What one group is called.
        thresholds: Of attributes: float array of shape (k,), or None for 0.5.
    """

    names: tuple[str, ...]
    labels: NDArray[np.integer[Any]]
    probabilities: Float32
    majority: Any = None
    groups: AnyArray | None = None
    unit: str = "person"
    thresholds: Float32 | None = None

    @property
    def exclusive(self) -> bool:
        """Whether they are classes, of which each row has one."""
        return self.labels.ndim == 1


def answer_attributes(bundle: Bundle, crops: UInt8, places: Int64, table: Table) -> Answers:
    """Read the attribute head for rows of a crop cache.

    Args:
        bundle: Must have a head ``attributes`` of the table's attributes.
        crops: uint8 RGB array of shape (m, side, side, 3).
        places: int array of shape (n,), the crops of the table's rows in order.
        table: The n rows.

    Returns:
        Labels beside answers.

    Raises:
        BundleError: The bundle has no such head.
    """
    head = bundle.heads.get("attributes")
    if head is None or head.labels != table.label_names:
        raise BundleError(
            f"{bundle.name} has no head for the {len(table.label_names)} attributes (its heads: "
            f"{', '.join(bundle.heads) or 'none'}): name another --model"
        )
    known = bundle.manifest.heads["attributes"].metrics.get("train_majority")
    return Answers(
        head.labels,
        np.asarray(table.labels, np.int8),
        _scores(bundle, "attributes", crops, places),
        None if known is None else np.asarray(known, np.int8),
        table.person,
        thresholds=head.thresholds,
    )


def answer_classes(bundle: Bundle, crops: UInt8, places: Int64, table: Table) -> Answers:
    """Read the head that knows a table's classes, for rows of a crop cache.

    Classes are matched by name (emotions by their other usual names, too). Rows
    with label -1 are left out.

    Args:
        bundle: Needs a head ``emotions`` or ``classes`` that has the classes.
        crops: uint8 RGB array of shape (m, side, side, 3).
        places: int array of shape (n,), the crops of the table's rows in order.
        table: The n rows.

    Returns:
        Labels beside answers, of the rows that have a label.

    Raises:
        BundleError: The bundle has no such head.
        DataError: No row has a label.
    """
    known = np.flatnonzero(table.labels >= 0)
    if not len(known):
        raise DataError(f"none of the {len(table):,} images of {table.name} has a usable label")
    shown = np.asarray(table.labels[known], np.int64)
    name, place = _head(bundle, table.label_names, np.unique(shown).tolist())
    rows = places[known]
    names = bundle.heads[name].labels
    usual = bundle.manifest.heads[name].metrics.get("train_majority")
    return Answers(
        names,
        place[shown],
        _scores(bundle, name, crops, rows),
        names.index(usual) if usual in names else None,
        None if table.person is None else table.person[known],
    )


def known_emotions(labels: Sequence[str]) -> frozenset[str]:
    """Which emotions are among class names, in any usual spelling."""
    return frozenset(plain_class(label) for label in labels).intersection(EMOTIONS)


def known_classes(bundle: Bundle, table: Table) -> Table:
    """Take the labels off rows of emotions that the bundle's head does not know.

    A head of six emotions can be measured on data of seven. Classes of anybody's own
    are left as they are: one that the head lacks is a mistake to be told.

    Args:
        bundle: With or without a head ``emotions`` or ``classes``.
        table: With one label a row.

    Returns:
        The table; labels of unknown emotions are -1 where the head knows two or more
        of the others.
    """
    if table.label_names != EMOTIONS:
        return table
    heads = (bundle.heads[name].labels for name in CLASS_HEADS if name in bundle.heads)
    most = max(map(known_emotions, heads), key=len, default=frozenset[str]())
    if len(most) < 2:
        return table
    place = np.array([name in most for name in EMOTIONS])
    labels = np.asarray(table.labels, np.int64)
    return replace(table, labels=np.where((labels >= 0) & place[labels], labels, -1))


def grouped(answers: Answers, groups: Int64, person: Str | None) -> Answers:
    """Say which answers tell no more than one: those of a person, or of one picture.

    Args:
        answers: Of n rows.
        groups: int array of shape (n,); equal numbers belong together.
        person: The table's column; without it the groups are copies of a picture.

    Returns:
        The answers; ungrouped where every row is a group of its own.
    """
    several = len(np.unique(groups)) < len(groups)
    unit = "distinct picture" if person is None else "person"
    return replace(answers, groups=groups if several else None, unit=unit)


def measure(
    answers: Answers, *, dataset: str, split: str, model: str, rounds: int = ROUNDS
) -> Measured:
    """Metrics and intervals of answers.

    Args:
        answers: Read from a bundle, or made by a training.
        dataset: Name of the data.
        split: Partition measured.
        model: Name of the bundle.
        rounds: Bootstrap rounds; groups are resampled whole where they are known.

    Returns:
        The numbers and their record; its task is ``attributes``, ``emotions`` for the
        seven, or ``classes``.
    """
    given = answers.labels, answers.probabilities
    names, groups = answers.names, answers.groups
    if answers.exclusive:
        task = CLASS_HEADS[0] if names == EMOTIONS else CLASS_HEADS[1]
        classes = WeightedClasses(*given, answers.majority)
        metrics: Metrics = class_metrics(classes, names)
        intervals = class_intervals(classes, groups=groups, unit=answers.unit, rounds=rounds)
    else:
        task = "attributes"
        attributes = WeightedAttributes(*given, answers.thresholds, answers.majority, names)
        metrics = attribute_metrics(attributes)
        intervals = attribute_intervals(attributes, persons=groups, rounds=rounds)
    record = evaluation_record(
        metrics, intervals, task=task, dataset=dataset, split=split, model=model
    )
    return Measured(metrics, intervals, record)


def _scores(bundle: Bundle, head: str, crops: UInt8, rows: Int64) -> Float32:
    blocks = (rows[i : i + _BLOCK] for i in range(0, len(rows), _BLOCK))
    return np.concatenate([bundle.scores(crops[block], [head])[head] for block in blocks])


def _head(bundle: Bundle, classes: tuple[str, ...], shown: list[int]) -> tuple[str, Int64]:
    """Which head, and where each class of the data is among its labels (-1: nowhere).

    Of two heads that know the classes the one with fewer others was made for them.
    """
    fitting: list[tuple[int, str, Int64]] = []
    for name in CLASS_HEADS:
        head = bundle.heads.get(name)
        if head is None or head.activation != "softmax":
            continue
        known = {plain_class(label): i for i, label in enumerate(head.labels)}
        place = np.array([known.get(plain_class(label), -1) for label in classes], np.int64)
        if (place[shown] >= 0).all():
            fitting.append((len(head.labels), name, place))
    if fitting:
        return min(fitting, key=lambda found: found[0])[1:]
    wanted = ", ".join(classes[i] for i in shown[:8]) + (", …" if len(shown) > 8 else "")
    have = "; ".join(
        f"{name}: {', '.join(bundle.heads[name].labels)}"
        for name in CLASS_HEADS
        if name in bundle.heads
    )
    raise BundleError(
        f"{bundle.name} has no head for the classes {wanted} (it has {have or 'no such head'}): "
        "name another --model"
    )
