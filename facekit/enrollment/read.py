"""Reading enrolments: found by name, every file checked against the manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeVar

from facekit.arrays import AnyArray
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import named_bundle
from facekit.bundle.manifest import MANIFEST, read_manifest
from facekit.enrollment.layout import (
    HEAD,
    NAME,
    PHOTOS,
    EnrollmentManifest,
    check_name,
    held,
    leftovers,
    parse_manifest,
    settle,
)
from facekit.enrollment.person import Enrollment, Gallery, kept_bundle
from facekit.errors import BundleError, DataError, FacekitError, UsageError
from facekit.heads.arrays import unpack
from facekit.heads.kinds import load_head
from facekit.system import home
from facekit.system.files import check_folder, open_to_others, read_private

T = TypeVar("T")


def read_enrollment(name: str) -> Enrollment:
    """Read an enrolment; what it reads is checked against the manifest.

    Args:
        name: The person.

    Returns:
        The enrolment.

    Raises:
        UsageError: Nobody has that name.
        DataError: It is damaged, altered, foreign or a link.
    """
    return _steady(name, lambda folder: read_folder(folder, name))


def check_files(name: str) -> None:
    """Check the hash of every file; raises as ``read_enrollment``."""
    _steady(name, lambda folder: read_folder(folder, name, every_file=True))


def read_photos(name: str) -> dict[str, AnyArray]:
    """The arrays about the photos that ``write_enrollment`` was given.

    Raises:
        UsageError: Nobody has that name.
        DataError: They are damaged, altered or foreign.
    """
    return _steady(name, lambda folder: _arrays(folder / PHOTOS, _manifest(folder, name)))


def read_folder(folder: Path, name: str, *, every_file: bool = False) -> Enrollment:
    """Read the enrolment in a folder, whatever the folder is called.

    Args:
        folder: Where it lies; the folder above it is no link either.
        name: Whose it must be.
        every_file: Check the hashes of files that are not read, too.

    Returns:
        The enrolment.

    Raises:
        UsageError: There is no such folder.
        DataError: It is damaged, altered, foreign or a link.
    """
    manifest = _manifest(folder, name)
    for file in manifest.files if every_file else ():
        _checked(folder / file, manifest)
    shared = manifest.model_dump(exclude={"format", "files", "copies"})
    data = _checked(folder / HEAD, manifest)
    try:
        return Enrollment(head=load_head(data, str(folder / HEAD)), **shared)
    except BundleError as error:
        raise DataError(f"{folder / HEAD} is no head that can be used: enrol again") from error


def unknown(name: str) -> UsageError:
    """The error that says who is enrolled instead."""
    root = home.enrolled_folder()
    found = [path.name for path in root.iterdir()] if root.is_dir() else []
    names = sorted(filter(NAME.fullmatch, found))
    close = get_close_matches(name, names, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    known = ", ".join(names) or "none"
    return UsageError(f"nobody is enrolled as {name!r}{hint}: known are {known}")


def _steady(name: str, read: Callable[[Path], T]) -> T:
    """Read; where that fails, once more while no other process is writing."""
    root = home.enrolled_folder()
    folder = root / check_name(name)
    try:
        return read(folder)
    except FacekitError as error:
        if root.is_symlink() or not root.is_dir():
            raise
        try:
            with held():
                settle(root)
                return read(folder)
        except OSError:  # a home that may not be written: no lock, and nothing to settle
            raise error from None


def _manifest(folder: Path, name: str) -> EnrollmentManifest:
    if os.path.lexists(folder.parent):
        check_folder(folder.parent)
    if not os.path.lexists(folder):
        raise unknown(name)
    check_folder(folder)
    path = folder / MANIFEST
    manifest = parse_manifest(read_private(path), path)
    if manifest.name != name:
        raise DataError(f"{folder} is the enrolment of {manifest.name!r}: enrol again")
    return manifest


def _arrays(path: Path, manifest: EnrollmentManifest) -> dict[str, AnyArray]:
    try:
        return unpack(_checked(path, manifest), str(path))
    except BundleError as error:
        raise DataError(f"{path} holds no arrays that can be used: enrol again") from error


def _checked(path: Path, manifest: EnrollmentManifest) -> bytes:
    data = read_private(path)
    if manifest.files.get(path.name) != hashlib.sha256(data).hexdigest():
        raise DataError(f"{path} has been altered since it was made: enrol again")
    return data


# Who is enrolled.

#: What ``state_in_words`` says of an enrolment that can be used.
OK: Final = "ok"


@dataclass(frozen=True)
class Listing:
    """One entry of the folder of enrolments.

    Attributes:
        name: The person.
        enrollment: What is known, None when it cannot be read.
        error: Why it cannot be read in one line, else None.
    """

    name: str
    enrollment: Enrollment | None
    error: str | None


def list_enrolled() -> list[Listing]:
    """Everybody who is enrolled, by name; damaged enrolments too.

    Raises:
        DataError: The folder of enrolments is a link or no folder.
    """
    root = home.enrolled_folder()
    if not os.path.lexists(root):
        return []
    check_folder(root)
    if any(kind == "old" for _, _, kind in leftovers(root)):
        with suppress(OSError), held():  # where it may not be written, it is read as it is
            settle(root)
    return [_listing(path.name) for path in sorted(root.iterdir()) if NAME.fullmatch(path.name)]


def _listing(name: str) -> Listing:
    try:
        return Listing(name, read_enrollment(name), None)
    except FacekitError as error:
        return Listing(name, None, str(error))


def state_in_words(entry: Listing) -> str:
    """Whether an enrolment can be used with the model it was made with.

    Args:
        entry: From ``list_enrolled``.

    Returns:
        ``OK``, or what is wrong and what to do, in one line.
    """
    one = entry.enrollment
    if one is None:
        return str(entry.error)
    if open_to_others(one.folder) or open_to_others(one.folder.parent):
        return f"open to others: chmod -R go-rwx {one.folder.parent}"
    folder = named_bundle(one.bundle)
    if folder is None:
        return f"made with {one.bundle}, which is not among the models here"
    try:
        same = read_manifest(folder).key == one.key
    except FacekitError as error:
        return str(error)
    return OK if same else f"made with another backbone of {one.bundle}: enrol again"


# Everybody who is looked for in photos, read once and asked for every face.


#: With more people "auto" leaves verdicts of "no" out: a thousand are 68 kB a photo.
FEW: Final = 10
_EVERYBODY: Final = ("auto", "all", "matches")


def open_gallery(bundle: Bundle, wanted: str | Sequence[str] = "auto") -> Gallery:
    """Read the enrolments that are wanted.

    Args:
        bundle: What will embed the faces.
        wanted: Everybody (those that cannot be used are left out): "all" with every
            verdict, "matches" without those of "no", "auto" with every verdict of up to
            ``FEW`` people; or "none", a name or names.

    Returns:
        The gallery.

    Raises:
        UsageError: A name that nobody has, or what is no name.
        DataError: A named enrolment is damaged, or the folder is a link.
        BundleError: A named enrolment was made with another backbone, which is not there.
    """
    if isinstance(wanted, str) and wanted == "none":
        return Gallery()
    if not isinstance(wanted, str) or wanted not in _EVERYBODY:
        found = [read_enrollment(name) for name in _names(wanted)]
        return _gallery(bundle, [(one, _reader(one, bundle)) for one in found], {})
    fitting, left_out = [], {}
    for entry in list_enrolled():
        try:
            if entry.enrollment is None:
                left_out[entry.name] = str(entry.error)
            else:
                fitting.append((entry.enrollment, _reader(entry.enrollment, bundle)))
        except FacekitError as error:
            left_out[entry.name] = str(error)
    matches = wanted == "matches" or (wanted == "auto" and len(fitting) > FEW)
    return _gallery(bundle, fitting, left_out, matches)


def _names(wanted: object) -> Iterable[str]:
    """The names that are wanted, each once."""
    names = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(names, Iterable) and all(isinstance(name, str) for name in names):
        return dict.fromkeys(names)
    raise UsageError(
        f"identities={wanted!r}: give {', '.join(_EVERYBODY)} or none, a name, or names"
    )


def _reader(one: Enrollment, bundle: Bundle) -> Bundle:
    """What reads the faces for somebody: the bundle itself, or that of the enrolment."""
    folder = None if one.key == bundle.key else named_bundle(one.bundle)
    if folder is None or read_manifest(folder).key != one.key:
        one.require_fit(bundle)
        return bundle
    return kept_bundle(folder)


def _gallery(
    bundle: Bundle,
    found: Sequence[tuple[Enrollment, Bundle]],
    left_out: Mapping[str, str],
    matches: bool = False,
) -> Gallery:
    """Everybody, by who reads the faces for them."""
    groups: dict[str, tuple[Bundle, list[Enrollment]]] = {}
    for one, reader in found:
        groups.setdefault(reader.key, (reader, []))[1].append(one)
    _, own = groups.pop(bundle.key, (bundle, []))
    others = tuple(
        (reader, Gallery(tuple(people), matches=matches)) for reader, people in groups.values()
    )
    return Gallery(tuple(own), left_out, others, matches)
