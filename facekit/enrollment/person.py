"""One enrolled person: a neuron, its thresholds, and what may be claimed of it.

A gallery is everybody who is enrolled and looked for (ISO/IEC 19795).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from facekit.arrays import Bool, Float32, Float64, Int64
from facekit.bundle.bundle import IDENTITY, Bundle, Reading, join_views
from facekit.bundle.load import load_bundle
from facekit.errors import BundleError, DataError
from facekit.faces import Image, checked_image, find_faces, read_faces
from facekit.heads.head import Head
from facekit.heads.one_person import stack_neurons
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.results import Face
from facekit.system import home

Answer = Literal["yes", "no", "unsure"]
#: Scores may differ so much between one neuron and many at once, of the size of what a
#: neuron adds up: float32 rounds sums of some hundred numbers by less than a tenth of it.
_SLACK: Final = 1e-4
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

    def judge(self, vectors: Float32) -> list[Verdict]:
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
        checked_image(image)
        bundle = kept_bundle(self.bundle if model is None else model)
        self.require_fit(bundle)
        _, found = find_faces(image, _kept_detector(detector), bundle)
        faces = read_faces(found, bundle, Gallery((self,)))
        both = [(face, Verdict(**face.identities[self.name])) for face in faces]  # type: ignore[arg-type]
        return sorted(both, key=lambda one: -one[1].score)

    def require_fit(self, bundle: Bundle) -> None:
        """Refuse a bundle whose backbone is another one.

        Raises:
            BundleError: In one line.
        """
        if self.key != bundle.key:
            raise BundleError(
                f"{self.name} was enrolled with another backbone (of the model "
                f"{self.bundle}) than {bundle.name} has: enrol again with this model, or name "
                f"the other one with --model {self.bundle}"
            )

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


@dataclass(frozen=True)
class Gallery:
    """Enrolments that fit one bundle.

    Attributes:
        enrolled: Who is looked for.
        left_out: Why somebody is not, in one line, by name.
        elsewhere: Who was enrolled on other backbones: their bundles, which read the
            same faces once more, each in its own frame.
        matches: Leave out verdicts of "no", which most are where many are enrolled.
    """

    enrolled: tuple[Enrollment, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[tuple[Bundle, Gallery], ...] = ()
    matches: bool = False

    @cached_property
    def people(self) -> int:
        """How many are looked for, on every backbone."""
        return len(self.enrolled) + sum(others.people for _, others in self.elsewhere)

    @cached_property
    def mirrored(self) -> tuple[str, ...]:
        """The parts of mirrored crops that are needed; none where nobody is looked for."""
        return tuple(sorted({one.part for one in self.enrolled}))

    def identify(self, reading: Reading, n: int) -> list[dict[str, Verdict]]:
        """Verdicts by name for each of n crops.

        Args:
            reading: What a bundle read in them, ``mirrored`` parts included.
            n: How many crops.

        Returns:
            n mappings; empty ones where nobody is looked for. With ``matches`` those of
            "no" are left out.
        """
        vectors = {
            part: join_views(reading.embedding[part], reading.mirrored[part])
            for part in self.mirrored
        }
        if not self.matches:
            verdicts = {one.name: one.judge(vectors[one.part]) for one in self.enrolled}
            return [{name: every[i] for name, every in verdicts.items()} for i in range(n)]
        found: list[dict[str, Verdict]] = [{} for _ in range(n)]
        for place in np.flatnonzero(self._near(vectors).any(0)):
            one = self.enrolled[place]
            for row, verdict in zip(found, one.judge(vectors[one.part]), strict=True):
                if verdict.verdict != "no":
                    row[one.name] = verdict
        return found

    def _near(self, vectors: Mapping[str, Float32]) -> Bool:
        """Whom each face may be, (n, people): one product sifts, ``judge`` alone decides."""
        n = len(next(iter(vectors.values()), ()))
        near = np.ones((n, len(self.enrolled)), bool)
        for part, places, weight, bias, reject in self._neurons:
            near[:, places] = vectors[part] @ weight + bias >= reject
        return near

    @cached_property
    def _neurons(self) -> list[tuple[str, Int64, Float32, Float64, Float64]]:
        """By part: who reads it with one neuron, all weights (d, k), biases, least scores."""
        stacks = []
        for part in self.mirrored:
            places, weight, bias = stack_neurons(
                [one.head if one.part == part else None for one in self.enrolled]
            )
            if len(places):
                reject = np.array([self.enrolled[i].reject for i in places])
                reject -= _SLACK * (1 + np.linalg.norm(weight, axis=0) + np.abs(bias))
                stacks.append((part, places, weight.astype(np.float32), bias, reject))
        return stacks


@lru_cache(maxsize=2)
def kept_bundle(name: str | Path) -> Bundle:
    """What reads photos, kept between calls: opening a graph takes longer than a photo."""
    return load_bundle(name, precision="auto")


@lru_cache(maxsize=2)
def _kept_detector(name: str) -> Detector:
    return find_detector(name)
