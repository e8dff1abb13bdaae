"""One photo of the person to enrol: used, or refused with the reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from facekit.arrays import Float32, UInt8
from facekit.photos.quality import FaceQuality
from facekit.results import Box

Code = Literal[
    "", "unreadable", "no_face", "too_small", "dark", "blurred", "extreme_pose", "same_picture",
    "not_you", "doubtful", "ambiguous",
]  # fmt: skip

#: Why a photo may be refused, in a few words.
CODES: Final[dict[Code, str]] = {
    "unreadable": "cannot be read", "no_face": "no face was found",
    "too_small": "the face is too small", "dark": "the face is too dark",
    "blurred": "the face is blurred", "extreme_pose": "the face is turned too far",
    "same_picture": "a copy of another photo", "not_you": "probably somebody else",
    "doubtful": "perhaps somebody else", "ambiguous": "not clear who is meant",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Trace:
    """What is remembered of a photo's looks, to know it and its occasion again.

    Attributes:
        face: float32 array of shape (63,), see ``photos.likeness.describe``.
        scene: float32 array of shape (63,), see ``photos.likeness``.
        colours: float32 array of shape (256,), see ``photos.likeness``.
        near_scene: The same of the face and what is around it, float32 (63,).
        near_colours: float32 (256,); zeros for a photo without colours of its own.
    """

    face: Float32
    scene: Float32
    colours: Float32
    near_scene: Float32
    near_colours: Float32


@dataclass(frozen=True, eq=False, kw_only=True)
class Photo:
    """One photo; what belongs to a face is None where none was chosen.

    Attributes:
        path: The file as it was named.
        name: What it is called in words, see ``short_names``; "" for its file name.
        digest: SHA-256 of the file, 64 hexadecimal digits; "" where it cannot be
            read.
        used: Whether it is used.
        code: Why not, a key of ``CODES``; "" for a photo that is used.
        reason: The same in one line for people, with numbers.
        faces: How many faces were found.
        box: The face, (x, y, width, height) in pixels of the upright photo.
        eye_distance: Pixels of the photo between its eyes.
        quality: Its measures.
        crop: uint8 RGB array of shape (side, side, 3) in the face frame of the model
            that the enrolment reads.
        wide: uint8 RGB array of shape (2 * side, 2 * side, 3), with surroundings.
        vector: float32 array of shape (d,), its identity vector, by which the person
            was told from others; not always what the enrolment reads.
        attributes: float32 array of shape (40,) of probabilities; None too for a
            model without them.
        trace: What is remembered of the photo.
        session: The occasion it was taken on, the same number for photos of one;
            -1 where it is not used.
        taken: Seconds since 1970 by the camera's clock, where the file says so.
    """

    path: str
    name: str = ""
    digest: str = ""
    used: bool = False
    code: Code = ""
    reason: str = ""
    faces: int = 0
    box: Box | None = None
    eye_distance: float | None = None
    quality: FaceQuality | None = None
    crop: UInt8 | None = field(default=None, repr=False)
    wide: UInt8 | None = field(default=None, repr=False)
    vector: Float32 | None = field(default=None, repr=False)
    attributes: Float32 | None = field(default=None, repr=False)
    trace: Trace | None = field(default=None, repr=False)
    session: int = -1
    taken: float | None = None

    @property
    def label(self) -> str:
        """What it is called in words."""
        return self.name or Path(self.path).name


def short_names(paths: Sequence[str | Path], taken: Collection[str] = ()) -> list[str]:
    """The end of each path that tells it from all others: the file name, where that is enough.

    Args:
        paths: Files; one that is named twice has one name.
        taken: Names that are others' already.

    Returns:
        Names with forward slashes, in the order of the paths.
    """
    whole = [Path(os.path.abspath(path)).parts for path in paths]
    names, depth = dict.fromkeys(whole, ""), 0
    unclear = set(whole)
    while unclear:
        depth += 1
        names |= {parts: "/".join(parts[-depth:]) for parts in unclear}
        count = Counter([*names.values(), *set(taken)])
        unclear = {p for p in unclear if count[names[p]] > 1 and len(p) > depth}
    return [names[parts] for parts in whole]
