"""Enrolments on disk: written in one step, and only when they can be read back."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facekit.arrays import AnyArray
from facekit.bundle.manifest import MANIFEST
from facekit.enrollment.fit import Fitted
from facekit.enrollment.layout import (
    HEAD,
    PHOTOS,
    Copy,
    EnrollmentManifest,
    aside,
    check_name,
    copies_in,
    draft_of,
    held,
    leftovers,
    remove,
    remove_copies,
    render_manifest,
    settle,
)
from facekit.enrollment.person import Enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.read import read_folder, unknown
from facekit.errors import DataError, UsageError
from facekit.evaluation.claim import percent
from facekit.heads.arrays import pack
from facekit.report.record import strict
from facekit.system import home
from facekit.system.files import check_folder, make_private_folder, read_private, write_private

#: ``state_of`` a name that nobody has.
NOBODY: Final = ""
_DAMAGED: Final = "damaged"


def write_enrollment(
    enrollment: Enrollment,
    photos: Mapping[str, AnyArray],
    files: Mapping[str, bytes] | None = None,
    *,
    replaces: str = NOBODY,
    copies: Mapping[Path, bytes] | None = None,
) -> None:
    """Write an enrolment, read it back, and only then give it its name.

    Args:
        enrollment: What to write.
        photos: Arrays that ``--add`` goes on from; see ``read_photos``.
        files: Further files by name, such as the page.
        replaces: ``state_of`` the name when this run began; when it is another one
            by now, a second process was faster and nothing is changed.
        copies: Contents of files that the user wants elsewhere, in folders that exist;
            the names are those of ``own_copy``. They are listed, for ``forget``, before
            the first of them is written.

    Raises:
        UsageError: The name cannot be used, or was enrolled meanwhile.
        DataError: It cannot be read back.
        OSError: The folder, or a copy, cannot be written.
    """
    name = check_name(enrollment.name)
    contents = {**(files or {}), HEAD: enrollment.head.to_bytes(), PHOTOS: pack(photos)}
    with held() as root:
        make_private_folder(root)
        settle(root)
        copies = {path.resolve(): data for path, data in (copies or {}).items()}
        manifest = _describe(enrollment, contents, copies)
        if state_of(name) != replaces:
            raise UsageError(
                f"{name} was enrolled by another process meanwhile, so nothing was changed: "
                "run it again"
            )
        draft = aside(root / name, "new")
        try:
            make_private_folder(draft)
            for file, data in {**contents, MANIFEST: render_manifest(manifest)}.items():
                write_private(draft / file, data)
            read_folder(draft, name, every_file=True)
            for path, data in copies.items():
                _write_copy(path, data)
            _put_in_place(draft, root / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _describe(
    enrollment: Enrollment, contents: Mapping[str, bytes], copies: Mapping[Path, bytes]
) -> EnrollmentManifest:
    known = {copy.path: copy for copy in copies_in(enrollment.folder)}  # of the one replaced
    for path, data in copies.items():
        known[str(path)] = Copy(path=str(path), sha256=_hash(data))
    return EnrollmentManifest(
        name=enrollment.name,
        created=enrollment.created,
        bundle=enrollment.bundle,
        key=enrollment.key,
        threshold=enrollment.threshold,
        reject=enrollment.reject,
        platt=enrollment.platt,
        files={name: _hash(data) for name, data in contents.items()},
        copies=tuple(known.values()),
        facts=strict(enrollment.facts),
    )


def _write_copy(path: Path, data: bytes) -> None:
    """A picture of a face: only its owner may read it, and a draft has a name that is known."""
    part = draft_of(path)
    part.unlink(missing_ok=True)
    try:
        write_private(part, data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _put_in_place(draft: Path, folder: Path) -> None:
    """Give the finished draft its name; an older one steps aside first."""
    old = aside(folder, "old") if os.path.lexists(folder) else None
    if old:
        folder.rename(old)
    draft.rename(folder)
    if old:
        shutil.rmtree(old, ignore_errors=True)


def state_of(name: str) -> str:
    """What is there under a name: changes with every enrolment.

    Returns:
        ``NOBODY``, the hash of the manifest, or "damaged".
    """
    folder = home.enrolled_folder() / check_name(name)
    if not os.path.lexists(folder):
        return NOBODY
    try:
        check_folder(folder)
        return _hash(read_private(folder / MANIFEST))
    except DataError:
        return _DAMAGED


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Forgetting a person: every trace, in an order that survives a kill.


@dataclass(frozen=True)
class Forgotten:
    """What became of the traces of a person.

    Attributes:
        removed: Files that are gone.
        kept: Copies outside the folder of enrolments that had been changed, or that no
            run of facekit can have written, so that they were left alone.
    """

    removed: tuple[Path, ...]
    kept: tuple[Path, ...]


def forget(name: str) -> Forgotten:
    """Remove an enrolment, what killed runs left of it, and copies of its page.

    Damaged enrolments are removed too; links are removed, not followed. Photos
    themselves are never touched.

    Args:
        name: The person.

    Returns:
        What was removed.

    Raises:
        UsageError: There is no trace of that name.
        DataError: The folder of enrolments is a link or no folder.
        OSError: Something cannot be removed.
    """
    folder = home.enrolled_folder() / check_name(name)
    if not os.path.lexists(folder.parent):
        raise unknown(name)
    with held() as root:
        if not os.path.lexists(folder) and not leftovers(root, name):
            raise unknown(name)
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)  # nothing has happened yet where it is not ours
        traces = [folder] if os.path.lexists(folder) else []
        traces += [path for path, _, _ in leftovers(root, name)]
        removed, kept = remove_copies([copy for path in traces for copy in copies_in(path)], name)
        for path in traces:
            removed += _files(path)
        if os.path.lexists(folder):
            folder.rename(aside(folder, "gone"))  # from here on nobody is enrolled
        for path, _, _ in leftovers(root, name):
            remove(path)
        settle(root)
        if not any(root.iterdir()):
            root.rmdir()
    return Forgotten(tuple(removed), tuple(kept))


def _files(path: Path) -> list[Path]:
    """A link itself, or all files in a folder."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    return [Path(at, file) for at, _, names in os.walk(path) for file in sorted(names)] or [path]


# What is kept in writing about an enrolment: photos, rates, claims; no pictures, no vectors.


def collect_facts(
    photos: Sequence[Photo],
    fitted: Fitted,
    *,
    sessions: Sequence[int],
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Facts of an enrolment as JSON values.

    Args:
        photos: All that were looked at now.
        fitted: What was learned from them, and from those enrolled earlier.
        sessions: Of every photo used, earlier ones first, then in their order.
        earlier: "photos" of the facts that this enrolment adds to.

    Returns:
        ``{"photos_used", "photos_refused", "sessions", "claim": {...}, "fnmr":
        {"value", "interval", "errors", "photos"}, "slices": [...], "words": [...],
        "photos": [{"file", "used", "code", "reason", "session", "box",
        "eye_distance"}], ...}``; "claim" says the false match rate and against
        whom, a rate that is not known is None. With ``claim.leaky``: "splits" with
        "fmr", "leaky" and "honest", see ``enrollment.split_comparison.Measured``.
    """
    rows = [dict(row) for row in (*earlier, *map(_photo_fact, photos))]
    used = [row for row in rows if row["used"]]
    for row, session in zip(used, sessions, strict=True):
        row["session"] = int(session)
    left_out = sum(row["code"] == "doubtful" for row in rows)
    claim, keys = fitted.claim, ("fmr", "interval", "strangers", "supported", "words")
    facts: dict[str, Any] = {
        "photos_used": len(used),
        "photos_refused": len(rows) - len(used),
        "sessions": fitted.sessions,
        "claim": {key: getattr(claim, key) for key in keys},
        "fnmr": {
            "value": fitted.fnmr.value,
            "interval": fitted.fnmr.interval,
            "errors": fitted.fnmr.errors,
            "photos": len(fitted.own_scores),
        },
        "slices": [
            {"who": one.words, "strangers": one.strangers, "passed": one.hits}
            for one in fitted.slices
        ],
        "words": [*fitted.words, *_of_doubtful(left_out, fitted)],
        **({} if fitted.splits is None else {"splits": fitted.splits.record()}),
        "photos": rows,
    }
    return dict(strict(facts))


def _of_doubtful(photos: int, fitted: Fitted) -> list[str]:
    """What photos that were left out in doubt mean for the rate that is claimed."""
    if not photos:
        return []
    rate = (fitted.fnmr.errors + photos) / (len(fitted.own_scores) + photos)
    text = f"{photos} photos were left out because they are perhaps of somebody else: "
    return [f"{text}where they are yours, they count as refused, and FNMR is {percent(rate)}"]


def _photo_fact(photo: Photo) -> dict[str, Any]:
    """What is said of one photo; the folders of its file only where names need them."""
    return {
        "file": _readable(photo.label),
        "used": photo.used,
        "code": photo.code,
        "reason": _readable(photo.reason),
        "session": None,
        "box": photo.box,
        "eye_distance": photo.eye_distance,
    }


def _readable(text: str) -> str:
    """Names of files need not be text; what is none becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
