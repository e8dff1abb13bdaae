"""Person: what stays the same from one cartoon of somebody to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from facekit.cartoon.pen import Color, Pose, mix, shade
from facekit.errors import UsageError
from facekit.labels import EMOTIONS

_SKINS: Final[tuple[Color, ...]] = (
    (250, 220, 196), (241, 199, 164), (224, 174, 134), (190, 136, 96), (146, 97, 66),
    (110, 72, 50),
)  # fmt: skip
_PALE: Final[Color] = (246, 229, 222)
_IRISES: Final[tuple[Color, ...]] = (
    (58, 36, 24), (96, 60, 30), (122, 96, 44), (70, 108, 66), (66, 112, 160), (110, 128, 140),
)  # fmt: skip
_HAIR: Final[dict[str, tuple[Color, Color]]] = {  # from, to
    "black": ((22, 18, 20), (40, 34, 38)),
    "brown": ((84, 52, 30), (128, 82, 48)),
    "blond": ((214, 172, 96), (244, 212, 138)),
    "gray": ((148, 146, 148), (206, 204, 204)),
    "red": ((150, 58, 24), (186, 84, 36)),
}


@dataclass(frozen=True)
class Person:
    """One cartoon person; lengths in face units (the eyes are 1 apart).

    Everything is continuous, so two people differ in many small ways, and
    whatever a CelebA attribute speaks of is drawn clearly or not at all.
    """

    male: bool
    young: bool
    skin: Color
    pale: bool
    oval: bool
    chubby: bool
    double_chin: bool
    high_cheekbones: bool
    eye_bags: bool
    face_w: float  # half width at the cheeks
    chin_y: float
    jaw_w: float  # half width half way between mouth and chin
    chin_w: float
    eye_w: float  # half width of one eye
    eye_h: float  # half height of one eye
    eye_tilt: float  # how much the outer corner lies above the inner one
    iris: Color
    iris_r: float
    brow_y: float
    brow_thick: float
    brow_arch: float
    brow_len: float
    nose_w: float  # half width over the wings
    nose_y: float
    nose_point: float  # 0 round to 1 pointed
    mouth_y: float
    mouth_w: float  # half width
    lip_up: float
    lip_low: float
    ear: float
    hair: Color
    hair_name: str
    hair_style: str  # bald, short, medium or long
    hair_volume: float
    hair_wave: float  # depth of the waves, 0 for straight
    hair_line: float  # how high over the eyes the hair begins
    receding: bool
    bangs: bool
    part: float  # where the parting lies, -0.5 to 0.5
    beard: str  # none, stubble, mustache, goatee or full
    sideburns: bool
    mole: tuple[float, float] | None
    wears_glasses: bool
    wears_makeup: bool
    wears_earrings: bool


def make_person(seed: int, number: int) -> Person:
    """Invent somebody.

    Args:
        seed: Seed of a whole cast.
        number: Number of the person within it.

    Returns:
        The same Person for the same two numbers, always.
    """
    rng = np.random.default_rng([seed, number, 1])
    male, young = bool(rng.random() < 0.45), bool(rng.random() < 0.74)
    hair = _hair(rng, male, young)
    return Person(
        male=male,
        young=young,
        **_skull(rng, male),
        **_features(rng, male),
        **hair,
        **_beard(rng, male, hair["hair_style"] == "short"),
        mole=_mole(rng),
        wears_glasses=bool(rng.random() < 0.15),
        wears_makeup=not male and bool(rng.random() < 0.6),
        wears_earrings=bool(rng.random() < (0.03 if male else 0.5)),
        eye_bags=bool(rng.random() < (0.14 if young else 0.5)),
    )


def _either(
    rng: np.random.Generator, chance: float, yes: tuple[float, float], no: tuple[float, float]
) -> tuple[bool, float]:
    """A trait and its measure; the two ranges do not touch."""
    has = bool(rng.random() < chance)
    return has, float(rng.uniform(*(yes if has else no)))


def _skull(rng: np.random.Generator, male: bool) -> dict[str, Any]:
    pale = bool(rng.random() < 0.09)
    tone = float(rng.random()) ** 1.5 * (len(_SKINS) - 1.001)
    base = _PALE if pale else mix(_SKINS[int(tone)], _SKINS[int(tone) + 1], tone % 1)
    red, green, blue = base
    tint = float(rng.uniform(-0.03, 0.03))
    chubby = bool(rng.random() < 0.13)
    oval = not chubby and bool(rng.random() < 0.32)
    # Oval: long, with a jaw that narrows evenly. Others are square or round.
    face_w = rng.uniform(1.00, 1.06) if oval else rng.uniform(1.07, 1.17)
    chin_y = rng.uniform(1.74, 1.86) if oval else rng.uniform(1.52, 1.68)
    jaw = rng.uniform(0.68, 0.74) if oval else rng.uniform(0.78, 0.88) + 0.04 * male
    return {
        "pale": pale,
        "skin": (min(255.0, red * (1 + tint / 2)), green, blue * (1 - tint)),
        "oval": oval,
        "chubby": chubby,
        "double_chin": bool(rng.random() < (0.6 if chubby else 0.03)),
        "high_cheekbones": bool(rng.random() < 0.3),
        "face_w": float(face_w) + (0.10 if chubby else 0.0),
        "chin_y": float(chin_y),
        "jaw_w": float(face_w * jaw) + (0.20 if chubby else 0.0),
        "chin_w": float(rng.uniform(0.22, 0.36) + 0.07 * male + 0.10 * chubby),
        "ear": float(rng.uniform(0.8, 1.25)),
    }


def _features(rng: np.random.Generator, male: bool) -> dict[str, Any]:
    narrow, eye_ratio = _either(rng, 0.14, (0.28, 0.33), (0.48, 0.66))
    _, brow = _either(rng, 0.45 if male else 0.1, (0.125, 0.155), (0.045, 0.085))
    _, arch = _either(rng, 0.08 if male else 0.45, (0.13, 0.19), (0.0, 0.06))
    _, nose = _either(rng, 0.25, (0.35, 0.42), (0.18, 0.27))
    _, point = _either(rng, 0.28, (0.8, 1.0), (0.0, 0.3))
    big, lips = _either(rng, 0.24, (0.135, 0.165), (0.055, 0.09))
    eye_w = float(rng.uniform(0.225, 0.285))
    return {
        "eye_w": eye_w,
        "eye_h": eye_w * eye_ratio,
        "eye_tilt": float(rng.uniform(-0.03, 0.06)),
        "iris": _IRISES[int(rng.integers(len(_IRISES)))],
        "iris_r": float(rng.uniform(0.105, 0.135)) * (0.92 if narrow else 1.0),
        "brow_y": float(rng.uniform(-0.42, -0.34)),
        "brow_thick": brow,
        "brow_arch": arch,
        "brow_len": float(rng.uniform(0.30, 0.38)),
        "nose_w": nose,
        "nose_y": float(rng.uniform(0.50, 0.62)),
        "nose_point": point,
        "mouth_y": float(rng.uniform(0.95, 1.05)),
        "mouth_w": float(rng.uniform(0.34, 0.44)),
        "lip_up": lips * float(rng.uniform(0.75, 0.95)),
        "lip_low": lips * float(rng.uniform(1.05, 1.25)) + (0.02 if big else 0.0),
    }


def _hair(rng: np.random.Generator, male: bool, young: bool) -> dict[str, Any]:
    gray = 0.02 if young else 0.5
    names = ["black", "brown", "blond", "gray", "red"]
    shares = np.array([0.30, 0.30, 0.25, 0.0, 0.15]) * (1 - gray) + np.eye(5)[3] * gray
    name = str(rng.choice(names, p=shares))
    color = mix(*_HAIR[name], float(rng.random()))
    styles = (0.13 if young else 0.25, 0.66, 0.12) if male else (0.0, 0.12, 0.36)
    style = "long"
    roll = float(rng.random())
    for kind, share in zip(("bald", "short", "medium"), styles, strict=True):
        if roll < share:
            style = kind
            break
        roll -= share
    chance = 0.0 if style == "bald" else 0.28 if male and not young else 0.06
    receding, line = _either(rng, chance, (1.18, 1.28), (0.86, 1.02))
    wave, depth = _either(rng, 0.45, (0.05, 0.085), (0.0, 0.0))
    return {
        "hair": shade(color, float(rng.uniform(0.92, 1.08))),
        "hair_name": name,
        "hair_style": style,
        "hair_volume": float(rng.uniform(0.14, 0.30)),
        "hair_wave": depth if wave else 0.0,
        "hair_line": line,
        "receding": receding,
        "bangs": style != "bald" and not receding and bool(rng.random() < 0.24),
        "part": float(rng.uniform(-0.45, 0.45)),
    }


def _beard(rng: np.random.Generator, male: bool, short: bool) -> dict[str, Any]:
    """Long hair would hide sideburns, and bald men have nothing to grow them from."""
    kinds = ["none", "stubble", "mustache", "goatee", "full"]
    shares = [0.40, 0.22, 0.12, 0.13, 0.13]
    beard = str(rng.choice(kinds, p=shares)) if male else "none"
    strips = bool(rng.random() < 0.18) or beard == "full"
    return {"beard": beard, "sideburns": male and short and strips}


def _mole(rng: np.random.Generator) -> tuple[float, float] | None:
    x, y = rng.uniform(-0.75, 0.75), rng.uniform(0.3, 0.85)
    return (float(x), float(y)) if rng.random() < 0.2 and abs(x) > 0.45 else None


# Look: what one photo adds to a person: expression, clothes, light, camera.


@dataclass(frozen=True)
class Expression:
    """How far each part of the face moves; lengths in face units, y down."""

    brow_in: float = 0.0  # inner end of the brows
    brow_out: float = 0.0
    brow_near: float = 0.0  # how much the brows come together
    brow_arch: float = 0.0
    eye_open: float = 1.0  # factor on the height of the eye
    lid_slant: float = 0.0  # inner (+) or outer (-) end of the upper lid comes down
    iris: float = 1.0
    mouth_w: float = 1.0
    corner: float = 0.0  # corners of the mouth, up is negative
    gap: float = 0.0  # height of the open mouth
    round: float = 0.0  # 0 almond to 1 ellipse
    lip_raise: float = 0.0  # upper lip
    skew: float = 0.0  # one side of the mouth higher than the other
    mouth_y: float = 0.0
    teeth: float = 0.0  # share of the open mouth
    clench: float = 0.0  # both rows of teeth
    cheek: float = 0.0  # raised cheeks, lines beside the mouth
    wrinkle: float = 0.0  # over the nose
    frown: float = 0.0  # between the brows
    forehead: float = 0.0


_FULL: Final[dict[str, Expression]] = {
    "angry": Expression(brow_in=0.17, brow_out=-0.05, brow_near=0.09, eye_open=0.85,
                        lid_slant=0.75, iris=0.95, mouth_w=0.95, corner=0.09, lip_raise=0.01,
                        frown=1.0),
    "disgust": Expression(brow_in=0.08, brow_near=0.05, eye_open=0.62, lid_slant=0.2,
                          mouth_w=0.9, corner=0.07, gap=0.05, lip_raise=0.09, skew=0.07,
                          mouth_y=-0.04, teeth=0.9, cheek=0.5, wrinkle=1.0),
    "fear": Expression(brow_in=-0.17, brow_out=-0.02, brow_near=0.06, brow_arch=-0.05,
                       eye_open=1.38, iris=0.76, mouth_w=1.12, corner=0.09, gap=0.15,
                       round=0.35, teeth=0.35, clench=0.0, forehead=1.0),
    "happy": Expression(brow_out=-0.03, eye_open=0.82, mouth_w=1.30, corner=-0.17, gap=0.17,
                        mouth_y=0.03, teeth=0.75, cheek=1.0),
    "sad": Expression(brow_in=-0.14, brow_out=0.08, brow_near=0.03, brow_arch=-0.03,
                      eye_open=0.80, lid_slant=-0.7, mouth_w=0.84, corner=0.15,
                      mouth_y=0.02, forehead=0.4),
    "surprise": Expression(brow_in=-0.19, brow_out=-0.17, brow_arch=0.07, eye_open=1.42,
                           iris=0.85, mouth_w=0.66, gap=0.40, round=1.0, mouth_y=0.05,
                           forehead=0.8),
    "neutral": Expression(),
}  # fmt: skip


@dataclass(frozen=True)
class Light:
    """Light of a photo: where it comes from, its color and its strength."""

    x: float = 0.0  # from the right is positive; up to 1 together with y
    y: float = 0.0
    warmth: float = 0.0
    exposure: float = 1.0


@dataclass(frozen=True)
class Look:
    """One photo of a person.

    ``blur`` is the standard deviation of the camera's blur in eye distances.
    """

    expression: Expression
    pose: Pose
    roll: float  # radians
    glasses: str | None  # round, square or sun
    glasses_color: Color
    hat: str | None  # beanie, cap or brim
    hat_color: Color
    beard: str
    lipstick: Color | None
    makeup: Color | None  # color of the eye shadow
    blush: bool
    earrings: str | None  # stud, hoop or drop
    necklace: str | None  # beads or chain
    tie: Color | None
    cloth: Color
    metal: Color
    gaze: tuple[float, float]
    wind: float  # shape of the strands
    light: Light
    blur: float


def make_expression(name: str, rng: np.random.Generator) -> Expression:
    """One of the seven expressions, more or less strong.

    Args:
        name: One of ``EMOTIONS``.
        rng: Source of the variation.

    Returns:
        An Expression, somewhere between 70 and 105 % of its full strength.

    Raises:
        UsageError: The name is none of the seven.
    """
    if name not in _FULL:
        raise UsageError(f"expression {name!r} is not among {', '.join(EMOTIONS)}")
    full, rest = _FULL[name], Expression()
    strength = float(rng.uniform(0.7, 1.05))
    values = {}
    for part in fields(Expression):
        a, b = getattr(rest, part.name), getattr(full, part.name)
        values[part.name] = a + (b - a) * strength
    values["brow_in"] += float(rng.uniform(-0.015, 0.015))
    values["eye_open"] *= float(rng.uniform(0.95, 1.05))
    values["corner"] += float(rng.uniform(-0.012, 0.012))
    values |= _variant(name, rng)
    return Expression(**values)


def _variant(name: str, rng: np.random.Generator) -> dict[str, float]:
    """An expression has more than one mouth."""
    roll = float(rng.random())
    if name == "happy" and roll < 0.35:  # closed smile
        return {"gap": 0.0, "teeth": 0.0}
    if name == "angry" and roll < 0.45:  # bared teeth
        return {"gap": 0.14, "teeth": 1.0, "clench": 1.0, "round": 0.6, "corner": 0.05}
    if name == "neutral" and roll < 0.18:  # lips a little apart
        return {"gap": 0.07, "teeth": 0.5}
    if name == "fear" and roll < 0.4:
        return {"teeth": 1.0, "clench": 1.0}
    return {}


def make_look(person: Person, expression: str, rng: np.random.Generator) -> Look:
    """Dress, pose and light a person for one photo.

    Args:
        person: Who it is; habits (glasses, makeup, earrings) are theirs.
        expression: One of ``EMOTIONS``.
        rng: Source of the variation.

    Returns:
        Everything that a drawing needs beyond the person.
    """
    glasses = rng.random() < (0.85 if person.wears_glasses else 0.03)
    hat = rng.random() < 0.07
    made_up = person.wears_makeup and rng.random() < 0.75
    painted = made_up or (not person.male and rng.random() < 0.25)
    return Look(
        expression=make_expression(expression, rng),
        pose=Pose(float(np.clip(rng.normal(0, 0.13), -0.3, 0.3)), float(rng.normal(0, 0.05))),
        roll=float(rng.normal(0, 0.02)),
        glasses=str(rng.choice(["round", "square", "sun"], p=[0.4, 0.4, 0.2])) if glasses else None,
        glasses_color=_color(rng, 20, 120),
        hat=str(rng.choice(["beanie", "cap", "brim"])) if hat else None,
        hat_color=_color(rng, 40, 210),
        beard=person.beard if rng.random() < 0.85 else "none",
        lipstick=_lipstick(rng) if painted else None,
        makeup=_color(rng, 60, 150) if made_up else None,
        blush=bool(made_up and rng.random() < 0.5) or bool(rng.random() < 0.04),
        earrings=_earrings(person, rng),
        necklace=_necklace(person, rng),
        tie=_color(rng, 30, 190) if person.male and rng.random() < 0.22 else None,
        cloth=_color(rng, 40, 235),
        metal=(226, 188, 96) if rng.random() < 0.5 else (222, 226, 232),
        gaze=(float(rng.normal(0, 0.25)), float(rng.normal(0, 0.12))),
        wind=float(rng.uniform(0, 2 * np.pi)),
        light=make_light(rng),
        blur=float(rng.uniform(0.06, 0.10)) if rng.random() < 0.06 else 0.0,
    )


def make_light(rng: np.random.Generator) -> Light:
    """Light from some side, a little warm or cold, dim or bright."""
    angle, reach = rng.uniform(0, 2 * np.pi), float(rng.random())
    return Light(
        x=reach * float(np.cos(angle)),
        y=reach * float(np.sin(angle)),
        warmth=float(rng.normal(0, 0.035)),
        exposure=float(rng.uniform(0.80, 1.08)),
    )


def _color(rng: np.random.Generator, low: float, high: float) -> Color:
    red, green, blue = rng.uniform(low, high, 3).tolist()
    return red, green, blue


def _lipstick(rng: np.random.Generator) -> Color:
    return (float(rng.uniform(170, 215)), float(rng.uniform(14, 50)), float(rng.uniform(40, 90)))


def _earrings(person: Person, rng: np.random.Generator) -> str | None:
    if not person.wears_earrings or rng.random() > 0.8:
        return None
    return str(rng.choice(["stud", "hoop", "drop"]))


def _necklace(person: Person, rng: np.random.Generator) -> str | None:
    if rng.random() > (0.03 if person.male else 0.25):
        return None
    return str(rng.choice(["beads", "chain"]))
