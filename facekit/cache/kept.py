"""What was made of features, kept so that the next fit on them begins at once.

    <features of a backbone>/made/<key>/<number>.npy   arrays
                                        kept.json      names, a CRC-32 of each and its array

The key says all that the arrays depend on. A folder appears whole or not at all;
arrays that are damaged or were altered are made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import AnyArray
from facekit.heads.arrays import open_array
from facekit.system.files import draft_folder, read_regular
from facekit.system.pool import cores
from facekit.system.terminal import tell

#: Folders that stay, the last used ones: inputs and components of two recipes.
_NEWEST: Final = 4
#: Part of every key: raise it when the same names stand for other numbers.
_VERSION: Final = 1

Made = dict[str, AnyArray]


@dataclass(frozen=True)
class Kept:
    """Where arrays are kept that follow from the same things.

    Attributes:
        root: Folder of the backbone's features; None keeps nothing.
        key: Hash of what every array depends on.
    """

    root: Path | None = None
    key: str = ""

    def arrays(self, make: Callable[[], Made], **also: object) -> Made:
        """Arrays as they were kept, else made now and kept.

        Args:
            make: Gives arrays of numbers by name; called where they are not there.
            also: What they depend on beside the key; JSON must know it.

        Returns:
            The arrays; kept ones are read-only memory maps.
        """
        if self.root is None:
            return make()
        folder = self.root / "made" / content_key(self.key, also)
        try:
            return _read(folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            made = make()
        try:
            _write(folder, made)
        except OSError as error:
            tell(f"{folder.parent} keeps nothing for the next run: {error.strerror or error}")
        return made


def content_key(*parts: Any) -> str:
    """Hash of arrays, and of whatever else JSON knows."""
    digest = hashlib.sha256(b"%d" % _VERSION)
    for part in parts:
        array = isinstance(part, np.ndarray)
        digest.update(repr(array and (part.dtype.str, part.shape)).encode())
        digest.update(part.tobytes() if array else json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _read(folder: Path) -> Made:
    """The arrays of a folder, each checked; an error where there are none or damaged ones."""
    checks: Mapping[str, int] = json.loads(read_regular(folder / "kept.json"))
    found = {name: open_array(folder / f"{i}.npy") for i, name in enumerate(checks)}
    with ThreadPoolExecutor(cores()) as pool:
        if not found or list(pool.map(_check, found, found.values())) != list(checks.values()):
            raise ValueError("altered")
    os.utime(folder)  # the last used ones stay
    return {name: np.asarray(array) for name, array in found.items()}


def _write(folder: Path, made: Made) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    others = sorted(
        (path for path in folder.parent.iterdir() if path != folder and path.name[0] != "."),
        key=lambda path: path.stat().st_mtime,
    )
    for old in others[: max(0, len(others) - _NEWEST + 1)]:
        shutil.rmtree(old, ignore_errors=True)
    needed = sum(array.nbytes for array in made.values())
    if shutil.disk_usage(folder.parent).free < 1.05 * needed:  # a full disk stops everything else
        raise OSError(f"{needed / 1e6:,.0f} MB are needed, and there is less")
    with draft_folder(folder) as draft:
        for i, array in enumerate(made.values()):
            np.save(draft / f"{i}.npy", array, allow_pickle=False)
        checks = {name: _check(name, array) for name, array in made.items()}
        (draft / "kept.json").write_text(json.dumps(checks) + "\n", encoding="utf-8")


def _check(name: str, array: AnyArray) -> int:
    """CRC-32 of the name, the type and the shape, then of the numbers."""
    begun = zlib.crc32(repr((name, array.dtype.str, array.shape)).encode())
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data, begun)
