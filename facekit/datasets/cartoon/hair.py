"""Hair: behind the neck, on top of the head, at its sides and on the forehead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon.colors import mix, shade
from facekit.datasets.cartoon.head import BACK, FLAT, TOP
from facekit.datasets.cartoon.look import Look
from facekit.datasets.cartoon.pen import Pen
from facekit.datasets.cartoon.person import Person
from facekit.datasets.cartoon.shapes import arc, curve, mirrored, wavy

__all__ = ["draw_back_hair", "draw_front_hair"]

Points = NDArray[np.float64]


def draw_back_hair(pen: Pen, person: Person, look: Look) -> None:
    """Hair that hangs behind the neck."""
    if person.hair_style not in ("medium", "long"):
        return
    w, volume = person.face_w, person.hair_volume
    end = person.chin_y + (0.15 if person.hair_style == "medium" else 1.2)
    half = curve([(0, TOP - volume), (0.64 * w, TOP - 0.7 * volume + 0.15), (w + volume, -0.7),
                  (w + volume + 0.10, 0.5), (w + volume + 0.12, end - 0.4),
                  (w + 0.5 * volume, end)], steps=_steps(person))  # fmt: skip
    half = wavy(half, person.hair_wave, 0.42, look.wind)
    half[0, 0] = 0.0
    pen.fill(mirrored(half), shade(person.hair, 0.62), flat=BACK)


def draw_front_hair(pen: Pen, person: Person, look: Look) -> None:
    """Cap of hair, curtains at the sides, fringe."""
    if person.hair_style == "bald":
        _draw_bald(pen, person)
        return
    cap = _cap(person, look)
    edge = shade(person.hair, 0.55)
    pen.soft(cap * (1, 1) + (0, 0.08), shade(person.skin, 0.55), 0.35, 0.05, flat=FLAT)
    if person.hair_style in ("medium", "long"):
        _draw_curtains(pen, person, look)
    pen.fill(cap, person.hair, flat=FLAT)
    with pen.inside(cap, flat=FLAT):
        _draw_strands(pen, person, look)
    pen.line(cap, edge, 0.028, closed=True, flat=FLAT)
    if person.bangs and not look.hat:
        _draw_bangs(pen, person, look)


def _draw_bald(pen: Pen, person: Person) -> None:
    """A shine on top and a rim of short hair over the ears."""
    pen.soft(arc((-0.30, -1.25), (0.34, 0.14)), (255, 255, 255), 0.45, 0.08, flat=FLAT)
    if person.young:
        return
    w = person.face_w
    for side in (-1, 1):
        rim = curve([(w - 0.03, 0.10), (w - 0.13, -0.25), (0.90 * w, -0.72), (w + 0.02, -0.70),
                     (w + 0.12, -0.30), (w + 0.09, 0.0)], closed=True) * (side, 1)  # fmt: skip
        pen.fill(rim, person.hair, flat=FLAT)
        pen.line(rim, shade(person.hair, 0.6), 0.024, closed=True, flat=FLAT)


def _steps(person: Person) -> int:
    """Points between two of an outline; waves need many."""
    return 16 if person.hair_wave else 5


def _cap(person: Person, look: Look) -> Points:
    """Outline of the hair on top of the head."""
    w, volume, line = person.face_w, person.hair_volume, -person.hair_line
    low = 0.10 if person.hair_style == "short" else 0.0
    half = curve([(0, TOP - volume), (0.60 * w, TOP - 0.8 * volume + 0.13),
                  (w + 0.45 * volume, -0.92), (w + 0.06 + 0.35 * volume, low)],
                 steps=_steps(person))  # fmt: skip
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
    root = np.array([person.part, TOP - 0.4 * volume])
    gloss = mix(person.hair, (255, 255, 255), 0.22)
    for k in range(-5, 6):
        side = np.array([k / 5 * (w + volume * 0.5), 0.1 - 0.75 * (1 - abs(k) / 5)])
        middle = (root + side) / 2 + (0.22 * np.sign(k) * (1 - abs(k) / 6), -0.22)
        strand = wavy(
            curve([root, middle, side], steps=_steps(person)),
            person.hair_wave * 0.5,
            0.45,
            look.wind + k,
        )
        pen.line(strand, gloss if k % 2 else shade(person.hair, 0.68), 0.03, flat=FLAT)
    sheen = curve([(-0.7 * w, -1.12), (-0.3 * w, -1.42), (0.1 * w, -1.48), (-0.3 * w, -1.30)])
    pen.soft(sheen, gloss, 0.55, 0.06, flat=FLAT)


def _draw_curtains(pen: Pen, person: Person, look: Look) -> None:
    """Hair that falls in front of the ears."""
    w, volume = person.face_w, person.hair_volume
    end = person.chin_y + (0.10 if person.hair_style == "medium" else 1.1)
    for side in (-1, 1):
        outer = curve([(0.80 * w, -1.1), (w + volume, -0.6), (w + volume + 0.12, 0.5),
                       (w + volume + 0.10, end)], steps=_steps(person))  # fmt: skip
        inner = curve([(w - 0.06, end + 0.05), (w + 0.04, 0.8), (w - 0.07, 0.2), (0.90 * w, -0.5),
                       (0.80 * w, -1.1)], steps=_steps(person))  # fmt: skip
        outer = wavy(outer, person.hair_wave, 0.42, look.wind)
        inner = wavy(inner, 0.5 * person.hair_wave, 0.42, look.wind)
        lock = np.vstack([outer, inner]) * (side, 1)
        pen.fill(lock, shade(person.hair, 0.92), flat=FLAT)
        pen.line(lock, shade(person.hair, 0.55), 0.028, closed=True, flat=FLAT)
        for k in (0.35, 0.68):
            n = min(len(outer), len(inner))
            strand = (outer[:n] * (1 - k) + inner[::-1][:n] * k) * (side, 1)
            pen.line(strand[_steps(person) // 2 :], shade(person.hair, 0.7), 0.028, flat=FLAT)


def _draw_bangs(pen: Pen, person: Person, look: Look) -> None:
    w, count = 0.88 * person.face_w, 7
    x = np.linspace(-w, w, 2 * count + 1)
    deep = np.where(np.arange(2 * count + 1) % 2, 0.10, 0.0)
    low = np.column_stack([x, -0.66 + deep + 0.06 * np.cos(2 * x + look.wind) + 0.08 * x**2])
    top = curve([(w, -0.85), (0.6 * w, -1.28), (0, -1.36), (-0.6 * w, -1.28), (-w, -0.85)])
    edge = curve(low, steps=4) if person.hair_wave else low
    fringe = np.vstack([edge, top])
    pen.soft(edge + (0, 0.06), shade(person.skin, 0.6), 0.4, 0.04)
    pen.fill(fringe, shade(person.hair, 1.05), flat=FLAT)
    pen.line(edge, shade(person.hair, 0.55), 0.028, flat=FLAT)
    for k in range(2, 2 * count, 2):
        strand = curve([(x[k] * 0.75, -1.3), (x[k] * 0.95, -1.0), low[k]])
        pen.line(strand, shade(person.hair, 0.7), 0.028, flat=FLAT)
