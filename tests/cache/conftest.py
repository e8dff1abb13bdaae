"""A bundle that counts, and what its features must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.cache.features import FeatureSet, FeatureStore


class Counted:
    """A bundle that remembers what it was asked to embed."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.seen, self.asked = bundle, [], []
        self.name, self.key, self.frame = bundle.name, bundle.key, bundle.frame
        self.parts = bundle.parts

    def embed(self, crops: np.ndarray, parts: Sequence[str] | None = None) -> dict[str, Any]:
        self.seen += [crop.tobytes() for crop in crops]
        self.asked.append(tuple(parts or ()))
        return self.bundle.embed(crops, parts)

    def count(self) -> int:
        """How many crops since the last time."""
        count, self.seen = len(self.seen), []
        return count


@pytest.fixture
def counted() -> type[Counted]:
    return Counted


@pytest.fixture
def bundle(tiny_bundle: Path) -> Counted:
    return Counted(load_bundle(tiny_bundle))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


@pytest.fixture
def expect() -> Callable[..., None]:
    """Every part is what the backbone gives, to the precision of float16."""

    def check(found: FeatureSet, bundle: Counted, crops: np.ndarray, view: int = 0) -> None:
        n = len(found.crops)
        whole = bundle.bundle.embed(np.ascontiguousarray(crops), list(found.parts))
        for part, value in whole.items():
            stored = found.read(np.arange(view * n, (view + 1) * n), part)
            assert stored.dtype == np.float16
            np.testing.assert_allclose(stored, value, rtol=2e-3, atol=1e-3)

    return check
