"""What the first author's training cost, and what embedding every face once costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.enroller import Enroller
from facekit.bundle.bundle import IDENTITY, Bundle
from facekit.bundle.load import load_bundle
from facekit.enrollment.vectors import PhotoVectors, make_views
from facekit.errors import DataError
from facekit.photos.detect import find_detector
from facekit.predict import FaceModel
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe

#: Strangers and copies of each photo that went through the network every epoch.
STRANGERS: Final = 5000
COPIES: Final = 200
EPOCHS: Final = 20
_SAMPLE: Final = 256  # crops that the network is timed on
_ROUNDS: Final = 3
_NOTE: Final = (
    "the old way is scaled from a sample through the same network; its decoding, augmenting and "
    "backward pass are not counted, ours embeds copies and mirror images and counts augmenting"
)


def compare_ways(photos: Sequence[Path], model: str | None = None) -> dict[str, Any]:
    """Time the network, the augmented copies and the fit; scale them to both ways.

    Args:
        photos: Of one person.
        model: Bundle name or folder, None for the default.

    Returns:
        As ``scale_ways``, for the recipe's number of copies and for the old one.

    Raises:
        FacekitError: None of the photos can be used.
    """
    bundle = load_bundle(model)
    recipe = load_recipe("me", (), EnrollRecipe)
    enroller = Enroller(FaceModel(bundle, find_detector("auto")), recipe)
    used = [photo for photo in enroller.gather(photos) if photo.used]
    if not used:
        raise DataError(f"none of {len(photos)} photos could be used")
    own = enroller.views(used)
    copy = partial(make_views, bundle, used, recipe.augment, seed=recipe.seed)
    fits = {
        copies: _median_seconds(partial(enroller.fit, repeat_copies(own, copies)))
        for copies in (recipe.augment.copies, COPIES)
    }
    crops = np.stack([photo.crop for photo in used if photo.crop is not None])
    return scale_ways(
        photos=len(used),
        rate=_network_rate(bundle, crops),
        copy_seconds=_median_seconds(copy) / max(1, int((~own.plain).sum())),
        fit_seconds=fits,
    )


def scale_ways(
    *, photos: int, rate: float, copy_seconds: float, fit_seconds: dict[int, float]
) -> dict[str, Any]:
    """Both ways for so many photos.

    Args:
        photos: Of the person.
        rate: Images a second through the network.
        copy_seconds: To augment and embed one copy with its mirror image.
        fit_seconds: Of a whole fit with its cross-validation, by copies of a photo.

    Returns:
        ``old_images`` and ``old_epoch_seconds`` of one epoch, and in ``new`` for
        each number of copies the seconds of embedding once and of the fit, and how
        many times as long one epoch and 20 epochs of the old way take.
    """
    images = STRANGERS + photos * COPIES
    epoch = images / rate
    new = []
    for copies, fit in fit_seconds.items():
        embed = photos * (2 / rate + copies * copy_seconds)
        new.append(
            {
                "copies": copies,
                "embed_seconds": round(embed, 3),
                "fit_seconds": round(fit, 3),
                "ratio_epoch": round(epoch / (embed + fit), 2),
                "ratio_20_epochs": round(EPOCHS * epoch / (embed + fit), 1),
            }
        )
    return {
        "photos": photos,
        "images_per_second": round(rate, 1),
        "old_images": images,
        "old_epoch_seconds": round(epoch, 2),
        "new": new,
        "note": _NOTE,
    }


def repeat_copies(own: PhotoVectors, copies: int) -> PhotoVectors:
    """The same photos with another number of copies, repeated from those there are."""
    rows = [np.flatnonzero(own.plain)]
    for photo in range(len(own.session)):
        there = np.flatnonzero((own.photo == photo) & ~own.plain)
        rows.append(np.resize(there, copies if len(there) else 0))
    index = np.concatenate(rows)
    return replace(own, vectors=own.vectors[index], photo=own.photo[index], plain=own.plain[index])


def _network_rate(bundle: Bundle, crops: NDArray[np.uint8]) -> float:
    sample = np.resize(crops, (_SAMPLE, *crops.shape[1:]))
    return _SAMPLE / _median_seconds(lambda: bundle.embed(sample, [IDENTITY]))


def _median_seconds(work: Callable[[], object]) -> float:
    work()  # the first time is slower
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
