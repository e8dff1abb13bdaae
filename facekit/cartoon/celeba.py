"""A cartoon CelebA: the official layout, with everything labelled truthfully."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.cartoon.person import make_person
from facekit.cartoon.scene import draw_face
from facekit.datasets.celeba import CARTOON_NOTE
from facekit.errors import DataError, UsageError
from facekit.labels import ATTRIBUTES, EMOTIONS
from facekit.system.files import draft_folder

_DRAWING: Final = 1  # raise when the same seed gives other pictures
_QUALITY: Final = 92  # of JPEG, as high as CelebA's own
#: Share of each of ``EMOTIONS``: nearly half of CelebA smiles.
_SHARES: Final = (0.08, 0.08, 0.08, 0.34, 0.08, 0.08, 0.26)


@dataclass(frozen=True)
class _Shot:
    """One photo to draw."""

    person: int
    photo: int
    split: int
    expression: str


def draw_celeba(
    folder: Path | str,
    *,
    people: int = 60,
    photos: int = 12,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a small CelebA in its official layout; no two splits share a person.

    Beside ``img_align_celeba`` (178x218) and the lists of attributes, partitions,
    identities and aligned landmarks, ``list_expression_cartoon.txt`` names the
    expression of each photo. A folder that this function filled with the same
    arguments before is left as it is.

    Args:
        folder: Where to write; new, empty or an earlier drawing of the same.
        people: How many people, at least 3; a tenth each for val and test.
        photos: Photos of each, at least 1.
        seed: Another seed draws other people.
        progress: Called with the number of photos drawn and of all.

    Returns:
        The folder.

    Raises:
        UsageError: Too few people or photos.
        DataError: The folder holds something else.
    """
    if people < 3 or photos < 1:
        raise UsageError(f"{people} people with {photos} photos: at least 3 and 1 are needed")
    folder = Path(folder)
    note = {"drawing": _DRAWING, "people": people, "photos": photos, "seed": seed}
    if folder.is_dir() and any(folder.iterdir()):
        if _read_note(folder) == note:
            return folder
        raise DataError(f"{folder} holds something else: name a new or an empty folder")
    with draft_folder(folder) as part:
        _write(part, _plan(people, photos, seed), seed, progress)
        (part / CARTOON_NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")
    return folder


def _read_note(folder: Path) -> object:
    try:
        return json.loads((folder / CARTOON_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _plan(people: int, photos: int, seed: int) -> list[_Shot]:
    """Train first, then val, then test, people mixed within each, as in CelebA."""
    held = max(1, people // 10)
    rng = np.random.default_rng([seed, 2])
    shots: list[_Shot] = []
    groups = np.split(np.arange(people), [people - 2 * held, people - held])
    for split, group in enumerate(groups):
        pairs = [(person, photo) for person in group.tolist() for photo in range(photos)]
        for k in rng.permutation(len(pairs)):
            expression = str(rng.choice(EMOTIONS, p=_SHARES))
            person, photo = pairs[k]
            shots.append(_Shot(person, photo, split, expression))
    return shots


def _write(
    folder: Path, shots: list[_Shot], seed: int, progress: Callable[[int, int], None] | None
) -> None:
    images = folder / "img_align_celeba"
    images.mkdir()
    names = [f"{i + 1:06d}.jpg" for i in range(len(shots))]
    flags, marks = [], []
    for done, (name, shot) in enumerate(zip(names, shots, strict=True), start=1):
        rng = np.random.default_rng([seed, shot.person, shot.photo, 3])
        image, truth, points = draw_face(make_person(seed, shot.person), shot.expression, rng)
        _save(images / name, image)
        flags.append(" ".join(" 1" if truth[key] else "-1" for key in ATTRIBUTES))
        marks.append(" ".join(f"{value:3d}" for value in np.rint(points).astype(int).ravel()))
        if progress is not None:
            progress(done, len(shots))
    count = str(len(names))
    corners = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
    axes = " ".join(f"{corner}_{axis}" for corner in corners for axis in "xy")
    _list(folder, "list_attr_celeba", names, flags, [count, " ".join(ATTRIBUTES)])
    _list(folder, "list_landmarks_align_celeba", names, marks, [count, axes])
    _list(folder, "list_eval_partition", names, [str(shot.split) for shot in shots])
    _list(folder, "identity_CelebA", names, [str(shot.person + 1) for shot in shots])
    _list(folder, "list_expression_cartoon", names, [shot.expression for shot in shots])


def _save(path: Path, image: UInt8) -> None:
    flipped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    good, data = cv2.imencode(".jpg", flipped, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not good:
        raise DataError(f"{path}: OpenCV could not encode it as JPEG")
    path.write_bytes(data.tobytes())


def _list(
    folder: Path, stem: str, names: list[str], values: list[str], head: Iterable[str] = ()
) -> None:
    lines = [*head, *(f"{name} {value}" for name, value in zip(names, values, strict=True))]
    (folder / f"{stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
