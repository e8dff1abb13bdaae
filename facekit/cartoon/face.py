"""Face: eyes, brows, nose, mouth and the lines that expressions make."""

from __future__ import annotations

import numpy as np

from facekit.arrays import Float64
from facekit.cartoon.pen import Color, Pen, arc, curve, mirrored, mix, shade, wavy
from facekit.cartoon.person import Look, Person

_WHITE: Color = (248, 248, 246)
_INK: Color = (34, 24, 24)


def points(person: Person, look: Look) -> Float64:
    """Eye centres, nose tip and mouth corners, shape (5, 2) in face units."""
    face = look.expression
    y = person.mouth_y + face.mouth_y + face.corner
    half = person.mouth_w * face.mouth_w
    tip = (0.0, person.nose_y - 0.03 * face.wrinkle)
    corners = (-half, y - 0.5 * face.skew), (half, y + 0.5 * face.skew)
    return np.array([(-0.5, 0.0), (0.5, 0.0), tip, *corners])


def eye_shape(person: Person, look: Look, side: int) -> tuple[Float64, Float64]:
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


def _draw_inside(pen: Pen, look: Look, inner: Float64, up: Float64, low: Float64) -> None:
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


# Head: skull, ears, neck, shoulders and what is worn there.

TOP = -1.60  #: top of the skull
FLAT = 0.3  #: depth of the outline of the head
BACK = 0.0  #: depth of ears, neck and hair behind the head


def outline(person: Person) -> Float64:
    """Outline of the head without hair, shape (n, 2) in face units."""
    w, chin = person.face_w, person.chin_y
    half = [
        (0.0, TOP), (0.56 * w, TOP + 0.13), (0.92 * w, -0.96), (w, -0.10),
        (0.985 * w + 0.05 * person.chubby, 0.40),
        (person.jaw_w + 0.12 * person.chubby, 0.62 * chin),
        (0.5 * (person.jaw_w + person.chin_w), 0.84 * chin), (person.chin_w, 0.97 * chin),
        (0.0, chin),
    ]  # fmt: skip
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


# Hair: behind the neck, on top of the head, at its sides and on the forehead.


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
    """Float64 between two of an outline; waves need many."""
    return 16 if person.hair_wave else 5


def _cap(person: Person, look: Look) -> Float64:
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
