"""Verdicts follow from score, threshold and the bound of the unsure band."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import identity_vectors
from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Verdict
from facekit.errors import BundleError, DataError, ImageError, UsageError
from facekit.heads.kinds import LinearHead


def vectors(*first: float) -> np.ndarray:
    """Rows whose first number decides; the neuron doubles it."""
    out = np.zeros((len(first), 8), np.float32)
    out[:, 0] = first
    return out


def test_verdicts_change_at_threshold_and_bound(make) -> None:
    found = make().judge(vectors(-1, 0.2499, 0.25, 0.4999, 0.5, 3))
    assert [one.verdict for one in found] == ["no", "no", "unsure", "unsure", "yes", "yes"]
    assert [one.score for one in found] == pytest.approx([-2, 0.4998, 0.5, 0.9998, 1, 6])
    expected = [1 / (1 + np.exp(-(2 * score - 1))) for score in (-2, 0.4998, 0.5, 0.9998, 1, 6)]
    assert [one.probability for one in found] == pytest.approx(expected)


def test_a_bound_above_the_threshold_leaves_no_unsure_band(make) -> None:
    found = make(reject=2.0).judge(vectors(0.45, 0.5, 0.9))
    assert [one.verdict for one in found] == ["no", "yes", "yes"]


def test_extreme_scores_have_finite_probabilities(make) -> None:
    low, high = make().judge(vectors(-1e30, 1e30))
    assert (low.probability, high.probability) == (0.0, 1.0)


def test_a_record_is_rounded_json(make) -> None:
    assert Verdict(0.12345678, 0.98765432, "yes").record() == {
        "score": 0.123457,
        "probability": 0.987654,
        "verdict": "yes",
    }


@pytest.mark.parametrize(
    "changes", [{"threshold": np.nan}, {"reject": np.inf}, {"platt": (-1.0, 0.0)}]
)
def test_numbers_that_mean_nothing_are_refused(make, changes: dict) -> None:
    with pytest.raises(DataError, match="does not fit together"):
        make(**changes)


def test_more_than_one_output_is_refused(make) -> None:
    head = LinearHead(parts=("identity",), labels=("a", "b"), weight=np.eye(8, 2), bias=np.zeros(2))
    with pytest.raises(DataError, match="outputs 2"):
        make(head=head)


def test_vectors_of_another_size_are_refused(make) -> None:
    with pytest.raises(BundleError, match="128 numbers"):
        make().judge(np.zeros((1, 128), np.float32))


def test_a_head_that_reads_other_parts_is_refused(make) -> None:
    common = {"labels": ("me",), "weight": np.eye(3, 1), "bias": np.zeros(1), "activation": "none"}
    for parts in (("grid",), ("identity", "pooled")):
        with pytest.raises(DataError, match=f"reads {', '.join(parts)}"):
            make(head=LinearHead(parts=parts, **common))  # type: ignore[arg-type]


def test_a_head_may_read_what_stands_in_for_the_identity(make) -> None:
    head = LinearHead(
        parts=("pooled",), labels=("me",), weight=np.eye(3, 1), bias=np.zeros(1), activation="none"
    )
    one = make(head=head)
    assert one.part == "pooled" and make().part == "identity"
    assert [verdict.score for verdict in one.judge(np.eye(2, 3, dtype=np.float32))] == [1.0, 0.0]


def photo(path: Path) -> tuple[Path, np.ndarray]:
    rgb = np.random.default_rng(3).integers(0, 256, (90, 90, 3), np.uint8)
    assert cv2.imwrite(str(path), rgb[:, :, ::-1])
    return path, rgb


def test_verify_judges_the_mean_of_both_mirror_views(make, tiny_bundle, tmp_path: Path) -> None:
    path, rgb = photo(tmp_path / "one.png")
    me = make()
    for image in (path, str(path), rgb):
        [(face, verdict)] = me.verify(image, model=tiny_bundle, detector="none")
        assert face.box == (0, 0, 90, 90)
        vector = identity_vectors(load_bundle(tiny_bundle), face.crop[None])
        assert np.linalg.norm(vector) == pytest.approx(1)
        assert verdict.score == pytest.approx(me.judge(vector)[0].score, abs=1e-5)
        assert face.identities == {"me": verdict.record()}
    mirrored = me.verify(np.ascontiguousarray(rgb[:, ::-1]), model=tiny_bundle, detector="none")
    assert mirrored[0][1].score == pytest.approx(verdict.score, abs=0.05)


def test_verify_says_what_is_wrong(make, tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ImageError):
        make().verify(tmp_path / "text.jpg", model=tiny_bundle, detector="none")
    with pytest.raises(UsageError, match="uint8 RGB"):
        make().verify(np.zeros((9, 9)), model=tiny_bundle)
    path, _ = photo(tmp_path / "one.png")
    stale = replace(make(), key="0" * 16)
    with pytest.raises(BundleError, match="another backbone"):
        stale.verify(path, model=tiny_bundle, detector="none")
    with pytest.raises(BundleError, match="no model is named 'tiny'"):
        make().verify(path)
