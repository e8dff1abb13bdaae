"""Head: skull, ears, neck, shoulders and what is worn there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon.colors import shade
from facekit.datasets.cartoon.look import Look
from facekit.datasets.cartoon.pen import Pen
from facekit.datasets.cartoon.person import Person
from facekit.datasets.cartoon.shapes import arc, curve, mirrored

__all__ = ["BACK", "FLAT", "TOP", "draw_body", "draw_skull", "outline"]

Points = NDArray[np.float64]

TOP = -1.60  #: top of the skull
FLAT = 0.3  #: depth of the outline of the head
BACK = 0.0  #: depth of ears, neck and hair behind the head


def outline(person: Person) -> Points:
    """Outline of the head without hair, shape (n, 2) in face units."""
    w, chin = person.face_w, person.chin_y
    half = [
        (0.0, TOP),
        (0.56 * w, TOP + 0.13),
        (0.92 * w, -0.96),
        (w, -0.10),
        (0.985 * w + 0.05 * person.chubby, 0.40),
        (person.jaw_w + 0.12 * person.chubby, 0.62 * chin),
        (0.5 * (person.jaw_w + person.chin_w), 0.84 * chin),
        (person.chin_w, 0.97 * chin),
        (0.0, chin),
    ]
    return curve(mirrored(half), closed=True, steps=5)


def draw_body(pen: Pen, person: Person, look: Look) -> None:
    """Neck, shoulders, collar, tie and necklace."""
    skin, chin = person.skin, person.chin_y
    neck = 0.72 if person.male else 0.56
    neck += 0.12 * person.chubby
    low = chin + 0.42
    pen.fill(
        curve([(-neck, 0.6), (-neck, chin + 0.1), (-neck - 0.10, low), (-neck - 0.5, low + 0.6),
               (neck + 0.5, low + 0.6), (neck + 0.10, low), (neck, chin + 0.1), (neck, 0.6)]),
        shade(skin, 0.92),
        flat=BACK,
    )  # fmt: skip
    shadow = curve([(-neck, chin - 0.3), (0, chin + 0.32), (neck, chin - 0.3)], closed=True)
    pen.soft(shadow, shade(skin, 0.55), 0.7, 0.07, flat=BACK)
    wide = 2.15 if person.male else 1.8
    half = [(neck + 0.05, low - 0.12), (neck + 0.45, low + 0.08), (wide, low + 0.5),
            (wide + 0.3, low + 1.2), (wide + 0.4, low + 2.4), (wide + 0.5, low + 3.6),
            (wide + 0.8, low + 9.0)]  # fmt: skip
    dip = low + (0.30 if look.tie else 0.62)
    right = curve(half)
    cloth = np.vstack([right, right[::-1] * (-1, 1), curve([_left(half[0]), (0, dip), half[0]])])
    pen.fill(cloth, look.cloth, flat=BACK)
    edge = curve([_left(half[0]), (0, dip), half[0]])
    pen.line(edge, shade(look.cloth, 0.7), 0.05, flat=BACK)
    if look.tie:
        _draw_tie(pen, look, neck, low)
    if look.necklace:
        _draw_necklace(pen, look, neck, low)


def _left(point: tuple[float, float]) -> tuple[float, float]:
    """The same point on the other side."""
    return -point[0], point[1]


def _draw_tie(pen: Pen, look: Look, neck: float, low: float) -> None:
    assert look.tie is not None
    white = (240, 242, 246)
    for side in (-1, 1):
        wing = np.array([(neck + 0.02, low - 0.22), (neck + 0.22, low + 0.10),
                         (0.34, low + 0.50), (0.02, low + 0.20)])  # fmt: skip
        pen.fill(wing * (side, 1), white, flat=BACK)
        pen.line(wing * (side, 1), shade(white, 0.72), 0.025, closed=True, flat=BACK)
    knot = [(-0.19, low + 0.10), (0.19, low + 0.10), (0.11, low + 0.42), (-0.11, low + 0.42)]
    blade = [(-0.10, low + 0.42), (0.10, low + 0.42), (0.27, low + 2.2), (-0.27, low + 2.2)]
    pen.fill(blade, look.tie, flat=BACK)
    for k in range(4):  # stripes
        y = low + 0.62 + 0.3 * k
        half = 0.10 + 0.095 * (y - low - 0.42)
        pen.line([(-half, y), (half, y - 0.14)], shade(look.tie, 1.5), 0.05, flat=BACK)
    pen.fill(knot, shade(look.tie, 0.8), flat=BACK)
    pen.line(knot, shade(look.tie, 0.5), 0.025, closed=True, flat=BACK)


def _draw_necklace(pen: Pen, look: Look, neck: float, low: float) -> None:
    string = curve([(-neck - 0.04, low - 0.22), (-0.5 * neck, low + 0.12), (0, low + 0.26),
                    (0.5 * neck, low + 0.12), (neck + 0.04, low - 0.22)], steps=5)  # fmt: skip
    if look.necklace == "chain":
        pen.line(string, shade(look.metal, 0.75), 0.06, flat=BACK)
        pen.line(string, look.metal, 0.03, flat=BACK)
        pen.fill(arc((0, low + 0.36), (0.11, 0.13)), look.metal, flat=BACK)
        return
    for x, y in string:
        pen.fill(arc((x, y), (0.065, 0.065), steps=10), shade(look.metal, 0.7), flat=BACK)
        pen.fill(arc((x - 0.01, y - 0.015), (0.045, 0.045), steps=9), look.metal, flat=BACK)


def draw_skull(pen: Pen, person: Person, look: Look) -> None:
    """Ears and the head itself, with its shading."""
    skin = person.skin
    dark = shade(skin, 0.62)
    for side in (-1, 1):
        size = person.ear
        ear = arc((person.face_w + 0.04, 0.16), (0.17 * size, 0.36 * size)) * (side, 1)
        pen.fill(ear, shade(skin, 0.94), flat=BACK)
        pen.line(ear, dark, 0.022, closed=True, flat=BACK)
        inner = arc((person.face_w + 0.06, 0.14), (0.08 * size, 0.22 * size), -110, 110)
        pen.line(inner * (side, 1), shade(skin, 0.72), 0.03, flat=BACK)
    if person.double_chin:
        fold = curve([(-0.95 * person.jaw_w, person.chin_y - 0.42), (-0.5, person.chin_y + 0.13),
                      (0, person.chin_y + 0.24), (0.5, person.chin_y + 0.13),
                      (0.95 * person.jaw_w, person.chin_y - 0.42)])  # fmt: skip
        pen.fill(fold, shade(skin, 0.95), flat=FLAT)
        pen.line(fold, dark, 0.03, flat=FLAT)
    head = outline(person)
    pen.fill(head, skin, flat=FLAT)
    with pen.inside(head, flat=FLAT):
        # Rounded: the side away from the light and the rim of the jaw are darker.
        turn = 0.16 if look.light.x < 0 else -0.16
        pen.line(head + (0.0, 0.05), shade(skin, 0.86), 0.12, closed=True, flat=FLAT)
        pen.soft(head * (0.90, 0.93) + (-turn * 0.5, -0.06), shade(skin, 1.06), 0.75, 0.12,
                 flat=FLAT)  # fmt: skip
    pen.line(head, dark, 0.022, closed=True, flat=FLAT)
