"""Teacher vectors as a table of names and numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError

__all__ = ["read_teacher_table", "to_targets"]


def read_teacher_table(path: Path, ids: NDArray[np.str_]) -> NDArray[np.float32]:
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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            names, vectors = stored["names"].astype(str), stored["vectors"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
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


def to_targets(
    vectors: NDArray[np.float32], train: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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
