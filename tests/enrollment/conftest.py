"""Enrolments made of numbers, written into a fresh home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Enrollment
from facekit.heads.kinds import LinearHead

Make = Callable[..., Enrollment]


@pytest.fixture
def make(tiny_bundle: Path) -> Make:
    """``make("me", bias=1.0)``: a neuron on the first of eight identity numbers."""
    key = load_bundle(tiny_bundle).key

    def enrollment(name: str = "me", bias: float = 0.0, **changes: Any) -> Enrollment:
        weight = np.zeros((8, 1), np.float32)
        weight[0] = 2
        head = LinearHead(
            parts=("identity",),
            labels=(name,),
            weight=weight,
            bias=np.array([bias]),
            activation="none",
        )
        values: dict[str, Any] = {
            "name": name,
            "head": head,
            "threshold": 1.0,
            "reject": 0.5,
            "platt": (2.0, -1.0),
            "key": key,
            "bundle": "tiny",
            "created": "2026-01-02T03:04:05+00:00",
            "facts": {"photos_used": 7, "sessions": 3, "words": ["1 % of strangers pass."]},
        }
        return Enrollment(**{**values, **changes})

    return enrollment


@pytest.fixture
def photos() -> dict[str, np.ndarray]:
    """What ``--add`` would go on from."""
    return {"vectors": np.eye(4, 8, dtype=np.float32), "digests": np.array(["ab" * 32] * 4)}
