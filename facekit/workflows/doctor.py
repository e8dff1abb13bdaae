"""What is installed, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from facekit._version import DISTRIBUTION, __version__
from facekit.bundle.load import DEFAULT, load_bundle
from facekit.errors import BundleError, FacekitError
from facekit.photos.detect import yunet_path
from facekit.system.home import home
from facekit.system.pool import cores
from facekit.training.backend import require_backend
from facekit.workflows.models import yunet_state

#: Names the extra in a requirement such as ``keras>=3.10; extra == "train"``.
_EXTRA = r"""extra == ["']([\w-]+)["']"""


@dataclass(frozen=True)
class Check:
    """One line of the examination.

    Attributes:
        name: What was looked at.
        state: "ok", "absent" (only some verbs need it) or "broken".
        detail: Version, place, or what to do.
    """

    name: str
    state: str
    detail: str


def examine() -> list[Check]:
    """Look at everything; nothing is changed and no network is touched.

    Returns:
        Checks in the order to show them. TensorFlow is found, not imported.
    """
    return [
        Check("facekit", "ok", f"{__version__}, {Path(__file__).resolve().parents[1]}"),
        Check("python", "ok", f"{platform.python_version()}, {sys.platform} {platform.machine()}"),
        Check("cpu", "ok", f"{cores()} cores"),
        *_packages(),
        _keras_backend(),
        *_opencv(),
        *_detectors(),
        _default_model(),
        _writable("FACEKIT_HOME", home()),
    ]


def _packages() -> Iterator[Check]:
    """Every requirement that facekit's own metadata names, but for its developers'."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        advice = "facekit runs from a folder that pip does not know: run `pip install -e .` there"
        yield Check("packages", "absent", advice)
        return
    extras: dict[str, list[str]] = {}  # a package of two extras is listed once
    for line in lines:
        name, extra = re.split(r"[^\w.-]", line, maxsplit=1)[0], re.search(_EXTRA, line)
        extras.setdefault(name, []).extend([extra[1]] if extra else [])
    for name, found in extras.items():
        if not found:
            yield _package(name, "broken", f"pip install {DISTRIBUTION}")
        elif found != ["dev"]:
            wanted = " or ".join(f"'{DISTRIBUTION}[{extra}]'" for extra in found)
            yield _package(name, "absent", f"pip install {wanted}")


def _package(name: str, if_missing: str, advice: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, if_missing, advice)


def _keras_backend() -> Check:
    try:
        return Check("training backend", "ok", require_backend())
    except FacekitError as error:
        return Check("training backend", "absent", str(error))


def _opencv() -> Iterator[Check]:
    """Two builds of OpenCV overwrite each other's files."""
    builds = [
        name
        for name in ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
        if _package(name, "absent", "").state == "ok"
    ]
    if builds:
        advice = f"pip uninstall {' '.join(builds)}, then reinstall opencv-python-headless"
        yield Check("opencv builds", "broken", advice)


def _detectors() -> Iterator[Check]:
    from facekit.photos.detect import find_detector

    try:
        find_detector("haar")
    except (FacekitError, OSError) as error:
        advice = f"{error}: pip install 'opencv-python-headless>=4.12,<5'"
        yield Check("detector haar", "broken", advice)
    else:
        yield Check("detector haar", "ok", "ships with OpenCV")
    state = yunet_state()
    if state == "ok":
        yield Check("detector yunet", "ok", str(yunet_path()))
    elif state == "absent":
        advice = "facekit models fetch yunet, or facekit models add FILE"
        yield Check("detector yunet", "absent", advice)
    else:
        yield Check("detector yunet", "broken", state)


def _default_model() -> Check:
    try:
        bundle = load_bundle(None)
    except BundleError as error:
        return Check(f"model {DEFAULT}", "broken", str(error))
    return Check(f"model {DEFAULT}", "ok", f"{bundle.folder}, every hash checked")


def _writable(name: str, folder: Path) -> Check:
    """Try to write where the folder is, or would be made."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(name, "broken", f"{folder} cannot be written: {error.strerror}")
    return Check(name, "ok", f"{folder} can be written")
