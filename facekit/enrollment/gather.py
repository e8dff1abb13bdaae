"""A folder of photos to one face each, used or refused with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from facekit.arrays import Float32
from facekit.bundle.bundle import IDENTITY, Bundle, require_part
from facekit.bundle.strangers import Strangers, read_strangers
from facekit.enrollment.examine import ExaminedPhoto, Finder, embed, examine
from facekit.enrollment.photo import Code, Photo, short_names
from facekit.enrollment.sessions import KnownPhotos, known_photos
from facekit.enrollment.subject import Ask, Candidates, Choice, ImpostorCohort, choose_faces
from facekit.errors import DataError
from facekit.recipe.enroll import QualitySpec
from facekit.results import Face
from facekit.system.pool import cores, map_in_order, one_library_thread
from facekit.system.terminal import progress_bar

#: A photo and its faces to the place of the right one, or None to leave it out.
AskWho = Callable[[Path, list[Face]], int | None]


def gather_photos(
    paths: Sequence[str | Path],
    model: Finder,
    spec: QualitySpec,
    *,
    known: KnownPhotos | None = None,
    strangers: Strangers | None = None,
    ask: AskWho | None = None,
    progress: bool = False,
    reader: Bundle | None = None,
) -> list[Photo]:
    """Find the person in each photo, and refuse photos that would do harm.

    The person is whoever is seen in most photos, or was enrolled before; the face
    that agrees with the other photos is taken, whatever its size.

    Args:
        paths: Photos of one person, whole scenes, in any order.
        model: Finds faces and tells people apart.
        spec: What a face must be like.
        known: Photos of the person that are enrolled already; they are not read.
        strangers: Other people to compare with, none of whom may set the threshold
            later; by default the training half of those that came with the model.
        ask: Asked about photos that do not say who is meant; else they are refused.
        progress: Show a bar on standard error.
        reader: What will read the faces, where that is another bundle: its frame is kept.

    Returns:
        One entry a path, in the order given.

    Raises:
        BundleError: The model has no identity part, or no strangers came with it.
        DataError: The known photos are of another model.
    """
    others = _strangers(model, strangers)
    cohort = ImpostorCohort(others.vectors, others.probabilities)
    known = known_photos([]) if known is None else known
    files = [Path(path) for path in paths]
    plain = _plain(files, known)
    repeats = _repeats(plain, known)
    rows = [row for row in range(len(files)) if row not in repeats]
    examined = examine_all([files[row] for row in rows], model, spec, progress, reader)
    candidates = Candidates.of(
        [photo.vectors for photo in examined],
        [[look.flaw is None for look in photo.looks] for photo in examined],
        _own(known, model),
        looks=[_looks(photo) for photo in examined],
        known_looks=known.looks,
    )
    asker = None if ask is None else _asker(ask, [files[row] for row in rows], examined)
    decided = [
        _decide(plain[row], photo, choice)
        for row, photo, choice in zip(
            rows, examined, choose_faces(candidates, cohort, asker), strict=True
        )
    ]
    decided = _number(_refuse_copies(decided, known), known)
    by_row = dict(zip(rows, decided, strict=True))
    for row, (name, first) in repeats.items():  # ascending: the first one is there
        by_row[row] = _repeat(plain[row], name, by_row.get(first))
    return [by_row[row] for row in range(len(files))]


def _strangers(model: Finder, given: Strangers | None) -> Strangers:
    require_part(model.bundle, IDENTITY)
    return read_strangers(model.bundle).training() if given is None else given


def _looks(photo: ExaminedPhoto) -> Float32:
    """Attributes of a photo's faces, without columns for a model without them."""
    none = np.zeros((len(photo.looks), 0), np.float32)
    return none if photo.attributes is None else photo.attributes


def _own(known: KnownPhotos, model: Finder) -> Float32:
    """Vectors of the enrolled photos, which must be of this model."""
    size = model.bundle.parts[IDENTITY][0]
    if len(known) and known.vectors.shape[1] != size:
        raise DataError(
            f"the enrolled photos have vectors of {known.vectors.shape[1]} numbers, this model "
            f"gives {size}: use the model they were enrolled with"
        )
    return known.vectors if len(known) else np.zeros((0, size), np.float32)


def _digest(path: Path) -> str:
    """SHA-256 of a file; "" where decoding it will say what is wrong."""
    try:
        if not path.is_file():  # reading a pipe may never end
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def _plain(files: Sequence[Path], known: KnownPhotos) -> list[Photo]:
    """What is known of photos before they are looked at: content, and a name for each."""
    digests = [_digest(path) for path in files]
    pairs = zip(known.files, known.digests, strict=True)
    others = [name for name, digest in pairs if digest not in digests]
    names = short_names(files, others)
    return [
        Photo(path=str(path), name=name, digest=digest)
        for path, name, digest in zip(files, names, digests, strict=True)
    ]


def _repeats(photos: Sequence[Photo], known: KnownPhotos) -> dict[int, tuple[str, int]]:
    """Files that are byte for byte another one: its name, and its row (-1: enrolled)."""
    first = {digest: (name, -1) for digest, name in zip(known.digests, known.files, strict=True)}
    repeats = {}
    for row, photo in enumerate(photos):
        if photo.digest in first:
            repeats[row] = first[photo.digest]
        elif photo.digest:
            first[photo.digest] = (photo.name, row)
    return repeats


def examine_all(
    files: Sequence[Path],
    model: Finder,
    spec: QualitySpec,
    progress: bool,
    reader: Bundle | None = None,
) -> list[ExaminedPhoto]:
    """Look at photos in threads, then embed all faces."""
    look, examined = partial(examine, model=model, spec=spec, reader=reader), list[ExaminedPhoto]()
    with (
        closing(map_in_order(look, files, cores())) as found,
        progress_bar("photos", len(files), show=progress) as tick,
        one_library_thread(),
    ):
        for photo in found:
            examined.append(photo)
            tick(len(examined), len(files))
    return embed(examined, model.bundle)


def _asker(ask: AskWho, files: Sequence[Path], examined: Sequence[ExaminedPhoto]) -> Ask:
    def asker(photo: int) -> int | None:
        faces = examined[photo].faces
        place = ask(files[photo], faces)
        return place if place is not None and 0 <= place < len(faces) else None

    return asker


def _decide(plain: Photo, photo: ExaminedPhoto, choice: Choice) -> Photo:
    """One photo with what was chosen; copies and sessions are still to come."""
    plain = replace(plain, faces=len(photo.looks), taken=photo.taken)
    if photo.code or choice.face is None:
        return replace(plain, code=photo.code, reason=photo.reason)
    place = choice.face
    look = photo.looks[place]
    chosen = replace(
        plain,
        box=look.found.box,
        eye_distance=look.quality.eye_distance,
        quality=look.quality,
        crop=look.cut.crop,
        wide=look.wide,
        vector=photo.vectors[place],
        attributes=None if photo.attributes is None else photo.attributes[place],
        trace=photo.trace(place),
    )
    hopeless = all(one.flaw is not None for one in photo.looks)
    if look.flaw is not None and (not choice.code or hopeless):
        return _refused(chosen, look.flaw.code, look.flaw.reason)
    if choice.code:
        return _refused(chosen, choice.code, choice.reason)
    degrees = look.found.turned
    turned = f"turned by {degrees} degrees: no face stood upright in the photo as it is"
    return replace(chosen, used=True, reason=turned if degrees else "")


def _refused(photo: Photo, code: Code, reason: str) -> Photo:
    """A refused photo keeps its face to be shown, and nothing to be learned from."""
    return replace(
        photo,
        used=False,
        code=code,
        reason=reason,
        wide=None,
        vector=None,
        attributes=None,
        trace=None,
    )


def _refuse_copies(photos: Sequence[Photo], known: KnownPhotos) -> list[Photo]:
    """Of photos that show the same picture, only the first is used."""
    everything = known.with_photos(photos)
    kept = list(range(len(known)))
    out, row = [], len(known)
    for photo in photos:
        if photo.used:
            first = next((one for one in everything.copies_of(row) if one in kept), None)
            if first is None:
                kept.append(row)
            else:
                reason = "nearly " + _same(everything.files[first], first < len(known))
                photo = _refused(photo, "same_picture", reason)
            row += 1
        out.append(photo)
    return out


def _number(photos: Sequence[Photo], known: KnownPhotos) -> list[Photo]:
    """Give each used photo the number of its session."""
    sessions = iter(known.with_photos(photos).sessions[len(known) :].tolist())
    return [replace(one, session=next(sessions)) if one.used else one for one in photos]


def _repeat(plain: Photo, name: str, first: Photo | None) -> Photo:
    """A file that is byte for byte another one: what is wrong with that, is with it."""
    if first is None or first.used:
        return replace(plain, code="same_picture", reason=_same(name, not first))
    return replace(first, path=plain.path, name=plain.name)


def _same(name: str, enrolled: bool) -> str:
    more = ", which is enrolled already" if enrolled else ""
    return f"the same picture as {name}{more}: a copy adds nothing"
