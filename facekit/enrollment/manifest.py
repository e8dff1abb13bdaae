"""manifest.json of an enrolment: whose it is, what it claims and what it holds, format 1."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facekit.bundle.manifest import MANIFEST, FileName, Sha256
from facekit.bundle.seal import seal, unseal
from facekit.errors import DataError

__all__ = [
    "HEAD",
    "MANIFEST",
    "PHOTOS",
    "REPORT",
    "Copy",
    "EnrollmentManifest",
    "parse_manifest",
    "render_manifest",
]

#: The head that says yes or no.
HEAD: Final = "head.npz"
#: What ``--add`` goes on from: vectors and hashes of the photos.
PHOTOS: Final = "photos.npz"
#: The page for people.
REPORT: Final = "report.html"

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Copy(_Entry):
    """A file that the user had written elsewhere; ``forget`` removes it, unless changed."""

    path: str
    sha256: Sha256


class EnrollmentManifest(_Entry):
    """Everything an enrolment says about itself.

    ``facts`` has photos by the names of their files, never their contents.
    """

    format: Literal[1] = 1
    name: str
    created: str
    bundle: str
    key: str
    threshold: _Finite
    reject: _Finite
    platt: tuple[_Finite, _Finite]
    files: dict[FileName, Sha256]
    copies: tuple[Copy, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)


def render_manifest(manifest: EnrollmentManifest) -> bytes:
    """The bytes of manifest.json; its last key is the hash of all the rest."""
    return seal(manifest.model_dump(mode="json")).encode()


def parse_manifest(data: bytes, path: Path) -> EnrollmentManifest:
    """Check and read manifest.json.

    Args:
        data: The file's bytes.
        path: What to call it in an error.

    Returns:
        The manifest.

    Raises:
        DataError: It is altered, of another format or another kind.
    """
    try:
        record, intact = unseal(data)
    except ValueError:
        record, intact = {}, False
    if intact and record.get("format") != 1:
        raise DataError(
            f"{path} has format {record.get('format')!r}, this version reads format 1: "
            "upgrade facekit or enrol again"
        )
    if not intact:
        raise DataError(f"{path} has been altered since it was made: enrol again")
    try:
        return EnrollmentManifest.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}: enrol again") from error
