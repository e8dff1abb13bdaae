"""What an enrolment leaves on disk: in its own folder, and where the user asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.atomic import write_atomically
from facekit.augment.photos import contact_sheet
from facekit.enrollment.enrollment import Enrollment
from facekit.enrollment.fit import Fitted
from facekit.enrollment.manifest import REPORT
from facekit.enrollment.page import render_enrollment
from facekit.enrollment.photo import Photo
from facekit.enrollment.store import write_enrollment
from facekit.errors import UsageError
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import to_toml
from facekit.workflows.command_line import command_line

__all__ = ["Made", "write_files"]

#: The contact sheet in the user's folder.
SHEET: Final = "augmented.png"
#: Photos, and copies of each, on a contact sheet.
_SHEET_ROWS, _SHEET_COLUMNS = 12, 10


@dataclass(frozen=True, eq=False)
class Made:
    """An enrolment that is finished and not yet written.

    Attributes:
        enrollment: What was learned, with its facts.
        photos: All that were looked at now.
        fitted: With scores for the page.
        copies: uint8 RGB array of shape (used * copies, side, side, 3).
        recipe: The resolved recipe.
        began: ``state_of`` the name when the run began.
    """

    enrollment: Enrollment
    photos: Sequence[Photo]
    fitted: Fitted
    copies: NDArray[np.uint8]
    recipe: EnrollRecipe
    began: str


def write_files(
    made: Made,
    arrays: dict[str, NDArray[Any]],
    crops: NDArray[np.uint8] | None,
    out: str | Path | None,
) -> None:
    """Write the user's copies first, then the enrolment, which lists them.

    Args:
        made: What was learned.
        arrays: What ``--add`` goes on from.
        crops: Faces to keep, or None.
        out: The user's folder, or None.

    Raises:
        UsageError: ``out`` is no folder.
        OSError: Something cannot be written.
    """
    sheet = _sheet(made)
    copies = [] if out is None else _write_out(Path(out), made, sheet)
    page = _page(made, sheet, pictures=crops is not None)
    if crops is not None:
        arrays = {**arrays, "crops": crops}
    write_enrollment(
        made.enrollment, arrays, {REPORT: page.encode()}, replaces=made.began, copies=copies
    )


def _sheet(made: Made) -> NDArray[np.uint8] | None:
    """Photos as they are, with their first copies beside them."""
    used = [photo.crop for photo in made.photos if photo.crop is not None and photo.used]
    if not len(made.copies):
        return None
    each = made.copies.reshape(len(used), -1, *made.copies.shape[1:])[:, : _SHEET_COLUMNS - 1]
    pairs = list(zip(used, each, strict=True))[:_SHEET_ROWS]
    return contact_sheet([np.concatenate([crop[None], more]) for crop, more in pairs])


def _page(made: Made, sheet: NDArray[np.uint8] | None, *, pictures: bool) -> str:
    return render_enrollment(
        made.enrollment,
        made.photos,
        made.fitted,
        pictures=pictures,
        sheet=sheet,
        command=command_line(),
        recipe=to_toml(made.recipe),
    )


def _write_out(folder: Path, made: Made, sheet: NDArray[np.uint8] | None) -> list[Path]:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file: name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{made.enrollment.name}.html"
    write_atomically(page, _page(made, sheet, pictures=True))
    if sheet is None:
        return [page]
    picture = folder / f"{made.enrollment.name}-{SHEET}"
    write_atomically(picture, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())
    return [page, picture]
