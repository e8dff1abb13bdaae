"""Is this person in this photo?"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from facekit.analysis import Face
from facekit.bundle.bundle import Bundle
from facekit.bundle.zoo import load_bundle
from facekit.crops.detect import Detector, find_detector
from facekit.enrollment.enrollment import Enrollment, Verdict
from facekit.enrollment.photo_faces import (
    Image,
    checked_image,
    find_faces,
    open_image,
    read_faces,
)
from facekit.enrollment.roll import Roll, require_fit

__all__ = ["Image", "verify"]


def verify(
    enrollment: Enrollment,
    image: Image,
    *,
    model: str | Path | None = None,
    detector: str = "auto",
) -> list[tuple[Face, Verdict]]:
    """Every face of a photo with its verdict; see ``Enrollment.verify``."""
    checked_image(image)
    bundle = _bundle(enrollment.bundle if model is None else model)
    require_fit(enrollment, bundle)
    found = find_faces(open_image(image), _detector(detector), bundle)
    faces = read_faces(found, bundle, Roll((enrollment,)))
    both = [(face, Verdict(**face.identities[enrollment.name])) for face in faces]  # type: ignore[arg-type]
    return sorted(both, key=lambda one: -one[1].score)


@lru_cache(maxsize=2)
def _bundle(name: str | Path) -> Bundle:
    """Kept between calls: opening a graph takes longer than a photo."""
    return load_bundle(name)


@lru_cache(maxsize=2)
def _detector(name: str) -> Detector:
    return find_detector(name)
