"""What was found in a photo, as typed results and as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facekit.arrays import Float32, UInt8

#: (x, y, width, height) in whole pixels.
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a photo.

    Attributes:
        box: (x, y, width, height) in pixels of the upright photo, inside it.
        detection_score: How sure the detector is, in [0, 1].
        crop: uint8 RGB array of shape (side, side, 3), the face in the frame.
        scores: {label: score} by head; probabilities in [0, 1] where the head
            gives such.
        embedding: float32 array by part name.
        identities: By name of everybody enrolled: "score" (larger is more alike),
            "probability" in [0, 1] and "verdict" ("yes", "no" or "unsure"); empty
            where nobody is enrolled.
        turned: Degrees clockwise by which the photo was turned to see it upright: 0, 90,
            180 or 270. The box is that of the photo as it is.
        identities_no: How many more are enrolled whose verdict is "no": they are left
            out of ``identities`` where only matches are wanted, else it is 0.
    """

    box: tuple[int, int, int, int]
    detection_score: float
    crop: UInt8 = field(repr=False)
    scores: dict[str, dict[str, float]]
    embedding: Mapping[str, Float32] = field(repr=False)
    identities: dict[str, dict[str, float | str]] = field(default_factory=dict)
    turned: int = 0
    identities_no: int = 0

    @property
    def attributes(self) -> dict[str, float]:
        """{name: probability} of the "attributes" head; empty without one."""
        return self.scores.get("attributes", {})

    @property
    def emotions(self) -> dict[str, float]:
        """{name: probability} of the "emotions" head; empty without one."""
        return self.scores.get("emotions", {})

    def record(self) -> dict[str, Any]:
        """The face as JSON values.

        "identities" is there when somebody is enrolled, "turned" and "identities_no" when
        they are not 0.
        """
        record = {"box": list(self.box), "detection_score": self.detection_score, **self.scores}
        if self.turned:
            record["turned"] = self.turned
        if self.identities or self.identities_no:
            record["identities"] = self.identities
        return {**record, "identities_no": self.identities_no} if self.identities_no else record


@dataclass(frozen=True)
class Analysis:
    """What was found in one photo.

    Attributes:
        path: The photo as it was named; None for an array.
        error: Why it could not be used in one line, else None.
        width: Pixels of the upright photo, None when it could not be read.
        height: As ``width``.
        faces: Its faces, the largest first.
    """

    path: str | None
    error: str | None = None
    width: int | None = None
    height: int | None = None
    faces: tuple[Face, ...] = ()

    def record(self) -> dict[str, Any]:
        """The analysis as JSON values: path, error, width, height, faces."""
        return {
            "path": self.path,
            "error": self.error,
            "width": self.width,
            "height": self.height,
            "faces": [face.record() for face in self.faces],
        }
