"""Order in the folder of enrolments: its lock, and what a killed run left behind.

A replaced enrolment steps aside under a hidden name while the new one takes its
place, and one that is forgotten is renamed before it is deleted, so that at any
moment a name finds a whole enrolment or none.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facekit.bundle.manifest import MANIFEST, FileName, Sha256, seal, unseal
from facekit.errors import DataError, UsageError
from facekit.system import home
from facekit.system.files import check_folder, locked, read_private
from facekit.system.terminal import tell

#: No separators, no leading dot, no dot or blank at the end (Windows drops them).
NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9_-])?")
#: An unfinished new one, an older one that was being replaced, one to be deleted.
Kind = Literal["new", "old", "gone"]
_ASIDE: Final = re.compile(rf"\.(?P<name>{NAME.pattern})\.[0-9a-f]{{8}}\.(?P<kind>new|old|gone)")


@contextmanager
def held() -> Iterator[Path]:
    """Keep other processes from changing any enrolment; they wait for milliseconds.

    Yields:
        The folder of enrolments, which may not exist yet.

    Raises:
        DataError: A link or a file has its name.
        OSError: The home folder cannot be written.
    """
    root = home.enrolled_folder()
    root.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that forgetting the last person can remove the folder.
    with locked(root.with_name(f"{root.name}.lock")):
        if os.path.lexists(root):
            check_folder(root)
        yield root


def aside(folder: Path, kind: Kind) -> Path:
    """A hidden name beside an enrolment that nothing has yet."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.{kind}")


def leftovers(root: Path, name: str | None = None) -> list[tuple[Path, str, str]]:
    """What stands aside in the folder of enrolments.

    Args:
        root: The folder; it need not exist.
        name: Of this person alone, or None for all.

    Returns:
        Path, name and kind of each, sorted.
    """
    entries = sorted(root.iterdir()) if root.is_dir() else []
    found = [(path, _ASIDE.fullmatch(path.name)) for path in entries]
    every = [(path, match["name"], match["kind"]) for path, match in found if match]
    return [entry for entry in every if name in (None, entry[1])]


def settle(root: Path) -> None:
    """Finish or undo what killed runs began; only while ``held``.

    Args:
        root: The folder of enrolments; it need not exist.
    """
    for path, name, kind in leftovers(root):
        if kind == "old" and not os.path.lexists(root / name):
            path.rename(root / name)
            continue
        if kind == "new":  # killed before it was enrolled: nothing else lists its copies
            listed = set(copies_in(root / name))
            remove_copies([copy for copy in copies_in(path) if copy not in listed], name)
        try:
            remove(path)
        except OSError as error:  # it must not bar everybody else
            tell(f"facekit: {path} is left of a run that was killed and cannot be removed: {error}")


def remove(path: Path) -> None:
    """Delete a folder and all in it, or a link itself; closed folders of ours are opened."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        with suppress(OSError):  # it is somebody else's, or deleted all the same
            path.chmod(0o700)
        shutil.rmtree(path)


# Names of enrolled people: what may be a folder's name, and nothing else.

#: Words of ``facekit predict --identities``.
_WORDS: Final = frozenset({"all", "auto", "matches", "none"})
#: What Windows takes for a device, with any ending.
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
)


def check_name(name: str) -> str:
    """The name itself, where it can be one.

    Args:
        name: What to call an enrolled person.

    Returns:
        The same text.

    Raises:
        UsageError: It could leave its folder, or has another meaning.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"the name {name!r} cannot be used: 1 to 64 letters (a to z), digits, blanks, dots, "
            "hyphens and underscores, a letter or digit first, no blank or dot last"
        )
    if name.lower() in _WORDS or name.lower().split(".")[0].strip() in _DEVICES:
        raise UsageError(f"the name {name!r} has another meaning: choose another one")
    return name


# manifest.json of an enrolment: whose it is, what it claims and what it holds, format 1.

#: The head that says yes or no.
HEAD: Final = "head.npz"
#: What ``--add`` goes on from: vectors and hashes of the photos.
PHOTOS: Final = "photos.npz"
#: The page for people.
REPORT: Final = "report.html"
#: The end of the contact sheet's name, in the folder of the user.
SHEET: Final = "augmented.png"

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


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


def copies_in(folder: Path) -> tuple[Copy, ...]:
    """Files elsewhere that a manifest names; none where it cannot be believed."""
    path = folder / MANIFEST
    try:
        check_folder(folder)
        return parse_manifest(read_private(path), path).copies
    except DataError:
        return ()


def draft_of(copy: Path) -> Path:
    """What a copy is called until it is whole."""
    return copy.with_name(f".{copy.name}.part")


def own_copy(path: Path, data: bytes, name: str) -> bool:
    """Whether a file may be one that was written when somebody was enrolled.

    A manifest may come from anywhere; what it names is deleted only where it is the page
    or the contact sheet of that person.
    """
    if path.name == f"{name}-{SHEET}":
        return data.startswith(b"\x89PNG")
    return path.name == f"{name}.html" and f"<title>Enrolled: {name}</title>".encode() in data


def remove_copies(copies: Sequence[Copy], name: str) -> tuple[list[Path], list[Path]]:
    """Delete copies of a person's page that are still what they were, and their drafts.

    Returns:
        Files that are gone, and files that were left alone.
    """
    removed: list[Path] = []
    kept: list[Path] = []
    for path, sha256 in {(Path(one.path), one.sha256) for one in copies}:
        ours, draft = path.name in (f"{name}.html", f"{name}-{SHEET}"), draft_of(path)
        if ours and draft.is_file() and not draft.is_symlink():
            with suppress(OSError):
                draft.unlink()
                removed.append(draft)
        if not os.path.lexists(path):
            continue
        try:
            data = read_private(path)
            if hashlib.sha256(data).hexdigest() != sha256 or not own_copy(path, data, name):
                raise DataError(f"{path} is another file")
            path.unlink()
            removed.append(path)
        except (DataError, OSError):
            kept.append(path)
    return removed, [path for path in kept if path not in removed]


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
