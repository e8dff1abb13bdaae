"""SciPy's linear algebra on one thread, NumPy's untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_info

from facekit.heads.logistic import scipy_on_one_thread


def _threads() -> dict[str, int]:
    assert np.zeros(1).size
    assert scipy.linalg.norm([1.0]) == 1
    return {
        str(one["filepath"]): one["num_threads"]
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }


def test_only_scipy_is_held_back_and_only_inside() -> None:
    before = _threads()
    with scipy_on_one_thread():
        inside = _threads()
    assert _threads() == before
    own = [path for path in before if any(p.startswith("scipy") for p in Path(path).parts[:-1])]
    assert all(inside[path] == 1 for path in own)
    assert all(inside[path] == before[path] for path in before if path not in own)
