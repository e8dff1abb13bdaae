"""Extras: beard, blush, bags under the eyes, glasses, hat and jewellery."""

from __future__ import annotations

import numpy as np

from facekit.arrays import Float64
from facekit.cartoon.face import FLAT, outline
from facekit.cartoon.pen import Color, Pen, arc, curve, mirrored, mix, shade
from facekit.cartoon.person import Look, Person


def draw_skin(pen: Pen, person: Person, look: Look) -> None:
    """Blush, moles and bags under the eyes."""
    skin = person.skin
    for side in (-1, 1):
        if look.blush:
            pen.soft(arc((side * 0.70, 0.53), (0.23, 0.18)), (232, 70, 88), 0.62, 0.07)
        if person.eye_bags:
            low, w = person.eye_h * 0.8 + 0.05, 0.9 * person.eye_w
            rim = [(0.5 - w, low - 0.02), (0.5, low + 0.13), (0.5 + w, low - 0.02)]
            bag = curve([*rim, (0.5, low + 0.05)], closed=True)
            pen.soft(bag * (side, 1), mix(shade(skin, 0.55), (86, 60, 96), 0.35), 0.75, 0.02)
            fold = curve([(0.5 - person.eye_w, low), (0.5, low + 0.14), (0.5 + person.eye_w, low)])
            pen.line(fold * (side, 1), shade(skin, 0.58), 0.026)
    if person.mole:
        pen.fill(arc(person.mole, (0.04, 0.04), steps=12), shade(skin, 0.38))


def draw_beard(pen: Pen, person: Person, look: Look) -> None:
    """Stubble, mustache, goatee or full beard."""
    if look.beard == "none":
        return
    hair = shade(person.hair, 0.85)
    mouth, chin = person.mouth_y + look.expression.mouth_y, person.chin_y
    open_low = mouth + 0.6 * look.expression.gap + person.lip_low
    head = outline(person)
    if look.beard in ("stubble", "full"):
        jaw = _jaw(person, mouth)
        with pen.inside(head, flat=FLAT):
            if look.beard == "stubble":
                pen.soft(jaw, mix(shade(person.skin, 0.5), (60, 66, 76), 0.5), 0.52, 0.09)
                _draw_dots(pen, person, mouth)
                return
            pen.fill(jaw, hair, flat=FLAT)
            _draw_hairs(pen, jaw, shade(hair, 0.7), shade(hair, 1.35), chin)
    if look.beard == "goatee":
        patch = curve([(-0.30, open_low + 0.05), (-0.33, chin - 0.14), (0, chin + 0.12),
                       (0.33, chin - 0.14), (0.30, open_low + 0.05), (0, open_low + 0.09)],
                      closed=True)  # fmt: skip
        pen.fill(patch, hair, flat=0.9)
        for x in np.linspace(-0.2, 0.2, 5):
            pen.line(
                [(x, open_low + 0.1), (x * 0.8, chin + 0.04)], shade(hair, 0.68), 0.02, flat=0.9
            )
    if look.beard in ("mustache", "full"):
        _draw_mustache(pen, person, look, mouth)


def _jaw(person: Person, mouth: float) -> Float64:
    """From ear to ear, leaving the cheeks and the lips free."""
    w, chin = person.face_w, person.chin_y
    outer = [(w + 0.1, 0.30), (w + 0.1, 1.0), (0.8 * w, chin), (0, chin + 0.12)]
    inner = [(0.30, mouth - 0.26), (0.58, mouth - 0.20), (0.88 * w, 0.60), (0.93 * w, 0.30)]
    outside = mirrored(outer)
    inside = np.array(inner)
    left = inside[::-1] * (-1, 1)
    return np.vstack([outside, left, curve([left[-1], (0, mouth - 0.32), inside[0]]), inside])


def _draw_dots(pen: Pen, person: Person, mouth: float) -> None:
    rng = np.random.default_rng(7)  # the pattern does not matter, only that it stays
    spots = rng.uniform((-1.0, mouth - 0.2), (1.0, person.chin_y), (110, 2))
    ink = mix(shade(person.skin, 0.4), (30, 30, 36), 0.6)
    for x, y in spots:
        if abs(x) > 0.45 or abs(y - mouth - 0.03) > 0.17:
            pen.line([(x, y), (x + 0.01, y + 0.03)], ink, 0.014)


def _draw_hairs(pen: Pen, jaw: Float64, dark: Color, light: Color, chin: float) -> None:
    with pen.inside(jaw, flat=FLAT):
        for k, x in enumerate(np.linspace(-1.3, 1.3, 27)):
            hair = curve([(x, 0.3), (x * 0.96, 0.9), (x * 0.72, chin + 0.1)], steps=4)
            pen.line(hair, light if k % 3 == 0 else dark, 0.02, flat=FLAT)


def _draw_mustache(pen: Pen, person: Person, look: Look, mouth: float) -> None:
    half = person.mouth_w * (0.9 + 0.15 * look.expression.mouth_w)
    lift = 0.42 * look.expression.gap + 0.5 * look.expression.lip_raise
    y = mouth - lift - person.lip_up
    nose = person.nose_y + 0.12
    hair = shade(person.hair, 0.80)
    for side in (-1, 1):
        wing = curve([(0.0, min(nose + 0.04, y - 0.10)), (0.5 * half, y - 0.14), (half, y + 0.02),
                      (half + 0.08, y + 0.12), (0.6 * half, y + 0.045), (0.0, y + 0.01)],
                     closed=True) * (side, 1)  # fmt: skip
        pen.fill(wing, hair)
        for k in range(1, 5):
            a, b = np.array([0.05 * k, y - 0.12]), np.array([half * k / 4, y + 0.05])
            pen.line([a * (side, 1), b * (side, 1)], shade(hair, 0.68), 0.018)


def draw_sideburns(pen: Pen, person: Person) -> None:
    """Strips of hair in front of the ears."""
    w = person.face_w
    for side in (-1, 1):
        strip = curve([(0.92 * w, -0.55), (w + 0.03, -0.50), (w + 0.01, 0.35), (0.975 * w, 0.68),
                       (0.84 * w, 0.64), (0.88 * w, 0.1)], closed=True) * (side, 1)  # fmt: skip
        pen.fill(strip, shade(person.hair, 0.9), flat=FLAT)
        pen.line(strip, shade(person.hair, 0.6), 0.024, closed=True, flat=FLAT)


def draw_glasses(pen: Pen, person: Person, look: Look) -> None:
    """Frames with clear lenses, or sunglasses."""
    if look.glasses is None:
        return
    color, lift = look.glasses_color, 0.12
    sun = look.glasses == "sun"
    for side in (-1, 1):
        if look.glasses == "round":
            lens = arc((side * 0.5, 0.03), (0.385, 0.36), steps=32)
        else:
            half = [(-0.40, -0.24), (0.36, -0.26), (0.40, -0.1), (0.34, 0.26), (0.0, 0.32),
                    (-0.28, 0.28), (-0.39, 0.06)]  # fmt: skip
            lens = curve(np.array(half) * (1, 1), closed=True, steps=5)
            lens = (lens + (0.5, 0.03)) * (side, 1)
        if sun:
            pen.fill(lens, mix(color, (12, 12, 16), 0.8), lift=lift)
            glint = np.array([(0.28, -0.16), (0.42, -0.18), (0.30, 0.16), (0.20, 0.12)])
            pen.fill(glint * (side, 1), (96, 100, 112), lift=lift)
        else:
            shine = [(0.34, -0.16), (0.42, -0.16), (0.30, 0.20), (0.24, 0.18)]
            with pen.inside(lens, lift=lift):
                pen.soft(
                    np.array(shine) + (0 if side > 0 else -1.0, 0), (255, 255, 255), 0.35, 0.02
                )
        pen.line(lens, color, 0.065, closed=True, lift=lift)
        temple = side * (person.face_w + 0.06)
        pen.line([(side * 0.88, -0.06), (temple, -0.08)], color, 0.06, flat=0.4)
    pen.line(curve([(-0.13, -0.03), (0, -0.09), (0.13, -0.03)]), color, 0.065, lift=lift)


def draw_hat(pen: Pen, person: Person, look: Look) -> None:
    """Beanie, cap or hat with a brim; it covers the top of the head and forehead."""
    if look.hat is None:
        return
    w = person.face_w + 0.6 * person.hair_volume + 0.04
    color, edge = look.hat_color, shade(look.hat_color, 0.5)
    top = -2.12 if look.hat != "brim" else -2.25
    half = [(0, top), (0.58 * w, top + 0.12), (0.96 * w, -1.40), (1.02 * w, -0.74)]
    right = curve(half)
    rim = curve([(1.02 * w, -0.74), (0, -0.88), (-1.02 * w, -0.74)])
    dome = np.vstack([right[::-1] * (-1, 1), right, rim])
    pen.soft(rim + (0, 0.10), shade(person.skin, 0.5), 0.5, 0.06, flat=FLAT)
    pen.fill(dome, color, flat=FLAT)
    pen.soft(arc((-0.4, -1.5), (0.3, 0.35)), shade(color, 1.4), 0.5, 0.12, flat=FLAT)
    pen.line(dome, edge, 0.03, closed=True, flat=FLAT)
    if look.hat == "beanie":
        band = np.vstack([rim + (0, 0.05), (rim + (0, -0.34))[::-1]])
        pen.fill(band, shade(color, 0.8), flat=FLAT)
        for x in np.linspace(-0.95, 0.95, 15) * w:
            pen.line([(x, -1.16), (x, -0.78)], edge, 0.02, flat=FLAT)
        pen.fill(arc((0, top - 0.05), (0.24, 0.20)), shade(color, 1.2), flat=FLAT)
    elif look.hat == "cap":
        peak = curve([(-0.95 * w, -0.80), (-0.6 * w, -0.66), (0, -0.58), (0.6 * w, -0.66),
                      (0.95 * w, -0.80), (0, -1.00)], closed=True)  # fmt: skip
        pen.fill(peak, shade(color, 0.7), lift=0.3)
        pen.line(peak, edge, 0.03, closed=True, lift=0.3)
        pen.line([(0, top), (0, -1.0)], edge, 0.02, flat=FLAT)
    else:
        brim = arc((0, -0.82), (1.5 * w, 0.20), steps=36)
        pen.fill(brim, shade(color, 0.85), flat=FLAT)
        pen.line(brim, edge, 0.03, closed=True, flat=FLAT)
        band = np.vstack([rim + (0, -0.04), (rim + (0, -0.24))[::-1]])
        pen.fill(band, edge, flat=FLAT)


def draw_earrings(pen: Pen, person: Person, look: Look) -> None:
    """Studs, hoops or drops, in front of any hair."""
    if look.earrings is None:
        return
    low = 0.16 + 0.36 * person.ear
    for side in (-1, 1):
        x = side * (person.face_w + 0.10)
        dark = shade(look.metal, 0.6)
        if look.earrings == "hoop":
            ring = arc((x, low + 0.20), (0.15, 0.20))
            pen.line(ring, dark, 0.085, closed=True, flat=0.1)
            pen.line(ring, look.metal, 0.05, closed=True, flat=0.1)
            continue
        if look.earrings == "drop":
            tear = [(x, low), (x + 0.1, low + 0.3), (x, low + 0.42), (x - 0.1, low + 0.3)]
            drop = curve(tear, closed=True)
            pen.fill(drop, look.metal, flat=0.1)
            pen.line(drop, dark, 0.03, closed=True, flat=0.1)
        pen.fill(arc((x, low), (0.105, 0.105), steps=16), dark, flat=0.1)
        pen.fill(arc((x, low), (0.08, 0.08), steps=16), shade(look.metal, 1.1), flat=0.1)
