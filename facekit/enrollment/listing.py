"""Who is enrolled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from facekit import home
from facekit.bundle.manifest import read_manifest
from facekit.bundle.zoo import named_bundle
from facekit.enrollment.enrollment import Enrollment
from facekit.enrollment.leftovers import held, leftovers, settle
from facekit.enrollment.names import NAME
from facekit.enrollment.private import check_folder, open_to_others
from facekit.enrollment.reader import read_enrollment
from facekit.errors import FacekitError

__all__ = ["OK", "Listing", "list_enrolled", "state_in_words"]

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
        with held():
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
