"""The faces of one photo: found, cut out, and read by heads and enrolments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from facekit.arrays import Float64, UInt8
from facekit.bundle.bundle import POINTS, Bundle, Reading
from facekit.errors import UsageError
from facekit.photos.align import align_faces
from facekit.photos.detection import Detection, Detector, scaled
from facekit.photos.image import MAX_PIXELS, Picture, read_picture
from facekit.photos.turn import box_before, look, turn_matrix, turned
from facekit.results import Box, Face

Image = str | Path | UInt8

#: Pixels of a reduced photo at least: half as many again as the widest look of a detector.
_ENOUGH: Final = 2_880_000
#: Pixels of a crop for one of a reduced photo; with more the photo is decoded as a whole.
_MOST_ZOOM: Final = 1.0


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


def open_image(image: Image, *, enough: int = MAX_PIXELS) -> Picture:
    """Decode a photo, or take an array as it is.

    Args:
        image: A path, or an array that ``checked_image`` lets pass.
        enough: As for ``read_picture``.

    Raises:
        ImageError: The file cannot be used.
    """
    if isinstance(image, np.ndarray):
        return Picture(np.ascontiguousarray(image), image.shape[1], image.shape[0])
    return read_picture(Path(image), enough=enough)


def find_faces(
    image: Image, detector: Detector, bundle: Bundle, others: Sequence[Bundle] = ()
) -> tuple[Picture, tuple[FoundFace, ...]]:
    """Detect faces and bring them into the bundle's frame, the largest first.

    A large JPEG is decoded reduced, and again as a whole where a face would be
    enlarged otherwise.

    Args:
        image: A path, or an array that ``checked_image`` lets pass.
        detector: What finds faces.
        bundle: Whose frame it is.
        others: Bundles that read the faces too, each in its own frame.

    Returns:
        The photo as it was decoded last, and its faces.

    Raises:
        ImageError: The file cannot be used.
    """
    picture = open_image(image, enough=_ENOUGH)
    turn, found = look(picture.rgb, detector)
    cuts = [cut_faces(picture, found, detector.name, one, turn=turn) for one in (bundle, *others)]
    if picture.scale > 1 and any(_zoom(face) > _MOST_ZOOM for cut in cuts for face in cut):
        before, picture = picture.scale, open_image(image)
        found = [scaled(one, before / picture.scale) for one in found]
        cuts = [
            cut_faces(picture, found, detector.name, one, turn=turn) for one in (bundle, *others)
        ]
    faces = [
        replace(cut[0], others=tuple(one.crop for one in cut[1:]))
        for cut in zip(*cuts, strict=True)
    ]
    return picture, tuple(faces)


def _zoom(face: FoundFace) -> float:
    """Pixels of the crop for one of the decoded photo."""
    return float(np.hypot(*face.matrix[:, 0]))


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
