"""Look: what one photo adds to a person: expression, clothes, light, camera."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from facekit.datasets.cartoon.colors import Color
from facekit.datasets.cartoon.pen import Pose
from facekit.datasets.cartoon.person import Person
from facekit.errors import UsageError
from facekit.labels import EMOTIONS

__all__ = ["Expression", "Light", "Look", "make_expression", "make_light", "make_look"]


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
