"""Pictures with boxes and labels drawn on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.errors import UsageError
from facekit.system.files import write_new

#: Box colours (RGB), one a face in turn: Okabe and Ito's palette, which people
#: with colour-blindness can tell apart.
_COLOURS: Final = ((0, 158, 115), (230, 159, 0), (86, 180, 233), (204, 121, 167), (213, 94, 0))
#: The key of a face that says who it is; no head.
_IDENTITIES: Final = "identities"
#: How many more it is not.
_REST: Final = "identities_no"
#: How far probabilities that were rounded for a record may be from 1 together.
_ROUNDING: Final = 1e-3
#: Bytes of a stem: file systems take names of 255, and ``.faces-N.jpg`` follows.
_LONGEST: Final = 230
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def labels_of(face: Mapping[str, Any], most: int = 4) -> list[str]:
    """What to write beside a face: the best label of a choice, the likeliest of many.

    Args:
        face: One face of a record: besides box and score, a mapping from label
            to probability under every head's name.
        most: How many labels of a head such as "attributes" are shown at most.

    Returns:
        Lines such as ``"Smiling 97%"``, likeliest first.
    """
    lines: list[str] = []
    for head, scores in face.items():
        if not isinstance(scores, Mapping) or head == _IDENTITIES:
            continue
        ranked = sorted(scores.items(), key=lambda item: -item[1])
        if abs(sum(scores.values()) - 1) < _ROUNDING:  # they exclude each other: one answer
            shown = ranked[:1]
        else:
            shown = [(name, p) for name, p in ranked[:most] if p >= 0.5]
        lines += [f"{name.replace('_', ' ')} {p:.0%}" for name, p in shown]
    return lines


def verdicts_of(face: Mapping[str, Any]) -> list[str]:
    """Who a face is, of everybody enrolled; nothing where nobody is.

    Args:
        face: One face of a record.

    Returns:
        Lines such as ``"me: yes 98%"`` and ``"me: unsure 40%"``, likeliest first;
        where every verdict is no, one line such as ``"not me"``.
    """
    found = face.get(_IDENTITIES, {})
    ranked = sorted(found.items(), key=lambda item: -item[1]["probability"])
    lines = [
        f"{name}: {one['verdict']} {one['probability']:.0%}"
        for name, one in ranked
        if one["verdict"] != "no"
    ]
    every = len(found) + face.get(_REST, 0)
    if every and not lines:
        return [f"not {next(iter(found))}" if found and every == 1 else "nobody enrolled"]
    return lines


def draw_faces(image: UInt8, faces: Sequence[Mapping[str, Any]], scale: float = 1.0) -> UInt8:
    """A copy of the picture with every face boxed and labelled.

    Args:
        image: uint8 RGB array of shape (height, width, 3).
        faces: Faces of a record; ``box`` is (x, y, width, height) in pixels.
        scale: Pixels of ``image`` for each pixel the boxes are given in.

    Returns:
        uint8 RGB array of the same shape.
    """
    out = np.ascontiguousarray(image).copy()
    # Line and letters grow with the picture, so that both read at any size.
    line = max(1, round(max(out.shape[:2]) / 500))
    for number, face in enumerate(faces):
        colour = _COLOURS[number % len(_COLOURS)]
        x, y, width, height = (round(float(v) * scale) for v in face["box"])
        cv2.rectangle(out, (x, y), (x + width, y + height), colour, line + 1, cv2.LINE_AA)
        words = verdicts_of(face) + labels_of(face)
        _write(out, words, (x, y + height), colour, line)
    return out


def _write(out: UInt8, lines: list[str], corner: tuple[int, int], colour: Any, line: int) -> None:
    """Text on filled bars below a box, moved inward where it would leave the picture."""
    size = 0.45 * line
    sizes = [cv2.getTextSize(text, _FONT, size, line)[0] for text in lines]
    if not lines:
        return
    step = max(h for _, h in sizes) + 4 * line
    width = max(w for w, _ in sizes) + 4 * line
    x = max(0, min(corner[0], out.shape[1] - width))
    y = max(0, min(corner[1] + line, out.shape[0] - step * len(lines)))
    cv2.rectangle(out, (x, y), (x + width, y + step * len(lines)), colour, cv2.FILLED)
    for row, text in enumerate(lines):
        spot = (x + 2 * line, y + step * (row + 1) - 2 * line)
        cv2.putText(out, text, spot, _FONT, size, (0, 0, 0), line, cv2.LINE_AA)


def save_beside(image: UInt8, folder: Path, name: str) -> Path:
    """Write a picture under a name that nothing has yet; no file is ever replaced.

    Args:
        image: uint8 RGB array of shape (height, width, 3).
        folder: Where to; made when it does not exist.
        name: File name of the photo; ``.faces.jpg`` takes the place of its ending,
            with a number where that name is taken; the end of
            a very long one is cut off.

    Returns:
        The file written.

    Raises:
        UsageError: The folder cannot be made or written.
    """
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise UsageError(f"{name}: the picture with its boxes cannot be encoded as JPEG")
    stem = Path(name).stem
    while len(os.fsencode(stem)) > _LONGEST:
        stem = stem[:-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path, number = folder / f"{stem}.faces.jpg", 1
        while os.path.lexists(path) or not write_new(path, data.tobytes()):
            number += 1
            path = folder / f"{stem}.faces-{number}.jpg"
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}") from None
    return path
