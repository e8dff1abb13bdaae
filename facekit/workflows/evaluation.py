"""What an evaluation gives: typed results whose record is the printed JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ClassEvaluation", "Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """A bundle's attributes measured on one partition.

    Attributes:
        task: What was measured: ``attributes``.
        dataset: Name of the data.
        split: train, val or test.
        n: Number of images.
        model: Name of the bundle.
        metrics: Means over the attributes, in [0, 1]; None where one cannot be
            taken (one class only, say).
        intervals: Their 95 % intervals [low, high], or None.
        per_attribute: The same measures of every attribute.
    """

    task: str
    dataset: str
    split: str
    n: int
    model: str
    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]
    per_attribute: dict[str, dict[str, float | None]]

    def record(self) -> dict[str, Any]:
        """The same in JSON's own types, as ``facekit evaluate --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class ClassEvaluation:
    """A bundle's classes (emotions, or anybody's own) measured on one partition.

    Attributes:
        task: What was measured: ``emotions`` or ``classes``.
        dataset: Name of the data.
        split: train, val or test.
        n: Number of images that have a label among the model's classes.
        model: Name of the bundle.
        metrics: Accuracy, macro measures, calibration error and log loss.
        intervals: Their 95 % intervals [low, high].
        per_class: Precision, recall, F1 (None where the data lack the class) and
            number of images of each class.
        confusion: Counts; rows are labels and columns answers, both in the order
            of ``per_class``.
    """

    task: str
    dataset: str
    split: str
    n: int
    model: str
    metrics: dict[str, float]
    intervals: dict[str, list[float] | None]
    per_class: dict[str, dict[str, float | int | None]]
    confusion: list[list[int]]

    def record(self) -> dict[str, Any]:
        """The same in JSON's own types, as ``facekit evaluate --json`` prints it."""
        return asdict(self)
