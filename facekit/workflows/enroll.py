"""Enrolling: a few photos in, one neuron with error rates out."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from pydantic import ValidationError

from facekit.arrays import AnyArray, UInt8
from facekit.augment.photos import contact_sheet
from facekit.bundle.bundle import IDENTITY, Bundle, require_part
from facekit.bundle.load import DEFAULT, load_bundle
from facekit.bundle.strangers import read_strangers
from facekit.enrollment.fit import Fitted, fit_enrollment
from facekit.enrollment.gather import AskWho, gather_photos
from facekit.enrollment.impostors import Negatives, no_negatives, read_negatives, stored_negatives
from facekit.enrollment.layout import REPORT, SHEET, check_name
from facekit.enrollment.page import render_enrollment
from facekit.enrollment.person import Enrollment
from facekit.enrollment.photo import CODES, Photo
from facekit.enrollment.read import read_enrollment, read_photos
from facekit.enrollment.sessions import KnownPhotos, known_photos, read_known
from facekit.enrollment.store import collect_facts, state_of, write_enrollment
from facekit.enrollment.vectors import PhotoViews, make_views, read_views
from facekit.errors import BundleError, DataError, UsageError
from facekit.predict import FaceModel, load
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe, to_toml
from facekit.report.record import strict
from facekit.system.inputs import Failure, expand
from facekit.system.pool import one_library_thread
from facekit.system.terminal import tell
from facekit.workflows.run_folder import command_line

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, eq=False)
class _Earlier:
    """What is known of the person before: nothing, or an enrolment to add to."""

    known: KnownPhotos
    views: PhotoViews | None = None
    negatives: Negatives | None = None
    photos: Sequence[Mapping[str, Any]] = ()
    crops: UInt8 | None = None


@one_library_thread()
def enroll(
    photos: Paths,
    *,
    name: str = "me",
    negatives: Paths | None = None,
    fmr: float | None = None,
    augment: int | None = None,
    add: bool = False,
    out: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    model: str | Path | None = None,
    detector: str = "auto",
    keep_crops: bool = False,
    ask: AskWho | None = None,
    progress: bool = True,
) -> Enrollment:
    """Learn to tell one person from strangers; the same as ``facekit enroll``.

    An enrolment of that name is replaced, when the new one is finished.

    Args:
        photos: A folder, or photos: 5 to 50 of the person, others may be in them.
        name: What to call the person.
        negatives: A folder, or photos, of others: family, colleagues. A folder for
            each person helps.
        fmr: False match rate that the threshold is set for, in (0, 0.5]; None takes
            the recipe's.
        augment: Augmented copies of each photo; None takes the recipe's.
        add: Add photos to the person; the old ones still count and are not read.
        out: Folder for a page that shows the faces, and a contact sheet.
        recipe: Name of a shipped recipe or a TOML file; None takes ``me``.
        overrides: ``key=value`` texts that change single keys of the recipe.
        model: A bundle by name or folder; None takes the recipe's.
        detector: As for ``facekit.load``.
        keep_crops: Keep the faces that were cut out, and show them on the page.
        ask: Asked about photos that do not say who is meant: gets the path and the
            faces, returns a place or None to leave the photo out.
        progress: Show a bar on standard error.

    Returns:
        The enrolment, which is written to ``Enrollment.folder``.

    Raises:
        UsageError: The name or an option cannot be used.
        DataError: No photo can be used.
        BundleError: The model cannot tell people apart, or is another one than that
            of the enrolment to add to.
        RecipeError: The recipe does not fit its schema.
    """
    start = time.perf_counter()
    began = state_of(check_name(name))
    paths, unread = _files(photos, "photos")
    others, closed = (None, 0) if negatives is None else _files(negatives, "photos of others")
    before = read_enrollment(name) if add else None
    resolved = enroll_recipe(recipe, overrides, fmr, augment, model, before)
    models = open_models(resolved, detector, before)
    strangers = read_strangers(models.bundle, models.part)
    earlier = _earlier(name, before, models)
    looked = gather_photos(
        paths,
        models.chooser,
        resolved.quality,
        known=earlier.known,
        ask=ask,
        progress=progress,
        reader=models.reader,
    )
    used = [photo for photo in looked if photo.used]
    if not used:
        raise DataError(_none_used(looked, add))
    views, copies = make_views(
        models.bundle, used, resolved.augment, seed=resolved.seed, part=models.part
    )
    views = views if earlier.views is None else earlier.views.join(views)
    known = earlier.known.with_photos(used)
    against = _against(others, earlier, models, known, progress)
    own = views.vectors(known.sessions)
    fitted = fit_enrollment(own, strangers, resolved, negatives=against, name=name)
    facts = collect_facts(looked, fitted, sessions=known.sessions.tolist(), earlier=earlier.photos)
    facts |= {
        "recipe": resolved.model_dump(mode="json"),
        "negatives": {**against.record(), "not_read": closed},
        "not_read": unread,
        "chosen_by": models.record(),
        "seconds": round(time.perf_counter() - start, 2),
    }
    enrollment = _enrollment(name, fitted, models.bundle, strict(facts))
    made = Made(enrollment, looked, fitted, copies, resolved, began)
    kept = {**known.arrays(), **views.arrays(), **against.arrays()}
    crops = _crops(used, earlier.crops) if keep_crops or earlier.crops is not None else None
    write_files(made, kept, crops, out)
    return enrollment


def _files(given: Paths, what: str) -> tuple[list[Path], int]:
    """Folders walked to any depth, names sorted; a file is taken as it is named.

    What cannot be read is told, and counted.
    """
    listed = [str(one) for one in ([given] if isinstance(given, str | Path) else given)]
    missing = next((one for one in listed if not os.path.exists(one)), None)
    if missing is not None:
        raise UsageError(f"{missing} does not exist: name a folder of {what}, or {what}")
    found = list(expand(listed))
    files = [one for one in found if isinstance(one, Path)]
    unread = [one for one in found if isinstance(one, Failure)]
    for one in unread:
        tell(f"facekit: {what}: {one.path}: {one.error}")
    if not files:
        raise UsageError(f"{', '.join(listed) or 'nothing'} has no picture: name {what}")
    return files, len(unread)


def _earlier(name: str, before: Enrollment | None, models: EnrollModels) -> _Earlier:
    if before is None:
        return _Earlier(known_photos([]))
    arrays = read_photos(name)
    size = models.bundle.parts[models.part][0]
    return _Earlier(
        read_known(arrays),
        read_views(arrays),
        stored_negatives(arrays, size),
        before.facts["photos"],
        arrays.get("crops"),
    )


def _none_used(photos: Sequence[Photo], add: bool) -> str:
    counts = Counter(CODES[photo.code] for photo in photos)
    why = ", ".join(f"{number}: {words}" for words, number in counts.most_common())
    same = "; the enrolment stays as it was" if add else ""
    return f"none of {len(photos)} photos can be used ({why}): give others{same}"


def _against(
    files: Sequence[Path] | None,
    earlier: _Earlier,
    models: EnrollModels,
    known: KnownPhotos,
    progress: bool,
) -> Negatives:
    """The user's own others: those named now, else those of before."""
    if files is None:
        size = models.bundle.parts[models.part][0]
        return earlier.negatives if earlier.negatives is not None else no_negatives(size)
    return read_negatives(
        files,
        models.chooser,
        known.vectors,
        read_strangers(models.chooser.bundle).training().vectors,
        progress=progress,
        reader=models.reader,
        part=models.part,
    )


def _enrollment(name: str, fitted: Fitted, bundle: Bundle, facts: dict[str, Any]) -> Enrollment:
    slope, offset = fitted.platt.tolist()
    return Enrollment(
        name=name,
        head=fitted.head,
        threshold=fitted.threshold,
        reject=fitted.reject,
        platt=(slope, offset),
        key=bundle.key,
        bundle=bundle.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        facts=facts,
    )


def _crops(used: Sequence[Photo], before: UInt8 | None) -> UInt8:
    crops = np.stack([photo.crop for photo in used if photo.crop is not None])
    return crops if before is None else np.concatenate([before, crops])


# What an enrolment leaves on disk: in its own folder, and where the user asked.

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
    copies: UInt8
    recipe: EnrollRecipe
    began: str


def write_files(
    made: Made, arrays: dict[str, AnyArray], crops: UInt8 | None, out: str | Path | None
) -> None:
    """Write the enrolment, and the user's copies, which it lists.

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
    copies = {} if out is None else _copies(Path(out), made, sheet)
    page = _page(made, sheet, pictures=crops is not None)
    if crops is not None:
        arrays = {**arrays, "crops": crops}
    write_enrollment(
        made.enrollment, arrays, {REPORT: page.encode()}, replaces=made.began, copies=copies
    )


def _sheet(made: Made) -> UInt8 | None:
    """Photos as they are, with their first copies beside them."""
    used = [photo.crop for photo in made.photos if photo.crop is not None and photo.used]
    if not len(made.copies):
        return None
    each = made.copies.reshape(len(used), -1, *made.copies.shape[1:])[:, : _SHEET_COLUMNS - 1]
    pairs = list(zip(used, each, strict=True))[:_SHEET_ROWS]
    return contact_sheet([np.concatenate([crop[None], more]) for crop, more in pairs])


def _page(made: Made, sheet: UInt8 | None, *, pictures: bool) -> str:
    return render_enrollment(
        made.enrollment,
        made.photos,
        made.fitted,
        pictures=pictures,
        sheet=sheet,
        command=command_line(),
        recipe=to_toml(made.recipe),
    )


def _copies(folder: Path, made: Made, sheet: UInt8 | None) -> dict[Path, bytes]:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file: name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    name = made.enrollment.name
    copies = {folder / f"{name}.html": _page(made, sheet, pictures=True).encode()}
    if sheet is not None:
        picture = cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes()
        copies[folder / f"{name}-{SHEET}"] = picture
    return copies


# The models of an enrolment: the one whose part is read, and the one that knows people.


@dataclass(frozen=True, eq=False)
class EnrollModels:
    """What an enrolment is made with.

    Attributes:
        bundle: What the neuron reads a part of.
        part: Which part.
        chooser: Finds faces, and tells whose they are by its identity part: the
            same bundle where it can, else the default one, because attributes do not
            say which of several faces is the person.
    """

    bundle: Bundle
    part: str
    chooser: FaceModel

    @property
    def reader(self) -> Bundle | None:
        """The bundle, where the chooser has another one."""
        return None if self.chooser.bundle is self.bundle else self.bundle

    def record(self) -> dict[str, str]:
        """What told people apart, as JSON values."""
        return {"model": self.chooser.bundle.name, "key": self.chooser.bundle.key}


def open_models(recipe: EnrollRecipe, detector: str, before: Enrollment | None) -> EnrollModels:
    """Load them.

    Args:
        recipe: Names the model and the part.
        detector: As for ``facekit.load``.
        before: The enrolment that photos are added to.

    Raises:
        BundleError: A model is missing, lacks the part, or is another one than that
            of the enrolment to add to.
        UsageError: There is no such detector.
    """
    chooser = load(recipe.model or None, detector, identities="none", precision="float")
    bundle, part = chooser.bundle, recipe.head.part
    require_part(bundle, part)
    if IDENTITY not in bundle.parts:
        chooser = FaceModel(load_bundle(DEFAULT), chooser.detector)
    models = EnrollModels(bundle, part, chooser)
    if before is not None:
        before.require_fit(bundle)
        chosen = before.facts.get("chosen_by", models.record())
        if chosen.get("key") != chooser.bundle.key:
            raise BundleError(
                f"the photos of {before.name} were told from others by another backbone (of the "
                f"model {chosen.get('model')}) than {chooser.bundle.name} has: enrol again "
                "without --add"
            )
    return models


# The recipe of an enrolment: the named one, the options on top, or that of before.

#: The recipe that is taken where none is named.
_DEFAULT: Final = "me"


def enroll_recipe(
    recipe: str | Path | None,
    overrides: Sequence[str],
    fmr: float | None,
    augment: int | None,
    model: str | Path | None,
    before: Enrollment | None,
) -> EnrollRecipe:
    """Resolve what an enrolment goes by.

    Args:
        recipe: Name, TOML file or None.
        overrides: ``key=value`` texts.
        fmr: The option, or None.
        augment: The option, or None.
        model: The option, or None.
        before: The enrolment that is added to; its recipe goes on.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: A value does not fit.
        UsageError: A recipe is named where one goes on.
        DataError: The earlier enrolment has no recipe that can be read.
    """
    options = [] if fmr is None else [f"claim.fmr={fmr}"]
    options += [] if augment is None else [f"augment.copies={augment}"]
    if before is None:
        found = load_recipe(recipe or _DEFAULT, [*overrides, *options], EnrollRecipe)
        return found if model is None else found.model_copy(update={"model": str(model)})
    if recipe is not None or overrides or augment is not None or fmr is not None:
        raise UsageError(
            "an enrolment that photos are added to keeps its recipe: leave --recipe, --set, "
            "--fmr and --augment out, or enrol again without --add"
        )
    try:
        found = EnrollRecipe.model_validate(before.facts.get("recipe"))
    except ValidationError:
        raise DataError(f"{before.name!r} was enrolled by another version: enrol again") from None
    return found if model is None else found.model_copy(update={"model": str(model)})
