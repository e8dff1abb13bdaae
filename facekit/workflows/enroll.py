"""Enrolling: a few photos in, one neuron with error rates out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import Bundle
from facekit.bundle.strangers import Strangers, read_strangers
from facekit.datasets.class_folders import PICTURE_SUFFIXES
from facekit.enrollment.enrollment import Enrollment
from facekit.enrollment.facts import collect_facts
from facekit.enrollment.fit import Fitted, fit_enrollment
from facekit.enrollment.known import KnownPhotos, known_photos, read_known
from facekit.enrollment.names import check_name
from facekit.enrollment.negatives import (
    Negatives,
    no_negatives,
    read_negatives,
    stored_negatives,
)
from facekit.enrollment.photo import CODES, Photo
from facekit.enrollment.photos import AskWho, gather_photos
from facekit.enrollment.reader import read_enrollment, read_photos
from facekit.enrollment.store import state_of
from facekit.enrollment.views import PhotoViews, make_views, read_views
from facekit.errors import DataError, UsageError
from facekit.recipe.enroll import EnrollRecipe
from facekit.workflows.enroll_files import Made, write_files
from facekit.workflows.enroll_models import EnrollModels, open_models
from facekit.workflows.enroll_recipe import enroll_recipe

__all__ = ["enroll"]

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, eq=False)
class _Earlier:
    """What is known of the person before: nothing, or an enrolment to add to."""

    known: KnownPhotos
    views: PhotoViews | None = None
    negatives: Negatives | None = None
    facts: Mapping[str, Any] | None = None
    crops: NDArray[np.uint8] | None = None


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
    paths = _files(photos, "photos")
    others = None if negatives is None else _files(negatives, "photos of others")
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
    fitted = _fit(views, known, strangers, resolved, against, name)
    facts = collect_facts(
        looked,
        fitted,
        sessions=known.sessions.tolist(),
        earlier=() if earlier.facts is None else earlier.facts["photos"],
        recipe=resolved.model_dump(mode="json"),
        negatives=against.record(),
        chosen_by=models.record(),
        seconds=round(time.perf_counter() - start, 2),
    )
    enrollment = _enrollment(name, fitted, models.bundle, facts)
    made = Made(enrollment, looked, fitted, copies, resolved, began)
    kept = {**known.arrays(), **views.arrays(), **against.arrays()}
    crops = _crops(used, earlier.crops) if keep_crops or earlier.crops is not None else None
    write_files(made, kept, crops, out)
    return enrollment


def _files(given: Paths, what: str) -> list[Path]:
    """Folders walked to any depth, names sorted; a file is taken as it is named."""
    listed = [given] if isinstance(given, str | Path) else list(given)
    files: list[Path] = []
    for one in map(Path, listed):
        if one.is_dir():
            found = sorted(path for path in one.rglob("*") if path.is_file())
            files += [path for path in found if path.suffix.lower() in PICTURE_SUFFIXES]
        elif one.exists():
            files.append(one)
        else:
            raise UsageError(f"{one} does not exist: name a folder of {what}, or {what}")
    if not files:
        raise UsageError(f"{', '.join(map(str, listed)) or 'nothing'} has no picture: name {what}")
    return files


def _earlier(name: str, before: Enrollment | None, models: EnrollModels) -> _Earlier:
    if before is None:
        return _Earlier(known_photos([]))
    arrays = read_photos(name)
    size = models.bundle.parts[models.part][0]
    return _Earlier(
        read_known(arrays),
        read_views(arrays),
        stored_negatives(arrays, size),
        before.facts,
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


def _fit(
    views: PhotoViews,
    known: KnownPhotos,
    strangers: Strangers,
    recipe: EnrollRecipe,
    against: Negatives,
    name: str,
) -> Fitted:
    own = views.vectors(known.sessions)
    some = bool(len(against.vectors))
    return fit_enrollment(
        own,
        strangers,
        recipe,
        negatives=against.vectors if some else None,
        negative_people=against.people if some else None,
        name=name,
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


def _crops(used: Sequence[Photo], before: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    crops = np.stack([photo.crop for photo in used if photo.crop is not None])
    return crops if before is None else np.concatenate([before, crops])
