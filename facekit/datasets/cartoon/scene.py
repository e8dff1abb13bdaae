"""Scenes: photos of several people, not aligned, with known boxes and points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon.backdrop import paint_backdrop
from facekit.datasets.cartoon.draw import FINE, paint_person, photograph
from facekit.datasets.cartoon.head import FLAT, outline
from facekit.datasets.cartoon.look import Look, make_light, make_look
from facekit.datasets.cartoon.pen import Pen
from facekit.datasets.cartoon.person import Person
from facekit.datasets.cartoon.truth import attributes
from facekit.errors import UsageError
from facekit.labels import EMOTIONS

__all__ = ["Scene", "draw_scene"]

Points = NDArray[np.float64]

_ROOM = 3.4  # width of a head with hair, in eye distances
_HIGH = 5.6  # height of a head with hat and shoulders
_BROW = -1.0  # a face box begins at the hairline


@dataclass(frozen=True)
class Scene:
    """One photo and what is in it; faces in the order of the people given.

    Attributes:
        image: uint8 RGB array of shape (height, width, 3).
        boxes: float64 array of shape (n, 4), x, y, width and height in pixels,
            from hairline to chin and cheek to cheek.
        points: float64 array of shape (n, 5, 2) in pixels, as in
            ``facekit.frame``.
        expressions: n names of ``EMOTIONS``.
        attributes: n times the 40 attributes.
    """

    image: NDArray[np.uint8]
    boxes: Points
    points: Points
    expressions: tuple[str, ...]
    attributes: tuple[dict[str, bool], ...]


def draw_scene(
    people: Sequence[Person],
    rng: np.random.Generator,
    size: tuple[int, int] = (640, 480),
    *,
    expressions: Sequence[str] | None = None,
) -> Scene:
    """Draw people side by side, in two rows from five on.

    Args:
        people: Who is in the photo; nobody is allowed.
        rng: Source of everything else.
        size: Width and height in pixels, at least 64 each.
        expressions: One name of ``EMOTIONS`` for each; by default happy or
            neutral mostly.

    Returns:
        The photo with the truth about every face.

    Raises:
        UsageError: The size is too small, or there are not as many expressions
            as people.
    """
    width, height = size
    if width < 64 or height < 64:
        raise UsageError(f"a scene of {width}x{height} pixels: at least 64x64 is needed")
    if expressions is None:
        shares = [0.06, 0.06, 0.06, 0.35, 0.06, 0.06, 0.35]
        expressions = [str(name) for name in rng.choice(EMOTIONS, len(people), p=shares)]
    if len(expressions) != len(people):
        raise UsageError(f"{len(expressions)} expressions for {len(people)} people")
    light = make_light(rng)
    looks = [
        replace(make_look(person, name, rng), light=light, blur=0.0)
        for person, name in zip(people, expressions, strict=True)
    ]
    canvas = paint_backdrop((width * FINE, height * FINE), rng)
    boxes, points = np.zeros((len(people), 4)), np.zeros((len(people), 5, 2))
    for i, eyes in enumerate(_seats(len(people), size, rng)):
        points[i] = paint_person(canvas, people[i], looks[i], eyes * FINE) / FINE
        boxes[i] = _box(canvas, people[i], looks[i], eyes * FINE) / FINE
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return Scene(
        image=photograph(small, light, 0.0, rng),  # type: ignore[arg-type]
        boxes=boxes,
        points=points,
        expressions=tuple(expressions),
        attributes=tuple(attributes(p, look) for p, look in zip(people, looks, strict=True)),
    )


def _seats(count: int, size: tuple[int, int], rng: np.random.Generator) -> list[Points]:
    """Eyes of everybody, back row first; heads do not cover one another."""
    width, height = size
    back = count // 2 if count > 4 else 0
    seats: list[Points] = []
    for row, seated in enumerate((back, count - back)):
        if not seated:
            continue
        room = width / seated
        tall = height / (1.9 if back else 1.0)
        largest = min(room / _ROOM, tall / _HIGH)
        top = 0.0 if row == 0 else height - tall
        for k in range(seated):
            eye = largest * (rng.uniform(0.85, 1.0) if back else rng.uniform(0.55, 1.0))
            free = room - _ROOM * eye
            x = room * k + _ROOM * eye / 2 + rng.uniform(0, max(free, 0.01))
            slack = tall - _HIGH * eye
            y = top + 2.6 * eye + rng.uniform(0.1, 0.9) * max(slack, 0.01)
            roll = rng.uniform(-0.14, 0.14)
            half = np.array([np.cos(roll), np.sin(roll)]) * eye / 2
            seats.append(np.array([(x, y) - half, (x, y) + half]))
    return seats


def _box(canvas: NDArray[np.uint8], person: Person, look: Look, eyes: Points) -> Points:
    face = outline(person)
    placed = Pen(canvas, eyes, look.pose).place(face[face[:, 1] > _BROW], flat=FLAT)
    low, high = placed.min(0), placed.max(0)
    return np.concatenate([low, high - low])
