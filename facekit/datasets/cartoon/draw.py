"""Draw one cartoon photo of a person: back to front, then light and camera."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.datasets.cartoon import extras, face, hair, head
from facekit.datasets.cartoon.backdrop import paint_backdrop
from facekit.datasets.cartoon.look import Light, Look, make_look
from facekit.datasets.cartoon.pen import Pen
from facekit.datasets.cartoon.person import Person
from facekit.datasets.cartoon.truth import attributes
from facekit.errors import UsageError
from facekit.frame import ALIGNED_EYES

__all__ = ["FINE", "draw_face", "paint_person", "photograph"]

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

FINE: Final = 2  #: drawn at twice the size, then averaged down
_NOISE: Final = 2.0  # standard deviation, of 255


def draw_face(
    person: Person,
    expression: str,
    rng: np.random.Generator,
    size: tuple[int, int] = (178, 218),
    *,
    aligned: str = "celeba",
) -> tuple[Image, dict[str, bool], Points]:
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


def _jitter(eyes: Points, roll: float, rng: np.random.Generator) -> Points:
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


def paint_person(canvas: Image, person: Person, look: Look, eyes: Points) -> Points:
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
    hair.draw_back_hair(pen, person, look)
    head.draw_body(pen, person, look)
    head.draw_skull(pen, person, look)
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
    hair.draw_front_hair(pen, person, look)
    extras.draw_earrings(pen, person, look)
    extras.draw_glasses(pen, person, look)
    extras.draw_hat(pen, person, look)
    truth = face.points(person, look)
    placed = pen.place(truth)
    placed[2] = pen.place(truth[2:3], lift=0.2)[0]
    return placed


def photograph(image: Image, light: Light, blur: float, rng: np.random.Generator) -> Image:
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
