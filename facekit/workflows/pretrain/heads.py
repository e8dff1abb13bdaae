"""Fit the attribute head of a trained trunk, and calibrate it.

The layer that was trained with the trunk saw augmented crops only. On the frozen
embedding of the crops as they are, and of their mirror images, the same linear
head gains a little (see data/trials.md), in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from facekit.arrays import Bool, Float32, Float64, Floating, Int8, Str, UInt8
from facekit.bundle.bundle import Bundle
from facekit.cache.extract import extract
from facekit.errors import FacekitError, ImageError
from facekit.evaluation.calibration import calibrate, fit_platt
from facekit.frame import FaceFrame
from facekit.heads.head import read_parts
from facekit.heads.kinds import LinearHead, fit_linear
from facekit.heads.logistic import standardise
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.photos.image import decode
from facekit.system.pool import cores
from facekit.system.terminal import progress_bar
from facekit.workflows.evaluate.answers import Answers
from facekit.workflows.sources import Source

#: Parts that the head reads, where the backbone has them.
_PARTS: Final = ("pooled", "identity")
#: Weight of the squared weights on standardised inputs: accuracy on validation
#: was the same within 0.02 points from 300 to 1000 (data/trials.md).
_L2: Final = 500.0


def fit_attributes(bundle: Bundle, source: Source) -> tuple[LinearHead, Answers, bool]:
    """Fit on the training images, calibrate on the validation images.

    Each half of the validation people is answered with the calibration of the
    other half, so that the reported numbers are not those that were fitted.

    Args:
        bundle: The trained backbone.
        source: Crops and labels of both splits.

    Returns:
        The calibrated head, the answers to report, and whether averaging over
        the mirror image lowers the validation loss.
    """
    plain = _fit(bundle, source)
    rows = np.flatnonzero(source.table.split == "val")
    labels = np.asarray(source.table.labels[rows], np.int8)
    one, other = (
        plain.logits(
            extract(source.cache, bundle, parts=plain.parts, rows=source.places("val"), mirror=m)
        )
        for m in (False, True)
    )
    both = (one + other) / 2
    mirror = bool(_cross_entropy(labels, both) < _cross_entropy(labels, one))
    logits = both if mirror else one
    persons = None if source.table.person is None else source.table.person[rows]
    probabilities = np.empty(logits.shape, np.float32)
    half = _halves(persons, len(rows))
    for mine in (half, ~half):
        fitted = fit_platt(labels[~mine], logits[~mine])
        probabilities[mine] = calibrate(logits[mine], fitted)
    head = replace(plain, calibration=fit_platt(labels, logits).astype(np.float32))
    known = np.asarray(majority(source), np.int8)
    return head, Answers(plain.labels, labels, probabilities, known, persons), mirror


def _fit(bundle: Bundle, source: Source) -> LinearHead:
    """Regularised logistic regression on both mirror views of the training crops."""
    parts = tuple(part for part in _PARTS if part in bundle.manifest.parts)
    places = source.places("train")
    labels = np.asarray(source.table.labels[source.table.split == "train"], np.int8)
    views = [
        read_parts(extract(source.cache, bundle, parts=parts, rows=places, mirror=m), parts)
        for m in (False, True)
    ]
    both, names = np.concatenate([labels, labels]), source.table.label_names
    return fit_linear(np.concatenate(views), both, l2=_L2, parts=parts, labels=names)


def _halves(persons: Str | None, n: int) -> Bool:
    """A random half of the people (or images)."""
    rng = np.random.default_rng(0)
    if persons is None:
        return rng.random(n) < 0.5
    names, number = np.unique(persons, return_inverse=True)
    return np.asarray((rng.random(len(names)) < 0.5)[number])


def _cross_entropy(labels: Int8, logits: Floating) -> float:
    known = labels >= 0
    loss = np.logaddexp(0, logits) - logits * (labels > 0)
    return float(loss[known].mean())


def majority(source: Source) -> list[int]:
    """The more frequent answer of every attribute among the training images.

    Args:
        source: Table of the training images.

    Returns:
        One number an attribute, 1 or 0.
    """
    labels = source.table.labels[source.table.split == "train"]
    return [int((column == 1).sum() * 2 > (column >= 0).sum()) for column in labels.T]


# Fit the five-point head that refines a box-only crop.
#
# Targets are a landmark detector's points on the training images; inputs are the
# same faces cropped slightly wrong on purpose. At prediction it lets the embedded
# default detector, which gives boxes alone, align as a landmark detector does.

Parts = dict[str, Float32]
Embed = Callable[[UInt8, tuple[str, ...]], Parts]

#: x and y of the five points, in the order of ``facekit.frame``.
POINT_LABELS: Final = tuple(
    f"{name}_{axis}"
    for name in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    for axis in "xy"
)
#: The part of the embedding that alone says best where things are (data/trials.md).
POINT_PARTS: Final = ("grid_mid",)

#: How wrong a box-only crop may be: degrees, share of the size, share of the
#: side. Wider than what Haar's boxes showed (`python -m benchmarks detectors`: nine in
#: ten eyes within 0.18 of the eye distance, 6 % of the side).
_ROTATION, _ZOOM, _SHIFT = 12.0, 0.18, 0.08
_STRENGTH: Final = 3000.0  # ridge penalty on standardised inputs; see data/trials.md
_VIEWS: Final = 2  # wrong crops a face
_FEWEST: Final = 200  # wrong crops; fewer fit only noise
_MOST: Final = 16_000  # faces; bounds time and memory


def fit_points(
    paths: list[Path],
    held_out: list[Path],
    frame: FaceFrame,
    embed: Embed,
    *,
    parts: tuple[str, ...] = POINT_PARTS,
    seed: int = 0,
    detector: Detector | None = None,
) -> tuple[LinearHead, dict[str, Any]] | None:
    """Fit the head, or say nothing where there is no landmark detector.

    Args:
        paths: Training images.
        held_out: Validation images.
        frame: The backbone's frame.
        embed: Crops (n, side, side, 3) and part names to those parts.
        parts: What the head reads.
        seed: Of the wrong crops and the choice of images.
        detector: Gives five points a face; None takes YuNet.

    Returns:
        The head (ten numbers, shares of the side) with its error on the held-out
        images; None without YuNet's model file or with too few faces.
    """
    from sklearn.linear_model import Ridge

    if detector is None:
        try:
            detector = find_detector("yunet")
        except FacekitError:
            return None
    rng = np.random.default_rng([seed, 5])
    chosen = [paths[i] for i in sorted(rng.permutation(len(paths))[:_MOST])]
    embedding, y = _views(chosen, frame, embed, parts, detector, rng, _VIEWS)
    if len(y) < _FEWEST:
        return None
    x = read_parts(embedding, parts)
    mean, scale = standardise(x)
    x -= mean  # in place: the views of all faces may take a gigabyte
    x /= scale
    ridge = Ridge(_STRENGTH, solver="cholesky", copy_X=False).fit(x, y)
    head = LinearHead(
        parts=parts,
        labels=POINT_LABELS,
        weight=ridge.coef_.T,
        bias=ridge.intercept_,
        activation="none",
        mean=mean,
        scale=scale,
    )
    return head, _measure(head, frame, *_views(held_out, frame, embed, parts, detector, rng, 1))


def _measure(head: LinearHead, frame: FaceFrame, embedding: Parts, y: Float32) -> dict[str, Any]:
    """Error of the eyes before and after, as a share of the eye distance."""
    if not len(y):
        return {"faces": 0}
    found = head.logits(embedding)
    eyes = y[:, :4].reshape(-1, 2, 2)
    distance = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)[:, None]
    place = (frame.points()[:2] / frame.side)[None]
    after = np.linalg.norm(found[:, :4].reshape(-1, 2, 2) - eyes, axis=2) / distance
    before = np.linalg.norm(place - eyes, axis=2) / distance
    return {
        "faces": len(y),
        "eye_error_unrefined": round(float(before.mean()), 4),
        "eye_error": round(float(after.mean()), 4),
        "eye_error_95": round(float(np.quantile(after, 0.95)), 4),
    }


def jitter(frame: FaceFrame, rng: Generator) -> Float64:
    """A small wrong similarity inside the frame.

    Returns:
        float64 array of shape (2, 3), frame pixels to frame pixels.
    """
    angle = np.deg2rad(rng.uniform(-_ROTATION, _ROTATION))
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(_ZOOM))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, frame.side / 2)
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * frame.side
    return np.column_stack([linear, middle - linear @ middle + shift])


def _views(
    paths: list[Path],
    frame: FaceFrame,
    embed: Embed,
    parts: tuple[str, ...],
    detector: Detector,
    rng: Generator,
    views: int,
) -> tuple[Parts, Float32]:
    """Embedding of wrong crops of all faces found, and targets of shape (n, 10)."""
    seeds = rng.integers(0, 2**63, len(paths))

    def crop(place: int) -> list[tuple[UInt8, Float64]]:
        own = np.random.default_rng(seeds[place])
        return _wrong_crops(paths[place], frame, detector, own, views)

    inputs: list[Parts] = []
    targets: list[Float32] = []
    with ThreadPoolExecutor(cores()) as pool, progress_bar("points", len(paths)) as tick:
        for start in range(0, len(paths), 512):
            chunk = range(start, min(start + 512, len(paths)))
            pairs = [pair for found in pool.map(crop, chunk) for pair in found]
            tick(chunk.stop, len(paths))
            if not pairs:
                continue
            inputs.append(embed(np.stack([image for image, _ in pairs]), parts))
            points = np.stack([points.ravel() for _, points in pairs]) / frame.side
            targets.append(points.astype(np.float32))
    if not targets:
        return {}, np.zeros((0, len(POINT_LABELS)), np.float32)
    joined = {name: np.concatenate([block[name] for block in inputs]) for name in parts}
    return joined, np.concatenate(targets)


def _wrong_crops(
    path: Path, frame: FaceFrame, detector: Detector, rng: Generator, views: int
) -> list[tuple[UInt8, Float64]]:
    try:
        rgb = decode(path)
    except ImageError:
        return []
    found = [one for one in detector.detect(rgb) if one.points is not None]
    if not found:
        return []
    points = np.asarray(found[0].points, np.float64)
    right = frame.matrix_from_points(points)
    out = []
    for _ in range(views):
        wrong = jitter(frame, rng)
        matrix = np.column_stack(
            [wrong[:, :2] @ right[:, :2], wrong[:, :2] @ right[:, 2] + wrong[:, 2]]
        )
        out.append((frame.warp(rgb, matrix), points @ matrix[:, :2].T + matrix[:, 2]))
    return out
