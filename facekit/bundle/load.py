"""Finding, listing and loading bundles.

A bundle is known by name (shipped inside the package, or a folder of the user
in ``<home>/models``) or by the path of its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

from facekit.bundle.bundle import Bundle, Precision
from facekit.bundle.manifest import MANIFEST, Manifest, read_checked, read_manifest
from facekit.bundle.session import OnnxBackbone
from facekit.errors import BundleError, UsageError, nearest
from facekit.heads.head import Head
from facekit.heads.kinds import load_head
from facekit.system import home

#: The bundle used when none is named.
DEFAULT: Final = "celeba-compact"
#: Shipped bundles of heads on the default's backbone, read with it.
COMPANIONS: Final = ("fer-frozen",)
#: Which graph is asked for; see ``load_bundle``.
Asked = Precision | Literal["auto"]
_PRECISIONS: Final = ("auto", "float", "int8")
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
    if not isinstance(given, Path) and (named := named_bundle(given)):
        return named
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


def named_bundle(name: str) -> Path | None:
    """The folder that a name finds wherever one is, or None; paths are no names."""
    if not _NAME.fullmatch(name):
        return None
    folders = (root / name for root in (shipped_folder(), home.models_folder()))
    return next((folder for folder in folders if (folder / MANIFEST).is_file()), None)


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


def load_bundle(
    name_or_path: str | Path | None = None, *, threads: int = 0, precision: Asked = "float"
) -> Bundle:
    """Read a bundle, check the hash of every file, and open its graph.

    Args:
        name_or_path: As for ``find_bundle``; None also takes the heads that ship
            for the default's backbone (``COMPANIONS``).
        threads: Threads of the graph in [1, inf), or 0 for one a core.
        precision: Which graph: "float", "int8", or for prediction "auto": int8 where the
            manifest has one whose loss is small enough (``default``).

    Returns:
        The bundle.

    Raises:
        BundleError: There is none, a file is missing or altered, or its parts
            do not fit together; or it has no int8 graph and that is asked for.
        UsageError: There is no such precision.
    """
    if precision not in _PRECISIONS:
        raise UsageError(f"precision {precision!r}{nearest(precision, _PRECISIONS)}")
    bundle = _load(find_bundle(name_or_path), threads, precision)
    if name_or_path is None:
        for name in COMPANIONS:
            if (shipped_folder() / name / MANIFEST).is_file():
                extended = _extend(bundle, shipped_folder() / name)
                entries = {"heads": extended.manifest.heads}
                kept = bundle.manifest.model_copy(update=entries)
                bundle = replace(extended, manifest=kept)
    return bundle


def _load(folder: Path, threads: int, precision: str, above: tuple[Path, ...] = ()) -> Bundle:
    manifest = read_manifest(folder)
    if manifest.base is not None:
        below, above = named_bundle(manifest.base.name), (*above, folder.resolve())
        if below is None or below.resolve() in above:  # a copy of it has taken that name
            raise BundleError(
                f"{folder} needs the model {manifest.base.name!r}, which is not here: "
                "install that first"
            )
        base = _load(below, threads, precision, above)
        return replace(_extend(base, folder), folder=folder)
    contents = _read_files(folder, manifest)
    chosen = _choose(manifest, precision)
    entry = manifest.int8 if chosen == "int8" and manifest.int8 else manifest.backbone
    backbone = OnnxBackbone(contents[entry.file], name=str(folder / entry.file), threads=threads)
    if backbone.parts != manifest.parts or backbone.side != manifest.frame.side:
        raise BundleError(f"{folder / entry.file} does not give the parts that {MANIFEST} lists")
    heads, graph = _heads(folder, manifest, contents), folder / manifest.backbone.file
    return Bundle(folder, manifest, heads, backbone, graph, chosen)


def _choose(manifest: Manifest, precision: str) -> Precision:
    there = manifest.int8
    if precision == "int8" and there is None:
        source = " --source fer" if manifest.training.get("data") == "fer" else ""
        raise BundleError(
            f"the model {manifest.name} has no int8 graph: use --precision float, or make one with "
            f"`facekit models quantize {manifest.name} --data DIR{source}`"
        )
    wanted = precision == "int8" or (precision == "auto" and there is not None and there.default)
    return "int8" if wanted else "float"


def _extend(base: Bundle, folder: Path) -> Bundle:
    """A loaded bundle with the heads of another that goes on from it."""
    manifest = read_manifest(folder)
    if manifest.backbone.sha256 != base.manifest.backbone.sha256:
        raise BundleError(
            f"{folder} was made for another version of the backbone {base.name}: "
            "fit its heads again with `facekit transfer`"
        )
    heads = _heads(folder, manifest, _read_files(folder, manifest))
    entries = {**base.manifest.heads, **manifest.heads}
    merged = manifest.model_copy(update={"heads": entries})
    return replace(base, manifest=merged, heads={**base.heads, **heads})


def _read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    return {
        entry.file: read_checked(folder / entry.file, entry.sha256) for entry in manifest.files()
    }


def _heads(folder: Path, manifest: Manifest, contents: dict[str, bytes]) -> dict[str, Head]:
    heads = {
        name: load_head(contents[entry.file], str(folder / entry.file))
        for name, entry in manifest.heads.items()
    }
    for name, head in heads.items():
        missing = [part for part in head.parts if part not in manifest.parts]
        if missing or head.width(manifest.parts) != head.sizes[0]:
            raise BundleError(f"head {name!r} of {folder} reads parts that its backbone lacks")
    return heads
