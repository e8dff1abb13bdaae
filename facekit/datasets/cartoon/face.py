"""Face: eyes, brows, nose, mouth and the lines that expressions make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon.colors import Color, mix, shade
from facekit.datasets.cartoon.look import Look
from facekit.datasets.cartoon.pen import Pen
from facekit.datasets.cartoon.person import Person
from facekit.datasets.cartoon.shapes import arc, curve

__all__ = ["draw_brows", "draw_eyes", "draw_lines", "draw_mouth", "draw_nose", "points"]

Points = NDArray[np.float64]

_WHITE: Color = (248, 248, 246)
_INK: Color = (34, 24, 24)


def points(person: Person, look: Look) -> Points:
    """Eye centres, nose tip and mouth corners, shape (5, 2) in face units."""
    face = look.expression
    y = person.mouth_y + face.mouth_y + face.corner
    half = person.mouth_w * face.mouth_w
    return np.array(
        [
            (-0.5, 0.0),
            (0.5, 0.0),
            (0.0, person.nose_y - 0.03 * face.wrinkle),
            (-half, y - 0.5 * face.skew),
            (half, y + 0.5 * face.skew),
        ]
    )


def eye_shape(person: Person, look: Look, side: int) -> tuple[Points, Points]:
    """Upper and lower lid, each from the inner to the outer corner."""
    face = look.expression
    t = np.linspace(0, 1, 13)
    height = person.eye_h * face.eye_open
    x = side * (0.5 + (2 * t - 1) * person.eye_w)
    base = -person.eye_tilt * (t - 0.5)
    dome = np.sqrt(np.clip(1 - (2 * t - 1) ** 2, 0, 1)) ** 1.3
    upper = -1.05 * height * dome
    low = height * face.lid_slant * (1 - t if face.lid_slant > 0 else -t)
    upper = np.minimum(upper + 1.25 * low * np.sign(dome), 0.4 * height * dome)
    lower = (0.80 - 0.35 * max(0.0, face.cheek - 0.3)) * height * dome
    return np.column_stack([x, base + upper]), np.column_stack([x, base + lower])


def draw_eyes(pen: Pen, person: Person, look: Look) -> None:
    """Sockets, eye balls, irises, lids and lashes."""
    face = look.expression
    for side in (-1, 1):
        upper, lower = eye_shape(person, look, side)
        socket = arc((side * 0.5, -0.06), (person.eye_w * 1.30, 0.21))
        pen.soft(socket, shade(person.skin, 0.60), 0.50, 0.07)
        if look.makeup:
            lid = np.vstack([upper + (0, 0.02), (upper * (1, 1.1) + (0, -0.15))[::-1]])
            pen.soft(lid, look.makeup, 0.85, 0.02)
        ball = np.vstack([upper, lower[::-1]])
        pen.fill(ball, _WHITE)
        x = side * 0.5 + look.gaze[0] * person.eye_w * 0.4
        y = -0.1 * person.eye_h + look.gaze[1] * person.eye_h * 0.5
        radius = person.iris_r * face.iris
        with pen.inside(ball):
            pen.fill(upper + (0, -0.03), (190, 190, 196))
            pen.line(upper + (0, 0.02), (196, 194, 198), 0.06)
            pen.fill(arc((x, y), (radius, radius)), shade(person.iris, 0.55))
            pen.fill(arc((x, y + 0.01), (0.8 * radius, 0.8 * radius)), person.iris)
            pen.fill(arc((x, y), (0.45 * radius, 0.45 * radius), steps=14), (16, 12, 14))
            pen.fill(arc((x - 0.035, y - 0.04), (0.028, 0.028), steps=10), (255, 255, 255))
        pen.line(lower, shade(person.skin, 0.58), 0.022)
        pen.line(upper, _INK, 0.075 if look.makeup else 0.055 if not person.male else 0.042)
        if face.eye_open < 1.3:
            pen.line(upper[2:-1] * (1, 1.0) + (0, -0.065), shade(person.skin, 0.55), 0.02)
        if not person.male:
            for k, reach in ((12, 0.12), (10, 0.10), (8, 0.07)):
                root = upper[k]
                tip = root + (side * reach * 0.8, -reach * 0.75)
                pen.line([root, tip], _INK, 0.035 if look.makeup else 0.025)


def brow_height(person: Person, look: Look) -> float:
    """How far the middle of a brow rises over the line of its ends."""
    return person.brow_arch + look.expression.brow_arch


def draw_brows(pen: Pen, person: Person, look: Look) -> None:
    """Two tapered brows."""
    face = look.expression
    color = shade(person.hair, 0.62) if person.hair_name != "gray" else shade(person.hair, 0.75)
    thick, arch = person.brow_thick, brow_height(person, look)
    t = np.linspace(0, 1, 9)
    bend = arch * np.sin(np.pi * t**0.75 * 0.94)
    y = person.brow_y + face.brow_in * (1 - t) ** 1.3 + face.brow_out * t - bend + 0.04 * t
    width = thick * (0.75 + 0.5 * np.sin(np.pi * np.minimum(t * 1.3, 1))) * (1 - 0.72 * t**2)
    x = 0.5 - person.brow_len + 0.04 - face.brow_near + 2 * (person.brow_len + 0.015) * t
    for side in (-1, 1):
        upper = np.column_stack([side * x, y - width / 2])
        lower = np.column_stack([side * x, y + width / 2])
        pen.fill(np.vstack([upper, lower[::-1]]), color)
        if thick > 0.11:  # bushy: single hairs stand out
            for k in range(8):
                hair = [lower[k], upper[k] + (side * 0.05, -0.022)]
                pen.line(hair, shade(color, 0.88), 0.022)


def draw_nose(pen: Pen, person: Person, look: Look) -> None:
    """Bridge, tip, wings and nostrils; a pointed nose ends in a V."""
    face, skin, w = look.expression, person.skin, person.nose_w
    tip = person.nose_y - 0.03 * face.wrinkle
    w = w * (1 + 0.15 * face.wrinkle)
    dark, lift = shade(skin, 0.60), 0.22
    point = person.nose_point
    bridge = curve([(-0.10, -0.15), (-0.09, 0.2), (-0.5 * w, tip), (0.5 * w, tip), (0.09, 0.2),
                    (0.10, -0.15)])  # fmt: skip
    pen.soft(bridge, shade(skin, 1.14), 0.75, 0.05)
    dim = 1 if look.light.x < 0 else -1
    side = curve([(0.13, -0.10), (0.12, 0.2), (0.85 * w, tip - 0.02), (0.45 * w, tip), (0.07, 0.1)])
    pen.soft(side * (dim, 1), shade(skin, 0.72), 0.55, 0.035)
    drop = 0.10 * point
    base = curve([(-w, tip - 0.02), (-0.86 * w, tip + 0.09), (-0.30 * w, tip + 0.09),
                  (0, tip + 0.12 + drop), (0.30 * w, tip + 0.09), (0.86 * w, tip + 0.09),
                  (w, tip - 0.02)])  # fmt: skip
    pen.line(base, dark, 0.034, lift=lift * 0.5)
    for s in (-1, 1):
        wing = arc((0.72 * w, tip + 0.02), (0.30 * w, 0.11), -80, 90, steps=10) * (s, 1)
        pen.line(wing, dark, 0.03, lift=lift * 0.3)
        nostril = arc((0.45 * w, tip + 0.085), (0.20 * w, 0.032), steps=12) * (s, 1)
        pen.fill(nostril, shade(skin, 0.34), lift=lift * 0.5)
    if point > 0.5:
        edge = [(-0.11, tip - 0.20), (-0.045, tip + 0.02), (0.0, tip + 0.14 + drop),
                (0.045, tip + 0.02), (0.11, tip - 0.20)]  # fmt: skip
        pen.fill(edge, shade(skin, 1.12), lift=lift)
        pen.line(edge, dark, 0.026, lift=lift)
    else:
        pen.soft(arc((-0.03, tip - 0.04), (0.07, 0.05)), (255, 255, 255), 0.45, 0.03)


def draw_mouth(pen: Pen, person: Person, look: Look) -> None:
    """Lips, and teeth and tongue when the mouth is open."""
    face = look.expression
    half = person.mouth_w * face.mouth_w
    t = np.linspace(-1, 1, 25)
    x = half * t
    middle = person.mouth_y + face.mouth_y + face.corner * np.abs(t) ** 1.7 + 0.5 * face.skew * t
    dome = np.clip(1 - t**2, 0, 1) ** (0.9 - 0.4 * face.round)
    up = middle - (0.42 * face.gap + 0.5 * face.lip_raise) * dome
    low = middle + 0.58 * face.gap * dome
    bow = np.clip(1 - t**2, 0, 1) ** 0.8 * (1 - 0.22 * np.exp(-((t / 0.16) ** 2)))
    top = up - (person.lip_up + 0.25 * face.lip_raise) * bow - 0.006
    bottom = low + person.lip_low * np.clip(1 - t**2, 0, 1) ** 0.65 + 0.006
    lip = look.lipstick or mix(
        shade(person.skin, 0.80), (176, 72, 76), 0.34 if person.male else 0.5
    )
    pen.soft(np.column_stack([x * 0.7, bottom + 0.08]), shade(person.skin, 0.6), 0.5, 0.05)
    lips = np.vstack([np.column_stack([x, top]), np.column_stack([x, bottom])[::-1]])
    pen.fill(lips, lip)
    upper_lip = np.vstack([np.column_stack([x, top]), np.column_stack([x, up])[::-1]])
    pen.fill(upper_lip, shade(lip, 0.82))
    inner = np.vstack([np.column_stack([x, up]), np.column_stack([x, low])[::-1]])
    if face.gap > 0.02:
        _draw_inside(pen, look, inner, np.column_stack([x, up]), np.column_stack([x, low]))
    else:
        line = np.column_stack([x * 1.04, (up + low) / 2])
        pen.line(line, shade(lip, 0.42), 0.036)
    pen.line(lips, shade(lip, 0.62), 0.018, closed=True)
    if look.lipstick:
        pen.soft(arc((-0.06, float(bottom[12]) - 0.45 * person.lip_low), (0.5 * half, 0.015)),
                 (255, 255, 255), 0.55, 0.02)  # fmt: skip


def _draw_inside(pen: Pen, look: Look, inner: Points, up: Points, low: Points) -> None:
    face = look.expression
    pen.fill(inner, (74, 16, 22))
    center = inner.mean(0)
    with pen.inside(inner):
        if face.gap > 0.14 and not face.clench:
            pen.fill(arc((center[0], low[12, 1] + 0.03), (0.6 * abs(up[0, 0]), 0.42 * face.gap)),
                     (196, 84, 90))  # fmt: skip
        if face.clench > 0.5:
            pen.fill(inner, (238, 236, 228))
            pen.line((up + low) / 2, (130, 116, 112), 0.022)
            for x in np.linspace(-0.8, 0.8, 7) * abs(up[0, 0]):
                pen.line([(x, center[1] - 0.4), (x, center[1] + 0.4)], (176, 168, 164), 0.014)
        elif face.teeth > 0.05:
            depth = min(0.09, face.gap * face.teeth)
            pen.fill(np.vstack([up + (0, -0.05), (up + (0, depth))[::-1]]), (246, 245, 240))
    pen.line(inner, (54, 14, 18), 0.018, closed=True)


def draw_lines(pen: Pen, person: Person, look: Look) -> None:
    """Cheek bones, folds and wrinkles, from the expression and from age."""
    face, skin = look.expression, person.skin
    dark = shade(skin, 0.62)
    y = person.mouth_y + face.mouth_y
    half = person.mouth_w * face.mouth_w
    for side in (-1, 1):
        if high_cheeks(person, look):
            pen.soft(arc((side * 0.68, 0.36), (0.21, 0.10)), shade(skin, 1.18), 0.9, 0.06)
            hollow = curve([(0.94, 0.42), (0.68, 0.66), (0.52, 0.98), (0.72, 0.86), (0.92, 0.62)])
            pen.soft(hollow * (side, 1), shade(skin, 0.62), 0.45, 0.05)
        fold = max(face.cheek, 0.0 if person.young else 0.8)
        if fold > 0.3:
            line = curve([(person.nose_w + 0.05, person.nose_y + 0.02), (half + 0.06, y - 0.16),
                          (half + 0.12, y + 0.04)]) * (side, 1)  # fmt: skip
            pen.line(line, mix(skin, dark, min(1.0, fold)), 0.028)
        if not person.young:
            for k in (-1, 0, 1):
                root = np.array([0.5 + person.eye_w + 0.05, 0.02 + 0.05 * k])
                pen.line([root * (side, 1), (root + (0.13, 0.06 * k)) * (side, 1)], dark, 0.018)
        if face.frown > 0.4:
            pen.line([(side * 0.07, -0.42), (side * 0.05, -0.20)], dark, 0.03)
        if face.wrinkle > 0.4:
            for k in range(3):
                at = -0.02 + 0.09 * k
                pen.line([(side * 0.03, at + 0.02), (side * 0.15, at - 0.05)], dark, 0.026)
    count = 3 if not person.young else 2 if face.forehead > 0.5 else 0
    for k in range(count):
        line = curve([(-0.42, -0.66 - 0.12 * k), (0, -0.70 - 0.12 * k), (0.42, -0.66 - 0.12 * k)])
        pen.line(line, mix(skin, dark, 0.75), 0.022)


def high_cheeks(person: Person, look: Look) -> bool:
    """Whether the cheek bones are drawn: by nature, or raised by a smile."""
    return person.high_cheekbones or look.expression.cheek > 0.85
