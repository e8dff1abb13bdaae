"""Models in the user's folder: what is there, add a file or bundle, fetch YuNet."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from facekit.bundle.load import list_bundles, load_bundle, shipped_folder
from facekit.bundle.manifest import MANIFEST, Manifest, read_manifest
from facekit.errors import UsageError, nearest
from facekit.photos.detect import YUNET_SHA256, add_detector, fetch_yunet, read_yunet, yunet_path
from facekit.system.files import draft_folder
from facekit.system.home import cache_folder, models_folder

#: What is said of one model, there or not: what finds it; "bundle" or "detector";
#: "shipped" with the package or in the user's "home"; of a bundle its version, of a file
#: the start of its pinned sha256; the data it was trained on, or its public home; notes
#: on the data, or its licence; "ok", "absent" or what is wrong; where it lies or would; of
#: a backbone its graphs, the one that predicts first.
_FACTS: Final = ("name", "kind", "where", "version", "origin", "licence", "state", "path", "graphs")


def model_rows() -> list[dict[str, str]]:
    """Every bundle by name, and every detector file that facekit looks for.

    Returns:
        A mapping each, as ``facekit models --json`` prints it.
    """
    rows: list[tuple[str, ...]] = []
    for found in list_bundles():
        manifest = found.manifest
        licences = manifest.data_licences if manifest else {}
        version = manifest.version if manifest else ""
        notes = ", ".join(licences), "; ".join(dict.fromkeys(licences.values()))
        state = found.error or "ok"
        row = found.name, "bundle", found.origin, version, *notes, state, str(found.folder)
        rows.append((*row, _graphs(manifest)))
    origin, file = "https://github.com/opencv/opencv_zoo", str(yunet_path())
    kind = "yunet", "detector", "home", YUNET_SHA256[:12]
    rows.append((*kind, origin, "MIT", yunet_state(), file, ""))
    return [dict(zip(_FACTS, row, strict=True)) for row in rows]


def _graphs(manifest: Manifest | None) -> str:
    if manifest is None or manifest.base is not None:
        return ""
    if manifest.int8 is None:
        return "float"
    return "int8, float" if manifest.int8.default else "float, int8"


def yunet_state() -> str:
    """Say "ok", "absent", or what is wrong with the YuNet file."""
    if not yunet_path().exists():
        return "absent"
    try:
        read_yunet()
    except UsageError as error:
        return str(error)
    return "ok"


def cache_sizes() -> dict[str, int]:
    """Bytes that each part of the cache folder takes; the folder is safe to delete."""
    folder = cache_folder()
    parts = sorted(path for path in folder.glob("*") if path.is_dir())
    return {
        part.name: sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
        for part in parts
    }


def add_model(source: Path) -> Path:
    """Copy a bundle, or YuNet's file under any name, into the models folder.

    Args:
        source: Folder of a bundle, or the file.

    Returns:
        Where it lies now.

    Raises:
        UsageError: The source is neither, or a bundle of that name is there.
        BundleError: The bundle is damaged.
    """
    if (source / MANIFEST).is_file():
        return _add_bundle(source)
    if source.is_dir():
        raise UsageError(f"{source} holds no {MANIFEST}: give a bundle's folder or a YuNet file")
    return add_detector(source)


def fetch_model(name: str) -> Path:
    """Download a known file from its public home; its sha256 is pinned.

    Args:
        name: ``yunet``.

    Returns:
        Where it lies; nothing is downloaded when it is there already.

    Raises:
        UsageError: There is no such name, or no place gave the pinned file.
    """
    if name != "yunet":
        raise UsageError(f"no model to fetch is called {name!r}{nearest(name, ['yunet'])}")
    return yunet_path() if yunet_state() == "ok" else fetch_yunet()


def _add_bundle(source: Path) -> Path:
    """Check a bundle, then copy the files it lists under its own name in one step."""
    load_bundle(source)
    manifest = read_manifest(source)  # a base's files stay with the base
    name = manifest.name
    target = models_folder() / name
    if (shipped_folder() / name / MANIFEST).is_file():
        raise UsageError(f"a model called {name} ships with facekit: use yours by its path")
    if target.exists():
        raise UsageError(f"{target} exists: remove it first, or use the model by its path")
    with draft_folder(target) as draft:
        for file in (MANIFEST, *(entry.file for entry in manifest.files())):
            shutil.copyfile(source / file, draft / file)
    return target
