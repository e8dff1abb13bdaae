"""Person: what stays the same from one cartoon of somebody to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from facekit.datasets.cartoon.colors import Color, mix, shade

__all__ = ["Person", "make_person"]

_SKINS: Final[tuple[Color, ...]] = (
    (250, 220, 196),
    (241, 199, 164),
    (224, 174, 134),
    (190, 136, 96),
    (146, 97, 66),
    (110, 72, 50),
)
_PALE: Final[Color] = (246, 229, 222)
_IRISES: Final[tuple[Color, ...]] = (
    (58, 36, 24),
    (96, 60, 30),
    (122, 96, 44),
    (70, 108, 66),
    (66, 112, 160),
    (110, 128, 140),
)
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
    rng: np.random.Generator,
    chance: float,
    yes: tuple[float, float],
    no: tuple[float, float],
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
