"""The identity teacher: dlib's public-domain face recognition network.

The pip package ``face_recognition_models`` carries the weights and ``dlib-bin``
the compiled library. Only the package's files are used: importing it needs
``pkg_resources``, which new environments lack.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import Float32, Int64, Str, UInt8
from facekit.cache.array import Job, open_rows
from facekit.cache.crops import encoded, hash_table
from facekit.datasets.table import Table
from facekit.errors import DataError, FacekitError, MissingExtraError
from facekit.heads.arrays import StoredArrays
from facekit.system.files import open_regular

#: Length of dlib's face descriptor.
DLIB_SIZE: Final = 128

#: The face in an aligned CelebA image (left, top, right, bottom in pixels of
#: 178x218): about what dlib's own detector gives there, and faster.
_CELEBA_FACE: Final = (41, 74, 137, 170)

#: The two files of the package that are used.
DLIB_FILES: Final = {
    "points": "shape_predictor_5_face_landmarks.dat",
    "network": "dlib_face_recognition_resnet_model_v1.dat",
}
_INSTEAD: Final = (
    "or give the vectors with --teacher-table FILE, or --set targets.identity.weight=0"
)
_BLOCK: Final = 64  # images between two saves: a killed run repeats at most this many

Read = Callable[[Path | bytes], UInt8]


def teach(table: Table, read: Read, *, root: Path, progress: bool = True) -> Float32:
    """Run the teacher once over a source of aligned images, or load what it said.

    Args:
        table: Aligned images (CelebA's layout), files or an encoded stream.
        read: Decoder of a file or bytes to a uint8 RGB array; raises ImageError.
        root: Folder for the cached vectors.
        progress: Show a bar.

    Returns:
        float32 array of shape (n, 128), raw descriptors; NaN where an image
        could not be read.

    Raises:
        MissingExtraError: dlib or its model files are not installed.
        DataError: The images are not aligned.
    """
    if table.aligned != "celeba":
        raise DataError(
            f"the identity teacher reads aligned CelebA images, not {table.name}: "
            "give its vectors with --teacher-table FILE"
        )
    key = hash_table(table, root / "contents.sqlite")
    load = functools.cache(lambda: _load(read))  # not at all where everything is there
    job = Job(
        "teacher vectors",
        root / f"dlib-{table.name}-{key}",
        table.ids,
        lambda rows: encoded(table, rows),
        lambda image: load()(image),
        (DLIB_SIZE,),
        np.float32,
        _BLOCK,
    )
    rows = open_rows(job, progress=progress)
    return np.where(rows.ok[:, None], rows.values, np.float32(np.nan))


def _load(read: Read) -> Callable[[Path | bytes], Float32]:
    """Build the function from an image to its descriptor, one network a thread."""
    import threading

    folder = model_files()
    import dlib

    local = threading.local()
    face = dlib.rectangle(*_CELEBA_FACE)

    def describe(image: Path | bytes) -> Float32:
        if not hasattr(local, "network"):
            local.points = dlib.shape_predictor(str(folder / DLIB_FILES["points"]))
            local.network = dlib.face_recognition_model_v1(str(folder / DLIB_FILES["network"]))
        pixels = np.ascontiguousarray(read(image))
        chip = dlib.get_face_chip(pixels, local.points(pixels, face), size=150, padding=0.25)
        return np.asarray(local.network.compute_face_descriptor(chip), np.float32)

    return describe


def model_files(instead: str = _INSTEAD) -> Path:
    """The folder of the teacher's two files.

    Args:
        instead: What the user may do without them, for the error.

    Raises:
        MissingExtraError: dlib or its model files are not installed.
        FacekitError: The installed package lacks one of them.
    """
    if importlib.util.find_spec("dlib") is None:
        raise MissingExtraError("dlib", "teachers", instead)
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or found.origin is None:
        raise MissingExtraError("face_recognition_models", "teachers", instead)
    folder = Path(found.origin).parent / "models"
    for name in DLIB_FILES.values():
        if not (folder / name).exists():
            raise FacekitError(f"{folder} lacks {name}: reinstall face_recognition_models")
    return folder


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
