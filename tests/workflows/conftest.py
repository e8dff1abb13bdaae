"""What several tests of the workflows need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from facekit.heads.logistic import standardise
from facekit.workflows.transfer.inputs import HeadInputs

MakeInputs = Callable[..., HeadInputs]


def _inputs(
    x: np.ndarray,
    y: np.ndarray,
    *,
    k: int = 0,
    shares: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    more_views: Sequence[np.ndarray] = (),
    seen: np.ndarray | None = None,
    answers: np.ndarray | None = None,
) -> HeadInputs:
    """Inputs of one part "p": x (n, d) with labels y; ``seen`` is x where None."""
    k = k or int(y.max()) + 1
    mean, scale = standardise(x)
    views = [((view - mean) / scale).astype(np.float16) for view in (x, *more_views)]
    held = x if seen is None else seen
    frame: dict[str, Any] = {
        "parts": ("p",),
        "labels": tuple(f"class {i}" for i in range(k)),
        "activation": "softmax",
        "mean": mean,
        "scale": scale,
    }
    return HeadInputs(
        views=views,
        shares=np.eye(k, dtype=np.float32)[y] if shares is None else shares,
        labels=y,
        groups=np.arange(len(y)) if groups is None else groups,
        seen=[((held - mean) / scale).astype(np.float32)],
        answers=y if answers is None else answers,
        tested=[],
        frame=frame,
    )


@pytest.fixture
def make_inputs() -> MakeInputs:
    """Makes standardised inputs from rows and labels."""
    return _inputs
