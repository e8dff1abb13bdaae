"""What a frozen head is fitted on: features in views, reduced and standardised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from facekit.arrays import AnyArray, Float16, Float32, Int64
from facekit.bundle.bundle import Bundle
from facekit.cache.extract import MIRROR, PLAIN, View, augmented_views
from facekit.cache.features import FeatureSet, FeatureStore
from facekit.cache.kept import Kept, Made, content_key
from facekit.errors import RecipeError
from facekit.heads.head import read_parts
from facekit.heads.logistic import standardise
from facekit.recipe.transfer import TransferRecipe
from facekit.system.home import cache_folder
from facekit.system.pool import cores
from facekit.system.terminal import progress_bar
from facekit.workflows.transfer.data import ClassData

#: Rows read at once; 80 MB of the largest embedding here.
_BLOCK: Final = 1024
#: Rows that principal channels are found from.
_CHANNEL_ROWS: Final = 6000


@dataclass(frozen=True)
class HeadInputs:
    """Standardised inputs and what is to be answered.

    Attributes:
        views: float16 arrays of shape (n, d): the training rows, each array seen
            another way; the first is plain.
        shares: float32 array of shape (n, k): what is learned.
        labels: int64 array of shape (n,).
        groups: int64 array of shape (n,): rows that belong together.
        seen: float32 arrays of shape (m, d): the validation rows in the views
            that prediction averages; the training rows where they are
            cross-validated.
        answers: int64 array of shape (m,): their labels.
        tested: As ``seen``, of the test rows.
        frame: Parts, labels, channels, mean and scale: what every head that is
            made of these inputs shares.
        kept: Where components of the training rows are kept.
    """

    views: list[Float16]
    shares: Float32
    labels: Int64
    groups: Int64
    seen: list[Float32]
    answers: Int64
    tested: list[Float32]
    frame: dict[str, Any]
    kept: Kept = field(default_factory=Kept)


def read_inputs(bundle: Bundle, data: ClassData, recipe: TransferRecipe) -> HeadInputs:
    """Read the features from the store, computing what is missing of them.

    Args:
        bundle: Whose backbone is read.
        data: The classes.
        recipe: Its ``features``.

    Returns:
        The inputs.

    Raises:
        RecipeError: The backbone has none of the recipe's parts.
    """
    parts = tuple(part for part in recipe.features.parts if part in bundle.parts)
    if not parts:
        raise RecipeError(
            f"features.parts names {', '.join(recipe.features.parts)}, "
            f"{bundle.name} has {', '.join(bundle.parts)}"
        )
    store = FeatureStore(cache_folder() / "features")
    views: list[View] = [PLAIN, *([MIRROR] if recipe.features.mirror else [])]
    views += augmented_views(recipe.augment, recipe.features.augmented, seed=recipe.training.seed)
    shown = [PLAIN, *([MIRROR] if recipe.mirror else [])]
    seen = data.val if len(data.val) else data.train
    train, *held = (
        _features(store, bundle, data, rows, parts, each)
        for rows, each in ((data.train, views), (seen, shown), (data.test, shown))
    )
    kept = Kept()
    if len(data.val):  # few rows are quick, and folds make components of their own
        hashes = [features.crops.hashes for features in (train, *held)]
        keys = [[view.key for view in each] for each in (views, shown)]
        keep = recipe.features.channels
        kept = Kept(store.root / bundle.key, content_key(*hashes, parts, keys, keep))
    made = kept.arrays(lambda: _made(train, held, parts, recipe.features.channels), what="inputs")
    mean, scale = made["mean"], made["scale"]
    seen32, tested = (
        [_standardised(view, mean, scale) for view in _listed(made, name)]
        for name in ("seen", "tested")
    )
    channels = {part: made[f"channels {part}"] for part in parts if f"channels {part}" in made}
    frame = {
        "parts": parts,
        "labels": data.names,
        "activation": "softmax",
        "channels": channels,
        "mean": mean,
        "scale": scale,
    }
    taught = data.shares[data.train], data.labels[data.train], data.groups[data.train]
    raw = _listed(made, "views")
    return HeadInputs(raw, *taught, seen32, data.labels[seen], tested, frame, kept)


def _made(
    train: FeatureSet, held: Sequence[FeatureSet], parts: tuple[str, ...], keep: dict[str, int]
) -> Made:
    """Channels, standardised training views, and the others before standardising."""
    channels = _channels(train, parts, keep)
    raw = _reduced(train, parts, channels)
    mean, scale = standardise(raw[0])
    for view in raw:
        _standardise_inplace(view, mean, scale)
    seen, tested = (_reduced(features, parts, channels) for features in held)
    named = {f"channels {part}": matrix for part, matrix in channels.items()}
    lists = {"views": raw, "seen": seen, "tested": tested}
    listed = {f"{name} {i}": view for name, each in lists.items() for i, view in enumerate(each)}
    return {"mean": mean, "scale": scale, **named, **listed}


def _listed(made: Made, name: str) -> list[AnyArray]:
    return [array for key, array in made.items() if key.split()[0] == name]


def _features(
    store: FeatureStore,
    bundle: Bundle,
    data: ClassData,
    rows: Int64,
    parts: tuple[str, ...],
    views: list[View],
) -> FeatureSet:
    with progress_bar("features", len(rows) * len(views)) as tick:
        return store.features(
            data.source.cache, rows, bundle, parts=parts, views=views, progress=tick
        )


def _channels(
    features: FeatureSet, parts: tuple[str, ...], keep: dict[str, int]
) -> dict[str, Float32]:
    n = len(features.crops)
    rows = np.unique(np.linspace(0, n - 1, min(n, _CHANNEL_ROWS)).astype(np.int64))
    return {
        part: fit_channels([features.read(rows, part)], keep[part])
        for part in parts
        if 0 < keep.get(part, 0) < features.parts[part][-1]
    }


def _reduced(
    features: FeatureSet, parts: tuple[str, ...], channels: dict[str, Float32]
) -> list[Float16]:
    """Every view as the head reads it, before standardising."""
    from threadpoolctl import threadpool_limits  # late, like SciPy

    n = len(features.crops)
    if not n:
        return []
    width = read_parts(_read(features, parts, np.arange(1)), parts, channels).shape[1]
    views = [np.empty((n, width), np.float16) for _ in features.views]

    def work(place: tuple[int, int]) -> None:
        view, start = place
        rows = np.arange(start, min(start + _BLOCK, n))
        views[view][rows] = read_parts(_read(features, parts, view * n + rows), parts, channels)

    # Blocks are read, widened and multiplied side by side, each on one core.
    places = [(view, start) for view in range(len(views)) for start in range(0, n, _BLOCK)]
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, places))
    return views


def _read(features: FeatureSet, parts: tuple[str, ...], rows: Int64) -> dict[str, Float16]:
    return {part: features.read(rows, part) for part in parts}


def _standardised(view: AnyArray, mean: AnyArray, scale: AnyArray) -> Float32:
    out = view.astype(np.float32)
    out -= mean
    out /= scale
    return out


def _standardise_inplace(view: Float16, mean: Float32, scale: Float32) -> None:
    for start in range(0, len(view), _BLOCK):
        rows = slice(start, start + _BLOCK)
        view[rows] = (view[rows].astype(np.float32) - mean) / scale


# Fewer numbers for a head to read: principal channels and principal components.

#: Rows that components are found from; more change them little.
_ROWS: Final = 12_000


def fit_channels(blocks: Iterable[AnyArray], keep: int) -> Float32:
    """Principal channels of a grid, the same at every place.

    Args:
        blocks: float arrays of shape (n, ..., c): rows of one part.
        keep: r, at most c.

    Returns:
        float32 array of shape (c, r) with orthonormal columns, the channel
        directions of largest variance.
    """
    count, total, gram = 0, None, None
    for block in blocks:
        x = np.asarray(block, np.float32).reshape(-1, block.shape[-1])
        count += len(x)
        total = x.sum(0, dtype=np.float64) + (0 if total is None else total)
        gram = (x.T @ x).astype(np.float64) + (0 if gram is None else gram)
    if gram is None or total is None:
        raise ValueError("there are no rows to find channels from")
    mean = total / count
    _, vectors = np.linalg.eigh(gram / count - np.outer(mean, mean))
    return np.ascontiguousarray(vectors[:, ::-1][:, :keep], np.float32)


def fit_components(x: AnyArray, keep: int, *, seed: int = 0) -> Float32:
    """Principal components of centred rows.

    Args:
        x: float array of shape (n, d), standardised.
        keep: r; at most d of them are given.
        seed: Which rows are looked at where there are many.

    Returns:
        float32 array of shape (d, min(keep, d)) with orthonormal columns.
    """
    from scipy.linalg import eigh

    d = x.shape[1]
    rows = np.arange(len(x))
    if len(x) > _ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(x), _ROWS, replace=False))
    sample = np.asarray(x[rows], np.float32)
    keep = min(keep, d)
    # float32 is enough here: the components only have to span the space well.
    _, vectors = eigh(sample.T @ sample, subset_by_index=(d - keep, d - 1), overwrite_a=True)
    return np.ascontiguousarray(vectors[:, ::-1], np.float32)
