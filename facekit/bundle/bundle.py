"""A loaded bundle: crops in, named parts and scores out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from facekit.arrays import Float32, Float64, UInt8
from facekit.bundle.manifest import Manifest
from facekit.bundle.session import OnnxBackbone
from facekit.errors import BundleError
from facekit.frame import FaceFrame
from facekit.heads.head import Head, activate

#: What overflows is found behind it, and NumPy would print a warning.
_QUIET: Final = functools.partial(np.errstate, over="ignore", invalid="ignore")
#: Which of a bundle's graphs runs; see ``load_bundle``.
Precision = Literal["float", "int8"]
#: The head that brings box-only detections into the frame; it is no answer.
POINTS: Final = "points"


@dataclass(frozen=True)
class Reading:
    """What a bundle read in n crops.

    Attributes:
        embedding: float32 array of shape (n, ...) by part: of the crops as given.
        mirrored: The same of the mirrored crops, the parts that were asked for.
        scores: float32 array of shape (n, k) by head.
    """

    embedding: dict[str, Float32]
    mirrored: dict[str, Float32]
    scores: dict[str, Float32]


@dataclass(frozen=True)
class Bundle:
    """A backbone with its heads, read and checked.

    Attributes:
        folder: Where it was read from.
        manifest: What it says about itself.
        heads: Heads by name.
        backbone: The graph in ONNX Runtime.
        graph: The file of the float graph; a base's where there is one.
        precision: Which graph ``backbone`` is: "float", which everything is fitted and
            measured with, or "int8", which predicts in less time.
    """

    folder: Path
    manifest: Manifest
    heads: dict[str, Head]
    backbone: OnnxBackbone = field(repr=False)
    graph: Path
    precision: Precision = "float"

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.manifest.name

    @property
    def frame(self) -> FaceFrame:
        """The face frame of its crops."""
        return self.manifest.frame.build()

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Shape of every part of the embedding without the batch axis, by name."""
        return self.manifest.parts

    @property
    def key(self) -> str:
        """Short hash of weights and frame: changes with any of them."""
        return self.manifest.key

    def embed(self, crops: UInt8, parts: Sequence[str] | None = None) -> dict[str, Float32]:
        """Embed crops in batches.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3) in ``frame``.
            parts: Which parts to compute; None for all.

        Returns:
            float32 array of shape (n, ...) for each part.

        Raises:
            UsageError: The crops have another shape or type.
            BundleError: There is no such part.
        """
        return self.backbone.embed(crops, parts)

    def refiner(self) -> Callable[[UInt8], Float64] | None:
        """What finds five points in crops made from boxes alone.

        Returns:
            A function of uint8 crops (n, side, side, 3) to points (n, 5, 2) in
            pixels of the crop; None where the bundle has no head ``POINTS``.
        """
        head = self.heads.get(POINTS)
        if head is None:
            return None

        def refine(crops: UInt8) -> Float64:
            with _QUIET():
                shares = head.scores(self.embed(crops, head.parts)).reshape(-1, 5, 2)
            _require_finite(POINTS, shares)
            return shares.astype(np.float64) * self.frame.side

        return refine

    def read(
        self, crops: UInt8, heads: Sequence[str]
    ) -> tuple[dict[str, Float32], dict[str, Float32]]:
        """Embed crops once and read heads; mirrored too where the manifest says so.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3) in ``frame``.
            heads: Names of heads; their logits are averaged over both views.

        Returns:
            The embedding of the crops as given (all parts), and the scores of
            every head, float32 of shape (n, k).
        """
        reading = self.read_views(crops, heads)
        return reading.embedding, reading.scores

    def read_views(
        self, crops: UInt8, heads: Sequence[str], mirrored: Sequence[str] = ()
    ) -> Reading:
        """As ``read``, with parts of the mirrored crops too: one pass a view for all.

        Args:
            crops: uint8 RGB array of shape (n, side, side, 3) in ``frame``.
            heads: Names of heads.
            mirrored: Parts wanted of the mirrored crops.

        Returns:
            Both embeddings and the scores.

        Raises:
            BundleError: The graph fails, or a number is not finite.
        """
        embedding = self.embed(crops)
        with _QUIET():
            scores, other = self._scores(embedding, crops, heads, mirrored)
        for name, rows in scores.items():
            _require_finite(name, rows)
        return Reading(embedding, {name: other[name] for name in mirrored}, scores)

    def _scores(
        self,
        embedding: dict[str, Float32],
        crops: UInt8,
        heads: Sequence[str],
        mirrored: Sequence[str],
    ) -> tuple[dict[str, Float32], dict[str, Float32]]:
        """Scores of every head, and the mirrored parts that they or the caller need."""
        logits = {name: self.heads[name].logits(embedding) for name in heads}
        averaged = heads if self.manifest.mirror else ()
        parts = {part for name in averaged for part in self.heads[name].parts} | set(mirrored)
        other = self.embed(crops[:, :, ::-1], sorted(parts)) if parts else {}
        for name in averaged:
            logits[name] = (logits[name] + self.heads[name].logits(other)) * np.float32(0.5)
        scores = {name: activate(v, self.heads[name].activation) for name, v in logits.items()}
        return scores, other

    def scores(self, crops: UInt8, heads: Sequence[str]) -> dict[str, Float32]:
        """Scores alone; see ``read``."""
        return self.read(crops, heads)[1]


def _require_finite(name: str, rows: Float32) -> None:
    if not np.isfinite(rows).all():
        raise BundleError(f"the head {name!r} gives numbers that are not finite")


# The identity vector of a face: both mirror views, joined.
#
# A backbone without a part that tells people apart can lend another part of one
# axis in its place; its vector is made the same way.

#: The part of the embedding that says who somebody is.
IDENTITY: Final = "identity"
#: Shorter vectors have no direction.
_SHORTEST: Final = 1e-12


def identity_vectors(bundle: Bundle, crops: UInt8, part: str = IDENTITY) -> Float32:
    """Unit mean of the identity part of crops and of their mirror images.

    Args:
        bundle: A bundle whose backbone has the part.
        crops: uint8 RGB array of shape (n, side, side, 3) in the bundle's frame.
        part: The part that is read.

    Returns:
        float32 array of shape (n, d), rows of length 1.

    Raises:
        BundleError: The backbone has no such part.
        UsageError: The crops have another shape or type.
    """
    require_part(bundle, part)
    views = (bundle.embed(view, [part])[part] for view in (crops, crops[:, :, ::-1]))
    return join_views(*views)


def require_part(bundle: Bundle, part: str) -> None:
    """Refuse a bundle that has no such vector.

    Raises:
        BundleError: In one line.
    """
    if part == IDENTITY and part not in bundle.parts:
        raise BundleError(
            f"the model {bundle.name} has no part {IDENTITY!r}, so it cannot tell people apart: "
            "use a model that was trained with an identity teacher, or the recipe me-binary"
        )
    if len(bundle.parts.get(part, ())) != 1:
        flat = ", ".join(name for name, shape in bundle.parts.items() if len(shape) == 1)
        raise BundleError(
            f"the model {bundle.name} has no vector {part!r}: it has {flat or 'none'}"
        )


def join_views(plain: Float32, mirrored: Float32) -> Float32:
    """Unit mean of the unit identity parts of crops and of their mirror images.

    Args:
        plain: float32 array of shape (n, d), of the crops as they are.
        mirrored: The same of the crops mirrored.

    Returns:
        float32 array of shape (n, d), rows of length 1.
    """
    return _unit(_unit(plain) + _unit(mirrored))


def _unit(rows: Float32) -> Float32:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, _SHORTEST), np.float32)
