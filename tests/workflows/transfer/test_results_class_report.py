"""The report of a transfer: what is timed, and where the numbers come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.workflows.transfer import results as class_report
from facekit.workflows.transfer.results import _latency


def test_one_face_at_a_time_is_timed_and_the_median_told(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, crops = load_bundle(tiny_bundle), np.ones((5, 40, 40, 3), np.uint8)
    calls: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(
        type(bundle), "scores", lambda _, crops, heads: calls.append((len(crops), heads))
    )
    ends = iter([1.0, 1.5, 2.0, 2.004, 3.0, 3.002, 4.0, 4.007, 5.0, 5.003])  # the first is slow
    monkeypatch.setattr(class_report.time, "perf_counter", lambda: next(ends))
    assert _latency(bundle, crops, ["attributes", "points", "classes"]) == pytest.approx(4.0)
    assert calls == [(1, ["attributes", "classes"])] * 5  # points are for finding faces
