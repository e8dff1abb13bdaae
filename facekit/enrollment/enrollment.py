"""One enrolled person: a neuron, its thresholds, and what may be claimed of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from facekit import home
from facekit.errors import DataError
from facekit.features.identity import IDENTITY
from facekit.heads.head import Head

if TYPE_CHECKING:
    from facekit.analysis import Face
    from facekit.enrollment.photo_faces import Image

__all__ = ["Answer", "Enrollment", "Verdict"]

Floats = NDArray[np.float32]
Answer = Literal["yes", "no", "unsure"]
#: What a head may read: who somebody is, or what stands in for it.
_PARTS: Final = (IDENTITY, "pooled")


@dataclass(frozen=True)
class Verdict:
    """Whether a face is the enrolled person.

    Attributes:
        score: The neuron's sum; larger means more alike.
        probability: Calibrated on the person's held-out photos and on strangers,
            half of each, in [0, 1].
        verdict: "yes" from the threshold on, "no" below what the person's own
            photos score, "unsure" between the two.
    """

    score: float
    probability: float
    verdict: Answer

    def record(self) -> dict[str, float | str]:
        """The verdict as JSON values."""
        return {
            "score": round(self.score, 6),
            "probability": round(self.probability, 6),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Enrollment:
    """What was learned about one person; biometric data, so it stays with its owner.

    Attributes:
        name: What the person is called.
        head: One output; reads one part of the embedding alone, "identity" or one
            that stands in for it, as the unit mean of both mirror views.
        threshold: The score from which the verdict is "yes".
        reject: The score below which it is "no"; what lies between is "unsure".
        platt: Slope and offset that turn a score into the logit of a probability.
        key: Key of the backbone it was made with.
        bundle: Name of the model it was made with.
        created: Time in ISO 8601, UTC.
        facts: Photos, error rates and claims as JSON values; see ``collect_facts``.
    """

    name: str
    head: Head
    threshold: float
    reject: float
    platt: tuple[float, float]
    key: str
    bundle: str
    created: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the head is one neuron on one part and every number finite."""
        slope, offset = map(float, self.platt)
        object.__setattr__(self, "platt", (slope, offset))
        numbers = (self.threshold, self.reject, *self.platt)
        reads, outputs = self.head.parts, self.head.sizes[1]
        finite = all(map(math.isfinite, numbers)) and slope >= 0
        if len(reads) != 1 or reads[0] not in _PARTS or outputs != 1 or not finite:
            raise DataError(
                f"the enrolment {self.name!r} does not fit together (it reads "
                f"{', '.join(reads)}, outputs {outputs}, numbers {numbers}): enrol again"
            )

    @property
    def part(self) -> str:
        """The part of the embedding that its head reads."""
        return self.head.parts[0]

    @property
    def folder(self) -> Path:
        """Where it is kept once it is written."""
        return home.enrolled_folder() / self.name

    def judge(self, vectors: Floats) -> list[Verdict]:
        """Say of every face whether it is this person.

        Args:
            vectors: float32 array of shape (n, d), from ``identity_vectors`` of its
                part.

        Returns:
            n verdicts.

        Raises:
            BundleError: They are vectors of another backbone.
        """
        scores = self.head.logits({self.part: vectors})[:, 0].astype(np.float64)
        slope, offset = self.platt
        # tanh cannot overflow: (1 + tanh(x / 2)) / 2 is the logistic function.
        probability = (1 + np.tanh((slope * scores + offset) / 2)) / 2
        return [
            Verdict(score, p, self.answer(score))
            for score, p in zip(scores.tolist(), probability.tolist(), strict=True)
        ]

    def answer(self, score: float) -> Answer:
        """What a score is called."""
        if score >= self.threshold:
            return "yes"
        return "no" if score < self.reject else "unsure"

    def verify(
        self, image: Image, *, model: str | Path | None = None, detector: str = "auto"
    ) -> list[tuple[Face, Verdict]]:
        """Look for this person in a photo.

        Args:
            image: The path of a photo, or a uint8 RGB array of shape
                (height, width, 3).
            model: The model it was made with, by name or folder; found by its
                name where that is None.
            detector: As for ``facekit.load``.

        Returns:
            Every face with its verdict, the most alike first; empty without faces.

        Raises:
            ImageError: The photo cannot be used.
            UsageError: The array has another type or shape, or there is no such
                detector.
            BundleError: The model is gone, or has another backbone.
        """
        from facekit.enrollment.verify import verify  # late: detectors

        return verify(self, image, model=model, detector=detector)

    def record(self) -> dict[str, Any]:
        """The enrolment as JSON values, without the numbers of its neuron."""
        return {
            "name": self.name,
            "created": self.created,
            "model": self.bundle,
            "key": self.key,
            "threshold": self.threshold,
            "reject": self.reject,
            "platt": list(self.platt),
            "folder": str(self.folder),
            **self.facts,
        }
