"""Head: skull, ears, neck, shoulders and hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon.look import Look
from facekit.datasets.cartoon.pen import Pen, arc, curve, mirrored, mix, shade, wavy
from facekit.datasets.cartoon.person import Person

__all__ = ["draw_back_hair", "draw_body", "draw_front_hair", "draw_skull", "outline"]

Points = NDArray[np.float64]

_TOP = -1.60  # top of the skull
_FLAT = 0.3  # depth of the outline of the head
_BACK = 0.0  # depth of ears, neck and hair behind the head


def outline(person: Person) -> Points:
    """Outline of the head without hair, shape (n, 2) in face units."""
    w, chin = person.face_w, person.chin_y
    half = [
        (0.0, _TOP),
        (0.56 * w, _TOP + 0.13),
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
        flat=_BACK,
    )  # fmt: skip
    shadow = curve([(-neck, chin - 0.3), (0, chin + 0.32), (neck, chin - 0.3)], closed=True)
    pen.soft(shadow, shade(skin, 0.55), 0.7, 0.07, flat=_BACK)
    wide = 2.15 if person.male else 1.8
    half = [(neck + 0.05, low - 0.12), (neck + 0.45, low + 0.08), (wide, low + 0.5),
            (wide + 0.3, low + 1.2), (wide + 0.4, low + 2.4), (wide + 0.5, low + 3.6),
            (wide + 0.8, low + 9.0)]  # fmt: skip
    dip = low + (0.30 if look.tie else 0.62)
    right = curve(half)
    cloth = np.vstack([right, right[::-1] * (-1, 1), curve([_left(half[0]), (0, dip), half[0]])])
    pen.fill(cloth, look.cloth, flat=_BACK)
    edge = curve([_left(half[0]), (0, dip), half[0]])
    pen.line(edge, shade(look.cloth, 0.7), 0.05, flat=_BACK)
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
        pen.fill(wing * (side, 1), white, flat=_BACK)
        pen.line(wing * (side, 1), shade(white, 0.72), 0.025, closed=True, flat=_BACK)
    knot = [(-0.19, low + 0.10), (0.19, low + 0.10), (0.11, low + 0.42), (-0.11, low + 0.42)]
    blade = [(-0.10, low + 0.42), (0.10, low + 0.42), (0.27, low + 2.2), (-0.27, low + 2.2)]
    pen.fill(blade, look.tie, flat=_BACK)
    for k in range(4):  # stripes
        y = low + 0.62 + 0.3 * k
        half = 0.10 + 0.095 * (y - low - 0.42)
        pen.line([(-half, y), (half, y - 0.14)], shade(look.tie, 1.5), 0.05, flat=_BACK)
    pen.fill(knot, shade(look.tie, 0.8), flat=_BACK)
    pen.line(knot, shade(look.tie, 0.5), 0.025, closed=True, flat=_BACK)


def _draw_necklace(pen: Pen, look: Look, neck: float, low: float) -> None:
    string = curve([(-neck - 0.04, low - 0.22), (-0.5 * neck, low + 0.12), (0, low + 0.26),
                    (0.5 * neck, low + 0.12), (neck + 0.04, low - 0.22)], steps=5)  # fmt: skip
    if look.necklace == "chain":
        pen.line(string, shade(look.metal, 0.75), 0.06, flat=_BACK)
        pen.line(string, look.metal, 0.03, flat=_BACK)
        pen.fill(arc((0, low + 0.36), (0.11, 0.13)), look.metal, flat=_BACK)
        return
    for x, y in string:
        pen.fill(arc((x, y), (0.065, 0.065), steps=10), shade(look.metal, 0.7), flat=_BACK)
        pen.fill(arc((x - 0.01, y - 0.015), (0.045, 0.045), steps=9), look.metal, flat=_BACK)


def draw_skull(pen: Pen, person: Person, look: Look) -> None:
    """Ears and the head itself, with its shading."""
    skin = person.skin
    dark = shade(skin, 0.62)
    for side in (-1, 1):
        size = person.ear
        ear = arc((person.face_w + 0.04, 0.16), (0.17 * size, 0.36 * size)) * (side, 1)
        pen.fill(ear, shade(skin, 0.94), flat=_BACK)
        pen.line(ear, dark, 0.022, closed=True, flat=_BACK)
        inner = arc((person.face_w + 0.06, 0.14), (0.08 * size, 0.22 * size), -110, 110)
        pen.line(inner * (side, 1), shade(skin, 0.72), 0.03, flat=_BACK)
    if person.double_chin:
        fold = curve([(-0.95 * person.jaw_w, person.chin_y - 0.42), (-0.5, person.chin_y + 0.13),
                      (0, person.chin_y + 0.24), (0.5, person.chin_y + 0.13),
                      (0.95 * person.jaw_w, person.chin_y - 0.42)])  # fmt: skip
        pen.fill(fold, shade(skin, 0.95), flat=_FLAT)
        pen.line(fold, dark, 0.03, flat=_FLAT)
    head = outline(person)
    pen.fill(head, skin, flat=_FLAT)
    with pen.inside(head, flat=_FLAT):
        # Rounded: the side away from the light and the rim of the jaw are darker.
        turn = 0.16 if look.light.x < 0 else -0.16
        pen.line(head + (0.0, 0.05), shade(skin, 0.86), 0.12, closed=True, flat=_FLAT)
        pen.soft(head * (0.90, 0.93) + (-turn * 0.5, -0.06), shade(skin, 1.06), 0.75, 0.12,
                 flat=_FLAT)  # fmt: skip
    pen.line(head, dark, 0.022, closed=True, flat=_FLAT)


def draw_back_hair(pen: Pen, person: Person, look: Look) -> None:
    """Hair that hangs behind the neck."""
    if person.hair_style not in ("medium", "long"):
        return
    w, volume = person.face_w, person.hair_volume
    end = person.chin_y + (0.15 if person.hair_style == "medium" else 1.2)
    half = curve([(0, _TOP - volume), (0.64 * w, _TOP - 0.7 * volume + 0.15), (w + volume, -0.7),
                  (w + volume + 0.10, 0.5), (w + volume + 0.12, end - 0.4),
                  (w + 0.5 * volume, end)], steps=16)  # fmt: skip
    half = wavy(half, person.hair_wave, 0.42, look.wind)
    half[0, 0] = 0.0
    pen.fill(mirrored(half), shade(person.hair, 0.62), flat=_BACK)


def draw_front_hair(pen: Pen, person: Person, look: Look) -> None:
    """Cap of hair, curtains at the sides, fringe."""
    if person.hair_style == "bald":
        _draw_bald(pen, person)
        return
    cap = _cap(person, look)
    edge = shade(person.hair, 0.55)
    pen.soft(cap * (1, 1) + (0, 0.08), shade(person.skin, 0.55), 0.35, 0.05, flat=_FLAT)
    if person.hair_style in ("medium", "long"):
        _draw_curtains(pen, person, look)
    pen.fill(cap, person.hair, flat=_FLAT)
    with pen.inside(cap, flat=_FLAT):
        _draw_strands(pen, person, look)
    pen.line(cap, edge, 0.028, closed=True, flat=_FLAT)
    if person.bangs and not look.hat:
        _draw_bangs(pen, person, look)


def _draw_bald(pen: Pen, person: Person) -> None:
    """A shine on top and a rim of short hair over the ears."""
    pen.soft(arc((-0.30, -1.25), (0.34, 0.14)), (255, 255, 255), 0.45, 0.08, flat=_FLAT)
    if person.young:
        return
    w = person.face_w
    for side in (-1, 1):
        rim = curve([(w - 0.03, 0.10), (w - 0.13, -0.25), (0.90 * w, -0.72), (w + 0.02, -0.70),
                     (w + 0.12, -0.30), (w + 0.09, 0.0)], closed=True) * (side, 1)  # fmt: skip
        pen.fill(rim, person.hair, flat=_FLAT)
        pen.line(rim, shade(person.hair, 0.6), 0.024, closed=True, flat=_FLAT)


def _cap(person: Person, look: Look) -> Points:
    """Outline of the hair on top of the head."""
    w, volume, line = person.face_w, person.hair_volume, -person.hair_line
    low = 0.10 if person.hair_style == "short" else 0.0
    half = curve([(0, _TOP - volume), (0.60 * w, _TOP - 0.8 * volume + 0.13),
                  (w + 0.45 * volume, -0.92), (w + 0.06 + 0.35 * volume, low)], steps=16)  # fmt: skip
    half = wavy(half, 0.8 * person.hair_wave, 0.36, look.wind)
    half[0, 0] = 0.0
    left = (half * (-1, 1))[::-1][:-1]
    # The corners of a receding hairline go up, a full one bends round the temples.
    corner = line - 0.16 if person.receding else line + 0.16
    tip = line + 0.12 if person.receding else line - 0.10
    part = person.part
    inner = curve([(w - 0.06, low), (0.91 * w, -0.50), (0.66 * w + 0.1 * part, corner),
                   (part, tip), (-0.66 * w + 0.1 * part, corner), (-0.91 * w, -0.50),
                   (-w + 0.06, low)])  # fmt: skip
    return np.vstack([left, half, inner])


def _draw_strands(pen: Pen, person: Person, look: Look) -> None:
    w, volume = person.face_w, person.hair_volume
    root = np.array([person.part, _TOP - 0.4 * volume])
    gloss = mix(person.hair, (255, 255, 255), 0.22)
    for k in range(-5, 6):
        side = np.array([k / 5 * (w + volume * 0.5), 0.1 - 0.75 * (1 - abs(k) / 5)])
        middle = (root + side) / 2 + (0.22 * np.sign(k) * (1 - abs(k) / 6), -0.22)
        strand = wavy(
            curve([root, middle, side], steps=12), person.hair_wave * 0.5, 0.45, look.wind + k
        )
        pen.line(strand, gloss if k % 2 else shade(person.hair, 0.68), 0.03, flat=_FLAT)
    sheen = curve([(-0.7 * w, -1.12), (-0.3 * w, -1.42), (0.1 * w, -1.48), (-0.3 * w, -1.30)])
    pen.soft(sheen, gloss, 0.55, 0.06, flat=_FLAT)


def _draw_curtains(pen: Pen, person: Person, look: Look) -> None:
    """Hair that falls in front of the ears."""
    w, volume = person.face_w, person.hair_volume
    end = person.chin_y + (0.10 if person.hair_style == "medium" else 1.1)
    for side in (-1, 1):
        outer = curve([(0.80 * w, -1.1), (w + volume, -0.6), (w + volume + 0.12, 0.5),
                       (w + volume + 0.10, end)], steps=16)  # fmt: skip
        inner = curve([(w - 0.06, end + 0.05), (w + 0.04, 0.8), (w - 0.07, 0.2), (0.90 * w, -0.5),
                       (0.80 * w, -1.1)], steps=12)  # fmt: skip
        outer = wavy(outer, person.hair_wave, 0.42, look.wind)
        inner = wavy(inner, 0.5 * person.hair_wave, 0.42, look.wind)
        lock = np.vstack([outer, inner]) * (side, 1)
        pen.fill(lock, shade(person.hair, 0.92), flat=_FLAT)
        pen.line(lock, shade(person.hair, 0.55), 0.028, closed=True, flat=_FLAT)
        for k in (0.35, 0.68):
            n = min(len(outer), len(inner))
            strand = (outer[:n] * (1 - k) + inner[::-1][:n] * k) * (side, 1)
            pen.line(strand[8:], shade(person.hair, 0.7), 0.028, flat=_FLAT)


def _draw_bangs(pen: Pen, person: Person, look: Look) -> None:
    w, count = 0.88 * person.face_w, 7
    x = np.linspace(-w, w, 2 * count + 1)
    deep = np.where(np.arange(2 * count + 1) % 2, 0.10, 0.0)
    low = np.column_stack([x, -0.66 + deep + 0.06 * np.cos(2 * x + look.wind) + 0.08 * x**2])
    top = curve([(w, -0.85), (0.6 * w, -1.28), (0, -1.36), (-0.6 * w, -1.28), (-w, -0.85)])
    edge = curve(low, steps=4) if person.hair_wave else low
    fringe = np.vstack([edge, top])
    pen.soft(edge + (0, 0.06), shade(person.skin, 0.6), 0.4, 0.04)
    pen.fill(fringe, shade(person.hair, 1.05), flat=_FLAT)
    pen.line(edge, shade(person.hair, 0.55), 0.028, flat=_FLAT)
    for k in range(2, 2 * count, 2):
        strand = curve([(x[k] * 0.75, -1.3), (x[k] * 0.95, -1.0), low[k]])
        pen.line(strand, shade(person.hair, 0.7), 0.028, flat=_FLAT)
