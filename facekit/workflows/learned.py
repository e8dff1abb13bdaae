"""What a rung of transfer hands over to be measured, and what a sitting leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.bundle.bundle import Bundle
from facekit.heads.head import Head

__all__ = ["Learned", "TransferResult"]


@dataclass(frozen=True)
class Learned:
    """What a rung hands over.

    Attributes:
        bundle: The backbone that the head reads: the frozen one, or the tuned one
            as a bundle without heads.
        head: Calibrated.
        base: Name of the frozen bundle; empty where the backbone is the recipe's own.
        seconds: Of training; features included.
        trainable: Numbers that were trained.
        logits: By split, float32 array of shape (n, k): uncalibrated answers on the
            rows of ``ClassData``, averaged over the views of prediction, where they
            are known already. Those of ``cv`` are of the training rows, each from a
            head that has not seen its group.
    """

    bundle: Bundle
    head: Head
    base: str
    seconds: float
    trainable: int
    logits: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferResult:
    """What a sitting left behind.

    Attributes:
        run: The run folder.
        rung: Which rung was trained; for ``auto`` the one that was kept.
        bundle: The bundle in it, None while the run is not finished.
        metrics: The last epoch's row, or the measures of the finished run.
        finished: Whether training reached its end.
    """

    run: Path
    rung: str
    bundle: Path | None
    metrics: dict[str, Any]
    finished: bool
