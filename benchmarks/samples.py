"""Which pictures of which data sets a benchmark looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from facekit.errors import UsageError

#: Where the pictures of a source lie below the data folder.
SOURCES: Final[dict[str, str]] = {
    "celeba": "celeba/img_align_celeba/*.jpg",
    "fer": "fer2013/train/*/*.png",
    "ckplus": "ckplus/*/*.png",
    "lfw": "lfw/*/**/*.jpg",
    "wild": "wild/*/*",
}


def sample_pictures(
    data: Path | None, limit: int, seed: int, *, sources: tuple[str, ...] = tuple(SOURCES)
) -> dict[str, list[Path]]:
    """A random sample of every source that is there.

    Args:
        data: Folder with any of ``celeba``, ``fer2013``, ``ckplus``, ``lfw`` and ``wild``.
        limit: Pictures of each source at most.
        seed: Of the sample.
        sources: Keys of ``SOURCES``.

    Returns:
        Paths by source, sorted; no source without pictures.

    Raises:
        UsageError: No folder is given, or it has none of the sources.
    """
    if data is None:
        raise UsageError("this benchmark needs --data: a folder with celeba, fer2013, lfw or wild")
    found: dict[str, list[Path]] = {}
    for name in sources:
        every = sorted(path for path in data.glob(SOURCES[name]) if path.is_file())
        chosen = np.random.default_rng(seed).permutation(len(every))[:limit]
        if every:
            found[name] = [every[i] for i in sorted(chosen)]
    if not found:
        places = ", ".join(SOURCES[name] for name in sources)
        raise UsageError(f"{data} has no pictures in any of {places}")
    return found
