"""Finding, listing and loading bundles.

A bundle is known by name (shipped inside the package, or a folder of the user
in ``<home>/models``) or by the path of its folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

import numpy as np

from facekit import home
from facekit.bundle.bundle import POINTS, Bundle
from facekit.bundle.manifest import MANIFEST, Manifest, read_manifest
from facekit.bundle.session import OnnxBackbone
from facekit.errors import BundleError
from facekit.heads.load import load_head

__all__ = ["DEFAULT", "POINTS", "Bundle", "Listing", "find_bundle", "list_bundles", "load_bundle"]

#: The bundle used when none is named.
DEFAULT: Final = "celeba-compact"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Listing:
    """One bundle that can be found by name.

    Attributes:
        name: The name that finds it.
        folder: Where it is.
        origin: "shipped" with the package, or the user's own in "home".
        manifest: What it says about itself, None when that cannot be read.
        error: Why the manifest cannot be read, else None.
    """

    name: str
    folder: Path
    origin: Literal["shipped", "home"]
    manifest: Manifest | None
    error: str | None


def shipped_folder() -> Path:
    """Bundles that come with the package."""
    return Path(__file__).parent / "shipped"


def find_bundle(name_or_path: str | Path | None = None) -> Path:
    """The folder of a bundle.

    Shipped names come first, then the user's; a path is taken when it is a
    Path, holds a separator or starts with a dot, or names a folder that is a
    bundle while no bundle has that name.

    Args:
        name_or_path: A name, a folder, or None for ``DEFAULT``.

    Returns:
        A folder that holds a manifest; nothing else is checked yet.

    Raises:
        BundleError: There is no such bundle.
    """
    given = DEFAULT if name_or_path is None else name_or_path
    if not isinstance(given, Path) and _NAME.fullmatch(given):
        for root in (shipped_folder(), home.models_folder()):
            if (root / given / MANIFEST).is_file():
                return root / given
    path = Path(given).expanduser()
    if (path / MANIFEST).is_file():
        return path
    if isinstance(given, Path) or os.sep in given or "/" in given or given.startswith("."):
        what = f"it has no {MANIFEST}" if path.is_dir() else "there is no such folder"
        raise BundleError(f"{given} is no model: {what}")
    known = [listing.name for listing in list_bundles()]
    close = get_close_matches(given, known, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise BundleError(
        f"no model is named {given!r}{hint}: known are {', '.join(known) or 'none'}, "
        "and the path of a model's folder does as well"
    )


def list_bundles() -> list[Listing]:
    """All bundles that can be found by name: shipped ones first, then by name."""
    found = list(_listings(shipped_folder(), "shipped"))
    taken = {listing.name for listing in found}
    own = _listings(home.models_folder(), "home")
    return found + [listing for listing in own if listing.name not in taken]


def _listings(root: Path, origin: Literal["shipped", "home"]) -> Iterator[Listing]:
    for path in sorted(root.glob(f"*/{MANIFEST}")):
        folder = path.parent
        if not _NAME.fullmatch(folder.name):
            continue
        try:
            yield Listing(folder.name, folder, origin, read_manifest(folder), None)
        except BundleError as error:
            yield Listing(folder.name, folder, origin, None, str(error))


def load_bundle(name_or_path: str | Path | None = None, *, threads: int = 0) -> Bundle:
    """Read a bundle, check the hash of every file, and open its graph.

    Args:
        name_or_path: As for ``find_bundle``.
        threads: Threads of the graph in [1, inf), or 0 for one a core.

    Returns:
        The bundle.

    Raises:
        BundleError: There is none, a file is missing or altered, or its parts
            do not fit together.
    """
    folder = find_bundle(name_or_path)
    manifest = read_manifest(folder)
    contents = {
        entry.file: _checked(folder / entry.file, entry.sha256) for entry in manifest.files()
    }
    file = manifest.backbone.file
    backbone = OnnxBackbone(contents[file], name=str(folder / file), threads=threads)
    if backbone.parts != manifest.parts or backbone.side != manifest.frame.side:
        raise BundleError(f"{folder / file} does not give the parts that {MANIFEST} lists")
    heads = {
        name: load_head(contents[entry.file], str(folder / entry.file))
        for name, entry in manifest.heads.items()
    }
    for name, head in heads.items():
        missing = [part for part in head.parts if part not in backbone.parts]
        width = sum(int(np.prod(backbone.parts[p])) for p in head.parts if p not in missing)
        if missing or width != head.sizes[0]:
            raise BundleError(f"head {name!r} of {folder} reads parts that its backbone lacks")
    return Bundle(folder, manifest, heads, backbone)


def _checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BundleError(f"{path} cannot be read ({reason}): install the model again") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{path} has been altered since it was made: install the model again")
    return data
