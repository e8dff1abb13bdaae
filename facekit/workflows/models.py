"""Models in the user's folder: what is there, add a file or bundle, fetch YuNet."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facekit.bundle.load import list_bundles, load_bundle, shipped_folder
from facekit.bundle.manifest import MANIFEST, read_manifest
from facekit.errors import UsageError, nearest
from facekit.photos.detect import YUNET_SHA256, add_detector, fetch_yunet, read_yunet, yunet_path
from facekit.system.files import draft_folder
from facekit.system.home import cache_folder, models_folder


@dataclass(frozen=True)
class ModelRow:
    """One model, there or not.

    Attributes:
        name: What finds it.
        kind: "bundle" or "detector".
        where: "shipped" with the package or in the user's "home".
        version: Of a bundle; of a file the start of its pinned sha256.
        origin: Data a bundle was trained on; public home of a file.
        licence: Notes on the data, or the licence of the file.
        state: "ok", "absent" or what is wrong.
        path: Where it lies, or would lie.
    """

    name: str
    kind: str
    where: str
    version: str
    origin: str
    licence: str
    state: str
    path: str

    def record(self) -> dict[str, Any]:
        """The row as JSON values."""
        return asdict(self)


def model_rows() -> list[ModelRow]:
    """Every bundle by name, and every detector file that facekit looks for."""
    rows = []
    for found in list_bundles():
        manifest = found.manifest
        licences = manifest.data_licences if manifest else {}
        rows.append(
            ModelRow(
                found.name,
                "bundle",
                found.origin,
                manifest.version if manifest else "",
                ", ".join(licences),
                "; ".join(dict.fromkeys(licences.values())),
                found.error or "ok",
                str(found.folder),
            )
        )
    return [*rows, _yunet_row()]


def yunet_state() -> str:
    """Say "ok", "absent", or what is wrong with the YuNet file."""
    if not yunet_path().exists():
        return "absent"
    try:
        read_yunet()
    except UsageError as error:
        return str(error)
    return "ok"


def _yunet_row() -> ModelRow:
    return ModelRow(
        "yunet",
        "detector",
        "home",
        YUNET_SHA256[:12],
        "https://github.com/opencv/opencv_zoo",
        "MIT",
        yunet_state(),
        str(yunet_path()),
    )


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
