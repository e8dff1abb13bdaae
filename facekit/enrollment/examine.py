"""What is found in one photo before anybody knows who is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from facekit.arrays import Float32, Float64, UInt8
from facekit.augment.photos import wide_crop
from facekit.bundle.bundle import IDENTITY, Bundle, join_views
from facekit.enrollment.photo import Code, Trace
from facekit.errors import FacekitError
from facekit.evaluation.claim import celeba_columns
from facekit.faces import FoundFace, cut_faces
from facekit.photos.detection import Detector
from facekit.photos.image import Picture, read_picture, taken_at
from facekit.photos.likeness import describe, describe_colours, describe_scene, has_colours
from facekit.photos.quality import FaceQuality, Flaw, find_flaw, measure_face
from facekit.photos.turn import look
from facekit.recipe.enroll import QualitySpec
from facekit.results import Face

#: What one photo may raise without stopping the others.
_PHOTO_ERRORS: Final = (FacekitError, OSError, ValueError, MemoryError, cv2.error)
#: Faces that are embedded at once; bounds the memory.
_BATCH: Final = 64
_ATTRIBUTES: Final = "attributes"
#: Share of the wide crop on each side that is too far from the face to be of the photo
#: where that is framed: what is left is 1.4 times the face frame.
_FAR: Final = 0.15


class Finder(Protocol):
    """What finds and embeds faces; ``facekit.FaceModel`` is one."""

    @property
    def bundle(self) -> Bundle:
        """The backbone and its heads."""

    @property
    def detector(self) -> Detector:
        """What finds faces."""


@dataclass(frozen=True, eq=False)
class ExaminedFace:
    """One face of a photo.

    Attributes:
        found: Box and crop, in the frame of the model that finds it.
        cut: The same face in the frame of the model that will read it.
        wide: uint8 RGB array of shape (2 * side, 2 * side, 3), with surroundings,
            in that frame.
        quality: Its measures.
        flaw: Why it cannot be used, or None.
    """

    found: FoundFace
    cut: FoundFace
    wide: UInt8 = field(repr=False)
    quality: FaceQuality
    flaw: Flaw | None


@dataclass(frozen=True, eq=False)
class ExaminedPhoto:
    """One photo.

    Attributes:
        code: Why there is nothing to choose from, else "".
        reason: The same in one line.
        looks: Its faces, the largest first.
        vectors: float32 array of shape (k, d), identity vectors of its faces.
        attributes: float32 array of shape (k, 40) of probabilities, or None for a
            model without them.
        scene: Low frequencies and colours of the whole photo.
        taken: Seconds by the camera's clock, or None.
    """

    code: Code = ""
    reason: str = ""
    looks: tuple[ExaminedFace, ...] = ()
    vectors: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32), repr=False)
    attributes: Float32 | None = field(default=None, repr=False)
    scene: tuple[Float32, Float32] | None = None
    taken: float | None = None

    @property
    def faces(self) -> list[Face]:
        """Its faces, as they are shown to whoever is asked."""
        pairs = zip((look.found for look in self.looks), self.vectors, strict=True)
        return [Face(one.box, one.score, one.crop, {}, {IDENTITY: row}) for one, row in pairs]

    def trace(self, place: int) -> Trace | None:
        """What is remembered of the photo and one of its faces."""
        if self.scene is None:
            return None
        look = self.looks[place]
        edge = round(_FAR * len(look.wide))
        near = np.ascontiguousarray(look.wide[edge:-edge, edge:-edge])
        colours = describe_colours(near) * has_colours(near)
        return Trace(describe(look.found.crop), *self.scene, describe_scene(near), colours)


def examine(
    path: Path, model: Finder, spec: QualitySpec, reader: Bundle | None = None
) -> ExaminedPhoto:
    """Decode one photo, find its faces and measure them.

    Args:
        path: The photo.
        model: Finds faces; called from several threads.
        spec: What a face must be like.
        reader: What will read the faces, where that is another bundle than the
            model's.

    Returns:
        What was found; a photo that cannot be used says why.
    """
    try:
        picture = read_picture(path)
        looks = _looks(picture, model, spec, reader)
    except _PHOTO_ERRORS as error:
        return ExaminedPhoto("unreadable", _one_line(error, path.name))
    scene = describe_scene(picture.rgb), describe_colours(picture.rgb)
    if looks:
        return ExaminedPhoto(looks=looks, scene=scene, taken=taken_at(path))
    return _without(picture, spec)


def embed(photos: Sequence[ExaminedPhoto], bundle: Bundle) -> list[ExaminedPhoto]:
    """Add identity vectors and attributes; one pass a mirror view for all faces.

    Args:
        photos: Photos that were looked at.
        bundle: A bundle whose backbone has the part "identity".

    Returns:
        The same with vectors.
    """
    crops = [look.found.crop for photo in photos for look in photo.looks]
    heads = [_ATTRIBUTES] if _ATTRIBUTES in bundle.heads else []
    vectors: list[Float32] = [np.zeros((0, *bundle.parts[IDENTITY]), np.float32)]
    attributes: list[Float32] = []
    for start in range(0, len(crops), _BATCH):
        reading = bundle.read_views(np.stack(crops[start : start + _BATCH]), heads, [IDENTITY])
        vectors.append(join_views(reading.embedding[IDENTITY], reading.mirrored[IDENTITY]))
        attributes.extend(
            celeba_columns(bundle.heads[name].labels, reading.scores[name]) for name in heads
        )
    ends = np.cumsum([len(photo.looks) for photo in photos])[:-1]
    rows = np.split(np.concatenate(vectors), ends) if photos else []
    more = np.split(np.concatenate(attributes), ends) if attributes else [None] * len(photos)
    return [
        replace(photo, vectors=own, attributes=probabilities)
        for photo, own, probabilities in zip(photos, rows, more, strict=True)
    ]


def _without(picture: Picture, spec: QualitySpec) -> ExaminedPhoto:
    """A photo in which no face was found."""
    brightness = float(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY).mean()) / 255
    if brightness < spec.brightness:
        return ExaminedPhoto(
            "dark",
            f"no face was found in so dark a photo (brightness {brightness:.2f} of 1; at least "
            f"{spec.brightness:g} is needed): use one in better light",
        )
    return ExaminedPhoto(
        "no_face",
        f"no face was found in its {picture.width} x {picture.height} pixels: use a photo that "
        "shows the face larger and from the front",
    )


def _looks(
    picture: Picture, model: Finder, spec: QualitySpec, reader: Bundle | None
) -> tuple[ExaminedFace, ...]:
    frame, looks = model.bundle.frame, []
    detector = model.detector
    turn, seen = look(picture.rgb, detector)
    faces = cut_faces(picture, seen, detector.name, model.bundle, turn=turn)
    # As it will be cut when somebody is looked for: by the reader's own means.
    cuts = faces if reader is None else cut_faces(picture, seen, detector.name, reader, turn=turn)
    for found, cut in zip(faces, cuts, strict=True):
        scale = float(np.hypot(*found.matrix[:, 0]))  # of the decoded photo to the crop
        apart = frame.eye_distance * frame.side / scale * picture.scale
        quality = measure_face(found.crop, _points(found, model.bundle), eye_distance=apart)
        wide = wide_crop(picture.rgb, cut.matrix, (reader or model.bundle).frame)
        looks.append(ExaminedFace(found, cut, wide, quality, find_flaw(quality, spec)))
    return tuple(looks)


def _points(found: FoundFace, bundle: Bundle) -> Float64:
    """Five points in the crop: the detector's, else the bundle's, else those of the frame."""
    if found.points is not None:
        return found.points
    refine = bundle.refiner()
    return bundle.frame.points() if refine is None else refine(found.crop[None])[0]


def _one_line(error: BaseException, name: str) -> str:
    text = " ".join(str(error).split()).removeprefix(f"{name}: ")
    if isinstance(error, FacekitError):
        return text
    return f"could not be used: {type(error).__name__}{': ' if text else ''}{text}"
