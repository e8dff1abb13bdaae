"""The faces of one photo: found, cut out, and read by heads and enrolments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facekit.arrays import Float64, UInt8
from facekit.bundle.bundle import POINTS, Bundle, Reading
from facekit.errors import UsageError
from facekit.photos.align import align_faces
from facekit.photos.detection import Detection, Detector
from facekit.photos.image import Picture, read_picture
from facekit.photos.turn import box_before, look, turn_matrix, turned
from facekit.results import Box, Face

Image = str | Path | UInt8


class Identifies(Protocol):
    """Who is looked for in faces, such as a ``Gallery``."""

    @property
    def mirrored(self) -> tuple[str, ...]:
        """The parts of mirrored crops that are needed."""
        ...

    @property
    def elsewhere(self) -> Sequence[tuple[Bundle, Identifies]]:
        """Bundles that read the same faces for others, and who those are."""
        ...

    @property
    def people(self) -> int:
        """How many are looked for, elsewhere too."""
        ...

    def identify(self, reading: Reading, n: int) -> list[dict[str, Any]]:
        """Verdicts by name for each of n crops; each has a ``record()``."""
        ...


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face before the backbone.

    Attributes:
        box: (x, y, width, height) in pixels of the upright photo, inside it.
        score: How sure the detector is, in [0, 1].
        crop: uint8 RGB array of shape (side, side, 3) in the face frame.
        matrix: float64 array of shape (2, 3), pixels of the decoded photo to
            pixels of the crop.
        points: float64 array of shape (5, 2) in pixels of the crop, or None where
            the detector gives boxes alone.
        turned: Degrees clockwise by which the photo was turned to see it upright.
        others: The same face in the frames of other bundles, in their order.
    """

    box: Box
    score: float
    crop: UInt8
    matrix: Float64
    points: Float64 | None
    turned: int = 0
    others: tuple[UInt8, ...] = ()


def checked_image(image: Image) -> Image:
    """The image, or a UsageError that says what an image is."""
    if isinstance(image, str | Path):
        return image
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"an image is a path or a uint8 RGB array of shape (height, width, 3), "
            f"not {type(image).__name__}"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UsageError(
            f"the array is {image.dtype} of shape {image.shape}; "
            "needed is uint8 RGB of shape (height, width, 3)"
        )
    return image


def open_image(image: Image) -> Picture:
    """Decode a photo, or take an array as it is.

    Args:
        image: A path, or an array that ``checked_image`` lets pass.

    Raises:
        ImageError: The file cannot be used.
    """
    if isinstance(image, np.ndarray):
        return Picture(np.ascontiguousarray(image), image.shape[1], image.shape[0])
    return read_picture(Path(image))


def find_faces(
    picture: Picture, detector: Detector, bundle: Bundle, others: Sequence[Bundle] = ()
) -> tuple[FoundFace, ...]:
    """Detect faces and bring them into the bundle's frame, the largest first.

    Args:
        picture: The photo.
        detector: What finds faces.
        bundle: Whose frame it is.
        others: Bundles that read the faces too, each in its own frame.
    """
    turn, found = look(picture.rgb, detector)
    faces = cut_faces(picture, found, detector.name, bundle, turn=turn)
    if not (faces and others):
        return faces
    more = [cut_faces(picture, found, detector.name, one, turn=turn) for one in others]
    return tuple(
        replace(face, others=tuple(cut[i].crop for cut in more)) for i, face in enumerate(faces)
    )


def cut_faces(
    picture: Picture, found: Sequence[Detection], detector: str, bundle: Bundle, *, turn: int = 0
) -> tuple[FoundFace, ...]:
    """Bring faces that were found into the bundle's frame, in their order; see ``look``."""
    crops, matrices = align_faces(
        turned(picture.rgb, turn), found, bundle.frame, detector=detector, refine=bundle.refiner()
    )
    height, width = picture.rgb.shape[:2]
    before = turn_matrix(turn, width, height)
    return tuple(
        FoundFace(
            _box_inside(box_before(one.box, turn, width, height), picture),
            round(float(one.score), 4),
            crop,
            matrix @ before if turn else matrix,
            None if one.points is None else one.points @ matrix[:, :2].T + matrix[:, 2],
            -90 * turn % 360,
        )
        for one, crop, matrix in zip(found, crops, matrices, strict=True)
    )


def read_faces(found: Sequence[FoundFace], bundle: Bundle, gallery: Identifies) -> list[Face]:
    """Embed faces once and read every head and every enrolment.

    Args:
        found: n faces, of one photo or several.
        bundle: The backbone and its heads.
        gallery: Who is looked for.

    Returns:
        n faces, in the same order.
    """
    if not found:
        return []
    heads = {name: head for name, head in bundle.heads.items() if name != POINTS}
    crops = np.stack([one.crop for one in found])
    reading = bundle.read_views(crops, list(heads), gallery.mirrored)
    scores = {name: rows.astype(float) for name, rows in reading.scores.items()}
    verdicts = gallery.identify(reading, len(found))
    for k, (reader, people) in enumerate(gallery.elsewhere):
        again = reader.read_views(np.stack([one.others[k] for one in found]), [], people.mirrored)
        more = people.identify(again, len(found))
        verdicts = [{**mine, **theirs} for mine, theirs in zip(verdicts, more, strict=True)]
    return [
        Face(
            one.box,
            one.score,
            one.crop,
            {
                name: dict(zip(heads[name].labels, rows[i].round(6).tolist(), strict=True))
                for name, rows in scores.items()
            },
            {part: rows[i] for part, rows in reading.embedding.items()},
            {name: verdict.record() for name, verdict in verdicts[i].items()},
            one.turned,
            gallery.people - len(verdicts[i]),
        )
        for i, one in enumerate(found)
    ]


def _box_inside(box: tuple[float, float, float, float], picture: Picture) -> Box:
    """The box in whole pixels of the full-size picture, cut at its edges."""
    x, y, width, height = (value * picture.scale for value in box)
    left = min(max(round(x), 0), picture.width - 1)
    top = min(max(round(y), 0), picture.height - 1)
    right = min(max(round(x + width), left + 1), picture.width)
    bottom = min(max(round(y + height), top + 1), picture.height)
    return left, top, right - left, bottom - top
