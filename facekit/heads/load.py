"""A head from its file: the `kind` stored in it says which class reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from facekit.errors import BundleError
from facekit.heads.arrays import unpack
from facekit.heads.head import CHANNELS, Head
from facekit.heads.linear import LinearHead
from facekit.heads.mlp import MlpHead

__all__ = ["KINDS", "load_head"]

#: Every kind of head; a file that names another is refused.
KINDS: Final[dict[str, type[Head]]] = {cls.kind: cls for cls in (LinearHead, MlpHead)}


def load_head(source: Path | bytes, name: str = "") -> Head:
    """Read a head that ``Head.save`` wrote.

    Args:
        source: An .npz file, or its bytes.
        name: What to call it in an error; the file's name by default.

    Returns:
        A LinearHead or an MlpHead.

    Raises:
        BundleError: The file is missing, damaged, of another kind, or its
            arrays do not fit together.
    """
    name = name or (source.name if isinstance(source, Path) else "the head")
    arrays = unpack(source, name)
    try:
        kind = str(arrays["kind"])
        if kind not in KINDS:
            raise ValueError(f"its kind is {kind!r}, known are {', '.join(KINDS)}")
        common: dict[str, Any] = {
            "parts": tuple(map(str, arrays["parts"])),
            "labels": tuple(map(str, arrays["labels"])),
            "activation": str(arrays["activation"]),
            "channels": {
                key.removeprefix(CHANNELS): value
                for key, value in arrays.items()
                if key.startswith(CHANNELS)
            },
        }
        for key in ("mean", "scale", "calibration", "thresholds"):
            common[key] = arrays.get(key)
        return KINDS[kind].from_arrays(arrays, common)
    except KeyError as error:
        raise BundleError(f"{name} is not a head: it lacks the array {error}") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{name} is not a usable head: {error}") from error
