"""Fewer numbers for a head to read: principal channels and principal components."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from facekit.arrays import AnyArray, Float32

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
