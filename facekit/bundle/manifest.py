"""manifest.json: what a bundle holds and where it came from, format 1."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facekit.errors import BundleError
from facekit.frame import FaceFrame
from facekit.system.files import read_regular

#: The file's name inside a bundle.
MANIFEST: Final = "manifest.json"
#: Manifests have some 20 kB; JSON takes fifty times its length when it is read.
_MOST_BYTES: Final = 1 << 22

#: No separators and no leading dot: an entry cannot point out of its folder.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False)


class FrameEntry(_Entry):
    """The face frame the backbone was trained in."""

    side: Annotated[int, Field(ge=16, le=1024)]
    eye_y: float
    eye_distance: float

    def build(self) -> FaceFrame:
        """The frame these numbers describe."""
        return FaceFrame(self.side, self.eye_y, self.eye_distance)


class Preprocessing(_Entry):
    """What the graph takes; scaling and centring are inside the graph."""

    input: Literal["crops"] = "crops"
    dtype: Literal["uint8"] = "uint8"
    layout: Literal["NHWC"] = "NHWC"
    colour: Literal["RGB"] = "RGB"


class FileEntry(_Entry):
    """A file of the bundle and the hash of its bytes."""

    file: FileName
    sha256: Sha256


class BackboneEntry(FileEntry):
    """The network: its ONNX file, and what rebuilds it for fine-tuning."""

    family: str
    config: dict[str, Any]
    parameters: Annotated[int, Field(ge=0)]
    macs: Annotated[int, Field(ge=0)]


class Int8Entry(FileEntry):
    """The same network in whole numbers of eight bits: a second graph, for prediction.

    Points are hundredths of accuracy, or of FNMR at FMR 1 %, that prediction with it
    loses; below 0 it has gained.
    """

    default: bool = False
    loss: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)


class BaseEntry(_Entry):
    """The bundle whose backbone and heads a bundle of heads alone goes on from."""

    name: Name


class HeadEntry(FileEntry):
    """A head, the parts it reads and how well it did."""

    kind: str
    parts: tuple[str, ...]
    metrics: dict[str, Any] = Field(default_factory=dict)


class Manifest(_Entry):
    """Everything a bundle says about itself.

    With ``base`` the backbone's file lies in that bundle, whose heads count too;
    ``backbone`` says which one it must be.
    """

    format: Literal[1] = 1
    name: Name
    version: str
    created: str
    frame: FrameEntry
    preprocessing: Preprocessing = Preprocessing()
    parts: dict[str, tuple[int, ...]]
    backbone: BackboneEntry
    int8: Int8Entry | None = None
    base: BaseEntry | None = None
    mirror: bool = False  # scores are those of the crop and its mirror image, averaged
    heads: dict[Name, HeadEntry]
    training: dict[str, Any] = Field(default_factory=dict)
    data_licences: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    others: tuple[FileEntry, ...] = ()

    @property
    def key(self) -> str:
        """Short hash of weights and frame: changes with any of them."""
        text = f"{self.backbone.sha256} {self.frame.build().key}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def files(self) -> Iterator[FileEntry]:
        """Every file in the bundle's own folder but the manifest."""
        if self.base is None:
            yield self.backbone
            if self.int8 is not None:
                yield self.int8
        yield from self.heads.values()
        yield from self.others


def render(manifest: Manifest) -> str:
    """The text of manifest.json; its last key is the hash of all the rest.

    Args:
        manifest: What to write.

    Returns:
        JSON, UTF-8, ending with a line break.
    """
    record = manifest.model_dump(mode="json")
    absent = [name for name in ("base", "int8") if record[name] is None]
    return seal({name: value for name, value in record.items() if name not in absent})


def read_manifest(folder: Path) -> Manifest:
    """Read and check manifest.json; the other files are not touched.

    Args:
        folder: A bundle.

    Returns:
        The manifest.

    Raises:
        BundleError: It is missing, altered, or of another format.
    """
    path = folder / MANIFEST
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BundleError(f"{folder} is no model: {MANIFEST} cannot be read ({reason})") from error
    try:
        record, intact = unseal(data)
    except ValueError as error:
        raise BundleError(_altered(path)) from error
    if record.get("format") != 1:
        raise BundleError(
            f"{path} has format {repr(record.get('format'))[:80]}, this version reads format 1: "
            "upgrade facekit"
        )
    if not intact:
        raise BundleError(_altered(path))
    try:
        return Manifest.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BundleError(f"{path}: {where}: {first['msg']}: install the model again") from error


def _altered(path: Path) -> str:
    return f"{path} has been altered since it was made: install the model again"


# JSON that carries the hash of its own text, as manifests do.

#: Stands for the hash while that hash is computed.
_BLANK: Final = "0" * 64


def seal(record: Mapping[str, Any]) -> str:
    """The text of a record; its last key, "sha256", is the hash of all the rest.

    Args:
        record: JSON values, without that key.

    Returns:
        JSON, UTF-8, ending with a line break.
    """
    text = json.dumps({**record, "sha256": _BLANK}, indent=1, ensure_ascii=False, allow_nan=False)
    text += "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return digest.join(text.rsplit(_BLANK, 1))


def unseal(data: bytes) -> tuple[dict[str, Any], bool]:
    """Read what ``seal`` wrote.

    Args:
        data: The file's bytes.

    Returns:
        The record without its hash, and whether the hash fits.

    Raises:
        ValueError: It is no JSON object.
    """
    try:
        record = json.loads(data, parse_float=_finite, parse_constant=_finite)
        plain = data.decode()
        digest = record.pop("sha256", "")
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError("no JSON object") from error
    blank = _BLANK.join(plain.rsplit(str(digest), 1)) if digest else plain
    return record, hashlib.sha256(blank.encode()).hexdigest() == digest


def _finite(text: str) -> float:
    """NaN and infinity are no JSON, and could not be written again."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def read_checked(path: Path, sha256: str) -> bytes:
    """All bytes of a file that a manifest lists.

    Raises:
        BundleError: It cannot be read, or has been altered.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BundleError(f"{path} cannot be read ({reason}): install the model again") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{path} has been altered since it was made: install the model again")
    return data
