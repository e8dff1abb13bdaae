"""The people and strangers of a folder, each photo read once by every reader.

The photo says who is meant by its middle: everybody reads the face nearest to
it. A photo that cannot be decoded is kept from all readers and counted; one in
which a reader finds no face is that reader's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError, ImageError
from facekit.photos.image import decode
from facekit.system.pool import cores

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".webp"))
_BLOCK: Final = 16  # photos that a reader gets at once, in turn with the others


class Reader(Protocol):
    """Something that turns photos into vectors.

    Attributes:
        name: In the table.
    """

    name: str

    def read(self, pictures: Sequence[Picture]) -> None:
        """Read some more uint8 RGB photos (h, w, 3) and keep what they give."""
        ...


@dataclass(frozen=True)
class Lineup:
    """Photos in the order in which the readers saw them.

    Attributes:
        paths: Every photo that could be decoded.
        people: Rows of each person's photos, by name of the folder.
        strangers: Rows of the strangers.
        unreadable: Photos that could not be decoded.
        left_out: Why a person is not measured, by name.
    """

    paths: tuple[Path, ...]
    people: dict[str, NDArray[np.int64]]
    strangers: NDArray[np.int64]
    unreadable: int
    left_out: dict[str, str]


def list_photos(folder: Path) -> list[Path]:
    """The pictures of a folder itself, sorted by name."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)


def most_central(boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> int:
    """Which box (x, y, width, height) has its middle nearest to that of (height, width)."""
    middle = np.array(size[::-1]) / 2
    corners = np.asarray(boxes, np.float64)
    return int(np.hypot(*(corners[:, :2] + corners[:, 2:] / 2 - middle).T).argmin())


def read_lineup(
    folder: Path,
    readers: Sequence[Reader],
    *,
    needed: int,
    limit: int | None = None,
    seed: int = 0,
    tick: Callable[[int, int], None] = lambda done, every: None,
) -> Lineup:
    """Let every reader see every photo, block by block in turn.

    Args:
        folder: ``persons/<name>/*.jpg`` and ``strangers/*.jpg``.
        readers: Each is given the same photos in the same order.
        needed: Photos that a person must have, in [1, inf).
        limit: Strangers at most, drawn at random; None for all.
        seed: Of that draw.
        tick: Called with (done, all) after every block.

    Returns:
        Who was seen where.

    Raises:
        DataError: There are no strangers, or nobody has enough photos.
    """
    strangers = list_photos(folder / "strangers")
    if limit is not None and limit < len(strangers):
        drawn = np.random.default_rng(seed).choice(len(strangers), limit, replace=False)
        strangers = [strangers[i] for i in np.sort(drawn)]
    homes = sorted(p for p in (folder / "persons").glob("*") if p.is_dir())
    photos = {home.name: list_photos(home) for home in homes}
    left_out = {n: _too_few(len(own), needed) for n, own in photos.items() if len(own) < needed}
    kept = {name: own for name, own in photos.items() if name not in left_out}
    _refuse_empty(folder, kept, len(strangers), needed)
    everything = [*strangers, *(path for own in kept.values() for path in own)]
    seen, broken = _show(everything, readers, tick)
    row = {path: i for i, path in enumerate(seen)}
    rows = {n: np.array([row[p] for p in own if p in row], int) for n, own in kept.items()}
    left_out |= {n: _too_few(len(own), needed) for n, own in rows.items() if len(own) < needed}
    people = {name: own for name, own in rows.items() if name not in left_out}
    others = np.array([row[path] for path in strangers if path in row], np.int64)
    _refuse_empty(folder, people, len(others), needed)
    return Lineup(tuple(seen), people, others, broken, left_out)


def _too_few(photos: int, needed: int) -> str:
    return f"has {photos} photos, {needed} are needed"


def _refuse_empty(folder: Path, people: Mapping[str, object], strangers: int, needed: int) -> None:
    if not people:
        raise DataError(
            f"{folder / 'persons'} has nobody with {needed} photos or more: "
            "needed is a folder of photos for each person"
        )
    if not strangers:
        raise DataError(f"{folder / 'strangers'} has no photos of other people")


def _show(
    paths: Sequence[Path], readers: Sequence[Reader], tick: Callable[[int, int], None]
) -> tuple[list[Path], int]:
    """The photos that the readers saw, and how many could not be decoded."""
    seen: list[Path] = []
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(paths), _BLOCK):
            block = paths[start : start + _BLOCK]
            both = zip(block, pool.map(_decoded, block), strict=True)
            there = [(path, rgb) for path, rgb in both if rgb is not None]
            seen += [path for path, _ in there]
            for reader in readers:
                reader.read([rgb for _, rgb in there])
            tick(start + len(block), len(paths))
    return seen, len(paths) - len(seen)


def _decoded(path: Path) -> Picture | None:
    try:
        return decode(path)
    except ImageError:
        return None
