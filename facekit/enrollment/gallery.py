"""Everybody who is looked for in photos, read once and asked for every face."""

from __future__ import annotations

from collections.abc import Sequence

from facekit.bundle.bundle import Bundle
from facekit.enrollment.person import Gallery
from facekit.enrollment.read import list_enrolled, read_enrollment
from facekit.errors import FacekitError


def open_gallery(bundle: Bundle, wanted: str | Sequence[str] = "all") -> Gallery:
    """Read the enrolments that are wanted.

    Args:
        bundle: What will embed the faces.
        wanted: "all" (those that cannot be used are left out), "none", a name or
            names.

    Returns:
        The gallery.

    Raises:
        UsageError: A name that nobody has.
        DataError: A named enrolment is damaged, or the folder is a link.
        BundleError: A named enrolment was made with another backbone.
    """
    if wanted == "none":
        return Gallery()
    if wanted != "all":
        names = (wanted,) if isinstance(wanted, str) else tuple(dict.fromkeys(wanted))
        found = [read_enrollment(name) for name in names]
        for one in found:
            one.require_fit(bundle)
        return Gallery(tuple(found))
    fitting, left_out = [], {}
    for entry in list_enrolled():
        try:
            if entry.enrollment is None:
                left_out[entry.name] = str(entry.error)
            else:
                entry.enrollment.require_fit(bundle)
                fitting.append(entry.enrollment)
        except FacekitError as error:
            left_out[entry.name] = str(error)
    return Gallery(tuple(fitting), left_out)
