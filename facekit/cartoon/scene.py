"""Draw one cartoon photo of a person: back to front, then light and camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from facekit.arrays import Float64, UInt8
from facekit.cartoon import extras, face
from facekit.cartoon.face import FLAT, brow_height, high_cheeks, outline
from facekit.cartoon.pen import Pen
from facekit.cartoon.person import Light, Look, Person, make_light, make_look
from facekit.errors import UsageError
from facekit.frame import ALIGNED_EYES
from facekit.labels import ATTRIBUTES, EMOTIONS

FINE: Final = 2  #: drawn at twice the size, then averaged down
#: What a person may wear, and where his look has it.
_WORN: Final = {
    "Eyeglasses": "glasses", "Heavy_Makeup": "makeup", "Wearing_Earrings": "earrings",
    "Wearing_Hat": "hat", "Wearing_Lipstick": "lipstick", "Wearing_Necklace": "necklace",
    "Wearing_Necktie": "tie",
}  # fmt: skip
_NOISE: Final = 2.0  # standard deviation, of 255


def draw_face(
    person: Person,
    expression: str,
    rng: np.random.Generator,
    size: tuple[int, int] = (178, 218),
    *,
    aligned: str = "celeba",
) -> tuple[UInt8, dict[str, bool], Float64]:
    """Draw one aligned photo of a person.

    Args:
        person: Who it is (``make_person``).
        expression: One of ``facekit.labels.EMOTIONS``.
        rng: Source of everything that changes from photo to photo.
        size: Width and height in pixels, at least 16 each.
        aligned: Key of ``frame.ALIGNED_EYES``: where the eyes go, up to about a
            pixel of jitter at 178x218.

    Returns:
        The photo as uint8 RGB array of shape (height, width, 3), its 40
        attributes, and the five points as float64 array of shape (5, 2) in
        pixels, in the order of ``facekit.frame``.

    Raises:
        UsageError: The expression, size or alignment is not known.
    """
    width, height = size
    if width < 16 or height < 16:
        raise UsageError(f"a cartoon of {width}x{height} pixels: at least 16x16 is needed")
    if aligned not in ALIGNED_EYES:
        raise UsageError(f"aligned={aligned!r} is not among {', '.join(ALIGNED_EYES)}")
    look = make_look(person, expression, rng)
    eyes = np.array(ALIGNED_EYES[aligned]) * (width, height)
    eyes = _jitter(eyes, look.roll, rng)
    canvas = paint_backdrop((width * FINE, height * FINE), rng)
    points = paint_person(canvas, person, look, eyes * FINE)
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    distance = float(np.hypot(*(eyes[1] - eyes[0])))
    photo = photograph(small, look.light, look.blur * distance, rng)  # type: ignore[arg-type]
    return photo, attributes(person, look), points / FINE


def _jitter(eyes: Float64, roll: float, rng: np.random.Generator) -> Float64:
    """Shift, scale and turn the eyes a little about their middle."""
    middle, half = eyes.mean(0), (eyes[1] - eyes[0]) / 2
    unit = float(np.hypot(*half)) * 2
    half = half * rng.normal(1, 0.02)
    turned = np.array(
        [half[0] * np.cos(roll) - half[1] * np.sin(roll),
         half[0] * np.sin(roll) + half[1] * np.cos(roll)]
    )  # fmt: skip
    middle = middle + rng.normal(0, 0.02, 2) * unit
    return np.array([middle - turned, middle + turned])


def paint_person(canvas: UInt8, person: Person, look: Look, eyes: Float64) -> Float64:
    """Paint a person over whatever is on the canvas.

    Args:
        canvas: uint8 RGB array of shape (height, width, 3), changed in place.
        person: Who.
        look: How.
        eyes: float array of shape (2, 2), where the eyes go, in canvas pixels.

    Returns:
        The five points as float64 array of shape (5, 2) in canvas pixels.
    """
    pen = Pen(canvas, eyes, look.pose)
    face.draw_back_hair(pen, person, look)
    face.draw_body(pen, person, look)
    face.draw_skull(pen, person, look)
    extras.draw_skin(pen, person, look)
    face.draw_lines(pen, person, look)
    extras.draw_beard(pen, person, look)
    face.draw_nose(pen, person, look)
    face.draw_mouth(pen, person, look)
    if look.glasses != "sun":
        face.draw_eyes(pen, person, look)
    face.draw_brows(pen, person, look)
    if person.sideburns:
        extras.draw_sideburns(pen, person)
    face.draw_front_hair(pen, person, look)
    extras.draw_earrings(pen, person, look)
    extras.draw_glasses(pen, person, look)
    extras.draw_hat(pen, person, look)
    truth = face.points(person, look)
    placed = pen.place(truth)
    placed[2] = pen.place(truth[2:3], lift=0.2)[0]
    return placed


def photograph(image: UInt8, light: Light, blur: float, rng: np.random.Generator) -> UInt8:
    """Light from one side, exposure, blur and a little noise.

    Args:
        image: uint8 RGB array of shape (height, width, 3).
        light: The light.
        blur: Standard deviation in pixels, 0 for none.
        rng: Source of the noise.

    Returns:
        uint8 RGB array of the same shape.
    """
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    gain = light.exposure * (1 + 0.20 * (light.x * x + light.y * y))
    gain = np.minimum(gain, 1.1).astype(np.float32)  # brighter, and skin turns white
    if blur > 0:
        image = cv2.GaussianBlur(image, (0, 0), blur)  # type: ignore[assignment]
    grain = np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width)
    noise = (grain - np.float32(127.5)) * np.float32(_NOISE * 12**0.5 / 255)
    tints = (1 + light.warmth, 1.0, 1 - light.warmth)
    planes = [
        cv2.scaleAdd(cv2.multiply(plane, gain, dtype=cv2.CV_32F), tint, noise)
        for plane, tint in zip(cv2.split(image), tints, strict=True)
    ]
    return cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 0))  # type: ignore[return-value]


# Scenes: photos of several people, not aligned, with known boxes and points.

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

    image: UInt8
    boxes: Float64
    points: Float64
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


def _seats(count: int, size: tuple[int, int], rng: np.random.Generator) -> list[Float64]:
    """Eyes of everybody, back row first; heads do not cover one another."""
    width, height = size
    back = count // 2 if count > 4 else 0
    seats: list[Float64] = []
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


def _box(canvas: UInt8, person: Person, look: Look, eyes: Float64) -> Float64:
    face = outline(person)
    placed = Pen(canvas, eyes, look.pose).place(face[face[:, 1] > _BROW], flat=FLAT)
    low, high = placed.min(0), placed.max(0)
    return np.concatenate([low, high - low])


# Backdrop: what is behind the people.


def paint_backdrop(size: tuple[int, int], rng: np.random.Generator) -> UInt8:
    """Paint one of five kinds of soft background.

    Args:
        size: Width and height in pixels.
        rng: Source of what is painted.

    Returns:
        uint8 RGB array of shape (height, width, 3).
    """
    width, height = size
    tones = rng.uniform(50, 225, (2, 3))
    tones = 0.6 * tones + 0.4 * tones.mean(1, keepdims=True)  # not too colorful
    ramp = np.linspace(0, 1, 32)[:, None, None]
    small = (tones[0] + (tones[1] - tones[0]) * ramp).astype(np.uint8).repeat(32, axis=1)
    if rng.random() < 0.4:
        small = small.transpose(1, 0, 2)
    canvas = cv2.resize(np.ascontiguousarray(small), size, interpolation=cv2.INTER_LINEAR)
    kind = int(rng.integers(5))
    long = max(size)
    color = tuple(np.clip(tones.mean(0) + rng.uniform(-60, 60, 3), 0, 255).tolist())
    if kind == 1:  # lamps out of focus
        for _ in range(9):
            at = (rng.uniform(0, 1, 2) * size).astype(int).tolist()
            radius = int(rng.uniform(0.03, 0.11) * long)
            glow = tuple(np.clip(np.array(color) + rng.uniform(-30, 70, 3), 0, 255).tolist())
            cv2.circle(canvas, at, radius, glow, -1, cv2.LINE_AA)
    elif kind == 2:  # stripes
        for x in np.arange(0, width, max(6, long // 9)):
            cv2.line(canvas, (int(x), 0), (int(x + 0.2 * width), height), color, long // 40,
                     cv2.LINE_AA)  # fmt: skip
    elif kind == 3:  # a window or a picture on the wall
        low = (rng.uniform(-0.1, 0.6, 2) * size).astype(int)
        high = low + (rng.uniform(0.25, 0.5, 2) * size).astype(int)
        cv2.rectangle(canvas, low.tolist(), high.tolist(), color, -1)
        cv2.rectangle(canvas, low.tolist(), high.tolist(), (60, 48, 40), max(1, long // 90))
    elif kind == 4:  # hills
        way = np.linspace(0, 1, 24)
        ridge = 0.62 + 0.1 * np.sin(way * rng.uniform(4, 9) + rng.uniform(0, 6))
        line = np.column_stack([way, ridge]) * size
        hill = np.vstack([line, (width, height), (0, height)]).astype(np.int32)
        cv2.fillPoly(canvas, [hill], color, cv2.LINE_AA)
    return canvas  # type: ignore[return-value]


# Truth: the 40 CelebA attributes of one drawing, read from what is drawn.


def attributes(person: Person, look: Look) -> dict[str, bool]:
    """Attributes of a person in a photo.

    What cannot be seen does not count: no eye bags behind sunglasses, no bangs
    and no bald head under a hat. "Attractive", a judgement in CelebA, is here a
    rule: young, and none of chubby, double chin, eye bags, big nose, bald,
    blurry.

    Args:
        person: Who is drawn.
        look: How.

    Returns:
        All names of ``ATTRIBUTES``, in their order.
    """
    seen = _hair(person, look) | _face(person, look)
    seen |= {"Blurry": look.blur > 0, "Male": person.male, "Young": person.young}
    seen |= {name: getattr(look, one) is not None for name, one in _WORN.items()}
    spoilt = ("Chubby", "Double_Chin", "Bags_Under_Eyes", "Big_Nose", "Bald", "Blurry")
    seen["Attractive"] = person.young and not any(seen[name] for name in spoilt)
    return {name: bool(seen[name]) for name in ATTRIBUTES}


def _hair(person: Person, look: Look) -> dict[str, bool]:
    bald = person.hair_style == "bald"
    top = look.hat is None  # only then the top of the head is seen
    hairy = not bald
    beard = look.beard
    return {
        "Bald": bald and top,
        "Bangs": person.bangs and top,
        "Black_Hair": hairy and person.hair_name == "black",
        "Blond_Hair": hairy and person.hair_name == "blond",
        "Brown_Hair": hairy and person.hair_name == "brown",
        "Gray_Hair": hairy and person.hair_name == "gray",
        "Straight_Hair": hairy and person.hair_wave == 0 and (top or person.hair_style != "short"),
        "Wavy_Hair": hairy and person.hair_wave > 0 and (top or person.hair_style != "short"),
        "Receding_Hairline": person.receding and top,
        "5_o_Clock_Shadow": beard == "stubble",
        "Goatee": beard == "goatee",
        "Mustache": beard in ("mustache", "full"),
        "No_Beard": beard == "none",
        "Sideburns": person.sideburns,
    }


def _face(person: Person, look: Look) -> dict[str, bool]:
    face = look.expression
    eyes = look.glasses != "sun"
    return {
        "Arched_Eyebrows": brow_height(person, look) > 0.10,
        "Bushy_Eyebrows": person.brow_thick > 0.11,
        "Bags_Under_Eyes": person.eye_bags and eyes,
        "Narrow_Eyes": eyes and person.eye_h * face.eye_open < 0.40 * person.eye_w,
        "Big_Lips": person.lip_low > 0.125,
        "Big_Nose": person.nose_w > 0.30,
        "Pointy_Nose": person.nose_point > 0.5,
        "Chubby": person.chubby,
        "Double_Chin": person.double_chin,
        "High_Cheekbones": high_cheeks(person, look),
        "Oval_Face": person.oval,
        "Pale_Skin": person.pale,
        "Rosy_Cheeks": look.blush,
        "Smiling": face.corner < -0.07,
        "Mouth_Slightly_Open": face.gap > 0.02,
    }
