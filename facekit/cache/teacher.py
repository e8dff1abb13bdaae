"""The identity teacher: dlib's public-domain network, as the bundle that ships.

It reads aligned images, runs once over them, and keeps what it said beside the crops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import Float32, Int64, Str, UInt8
from facekit.augment.batches import augment_batch
from facekit.bundle.bundle import IDENTITY, Bundle
from facekit.bundle.load import find_bundle, load_bundle
from facekit.bundle.manifest import read_manifest
from facekit.cache.array import Job, open_rows
from facekit.cache.crops import encoded, hash_table
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.heads.arrays import StoredArrays
from facekit.photos.align import through_points
from facekit.recipe.schema import AugmentSpec
from facekit.system.files import open_regular

#: The bundle that teaches, and the length of its vectors.
TEACHER: Final = "dlib-identity"
DLIB_SIZE: Final = 128

#: Views beside the image itself: what the same photo might as well have been.
_VIEWS: Final = AugmentSpec(
    mirror=0.5, rotation=6.0, zoom=0.06, shift=0.02, stretch=0.02, light=0.2,
    tighten=0, colour=0, grey=0, low_resolution=0, blur=0, noise=0, erase=0,
)  # fmt: skip
_SEED: Final = 8  # of the views, which are the same ones for every image
_BLOCK: Final = 64  # images between two saves: a killed run repeats at most this many

Read = Callable[[Path | bytes], UInt8]


def teach(
    table: Table, read: Read, *, root: Path, views: int = 1, progress: bool = True
) -> Float32:
    """Run the teacher once over a source of aligned images, or load what it said.

    Args:
        table: Aligned images, files or an encoded stream.
        read: Decoder of a file or bytes to a uint8 RGB array; raises ImageError.
        root: Folder for the cached vectors.
        views: How many views of each image it sees: the image itself, then seeded
            ones (mirror, small shifts, scales and turns, light).
        progress: Show a bar.

    Returns:
        float32 array of shape (n, 128): of one view the raw descriptors, of several
        the unit means of their unit vectors; NaN where an image could not be read.

    Raises:
        DataError: The images are not aligned.
    """
    aligned = table.aligned
    if not aligned:
        raise DataError(
            f"the identity teacher reads aligned images, not {table.name}: "
            "give its vectors with --teacher-table FILE"
        )
    key = hash_table(table, root / "contents.sqlite")
    made = read_manifest(find_bundle(TEACHER)).key
    several = f"-{views}views" if views > 1 else ""
    load = functools.cache(lambda: _load(read, aligned, views))  # where any are missing
    job = Job(
        "teacher vectors",
        root / f"{TEACHER}-{made}{several}-{table.name}-{key}",
        table.ids,
        lambda rows: encoded(table, rows),
        lambda image: load()(image),
        (DLIB_SIZE,),
        np.float32,
        _BLOCK,
    )
    rows = open_rows(job, progress=progress)
    return np.where(rows.ok[:, None], rows.values, np.float32(np.nan))


def _load(read: Read, aligned: str, views: int) -> Callable[[Path | bytes], Float32]:
    """Build the function from an image to its vector; threads share the network."""
    bundle = load_bundle(TEACHER, threads=1)
    refine = bundle.refiner()

    def describe(image: Path | bytes) -> Float32:
        pixels = read(image)
        height, width = pixels.shape[:2]
        matrix = bundle.frame.matrix_from_aligned(aligned, width, height)
        crop = bundle.frame.warp(pixels, matrix)
        # Sources are aligned by the eyes, which is not where dlib's own landmarks put a face.
        better = refine and through_points(matrix, refine(crop[None])[0], bundle.frame)
        if better is not None:
            crop = bundle.frame.warp(pixels, better)
        return describe_crop(bundle, crop, views)

    return describe


def describe_crop(bundle: Bundle, crop: UInt8, views: int) -> Float32:
    """The vector of one crop.

    Args:
        bundle: The teacher.
        crop: uint8 RGB array of shape (side, side, 3) in its frame.
        views: As for ``teach``.

    Returns:
        float32 array of shape (128,).
    """
    crops = crop[None]
    if views > 1:
        others = np.repeat(crops, views - 1, axis=0)
        seen = augment_batch(others, _VIEWS, np.random.default_rng([_SEED, views]))
        crops = np.concatenate([crops, seen])
    said: Float32 = bundle.embed(crops, [IDENTITY])[IDENTITY]
    if views == 1:
        return np.asarray(said[0])
    unit = said / np.linalg.norm(said, axis=1, keepdims=True)
    mean = unit.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def read_teacher_table(path: Path, ids: Str) -> Float32:
    """Read ``names`` and ``vectors`` and bring them into the order of a source.

    Args:
        path: ``.npz`` file with ``names`` (m,) and ``vectors`` (m, d).
        ids: str array of shape (n,), the source's file names.

    Returns:
        float32 array of shape (n, d); rows of images without a vector are NaN.

    Raises:
        DataError: No such table, or none of the images is in it.
    """
    try:
        with open_regular(path) as file:
            stored = StoredArrays(file)
            names, vectors = stored["names"], stored["vectors"]
        names = names.astype(str)
        if vectors.dtype.kind not in "biuf" or names.ndim != 1:
            raise ValueError(f"{names.ndim} axes of names and {vectors.dtype} vectors")
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path} is no teacher table ({error}): an .npz file with arrays "
            "`names` (m,) and `vectors` (m, d) is wanted"
        ) from error
    if vectors.ndim != 2 or len(names) != len(vectors):
        raise DataError(f"{path}: {len(names)} names do not fit vectors of {vectors.shape}")
    place = {name: i for i, name in enumerate(names.tolist())}
    rows = np.array([place.get(name, -1) for name in ids.tolist()])
    if not (rows >= 0).any():
        raise DataError(f"{path} names none of the {len(ids)} images; its first is {names[0]!r}")
    out = np.full((len(ids), vectors.shape[1]), np.nan, np.float32)
    out[rows >= 0] = vectors[rows[rows >= 0]]
    return out


def to_targets(vectors: Float32, train: Int64) -> tuple[Float32, Float32]:
    """Remove the training mean and bring every row to length 1.

    Raw teacher vectors share a large common part, so raw cosines are all near 1.

    Args:
        vectors: float32 array of shape (n, d); rows with a NaN are unknown.
        train: Positions of the training images.

    Returns:
        Unit vectors (n, d), zeros where unknown, and the mean (d,).

    Raises:
        DataError: No training image has a vector.
    """
    known = np.asarray(np.isfinite(vectors).all(axis=1))
    taught = train[known[train]]
    if not len(taught):
        raise DataError(
            f"none of the {len(train)} training images has a teacher vector: "
            "give a table of these images, or --set targets.identity.weight=0"
        )
    mean = vectors[taught].mean(axis=0)
    centred = np.where(known[:, None], vectors - mean, 0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.where(norms > 1e-9, centred / np.maximum(norms, 1e-9), 0)
    return unit.astype(np.float32), mean.astype(np.float32)
