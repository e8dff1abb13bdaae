"""One neuron, and its baseline, tell a person from strangers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from facekit.errors import DataError
from facekit.evaluation.verification import auc
from facekit.heads.kinds import LinearHead
from facekit.heads.one_person import fit_scorer
from facekit.recipe.enroll import EnrollHeadSpec

RNG = np.random.default_rng(0)
Fit = Callable[..., LinearHead]


def unit(rows: np.ndarray) -> np.ndarray:
    return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


STRANGERS = unit(RNG.normal(size=(600, 16)) + 0.5)
CENTRE = RNG.normal(size=16) * 2
OWN = unit(CENTRE + RNG.normal(size=(40, 16)))


def neuron(own: np.ndarray, weight: np.ndarray, strangers: np.ndarray, **more: Any) -> LinearHead:
    spec = EnrollHeadSpec(part=more.pop("part", "identity"))
    return fit_scorer(own, weight, strangers, spec, **more)


def centroid(own: np.ndarray, weight: np.ndarray, strangers: np.ndarray, **more: Any) -> LinearHead:
    spec = EnrollHeadSpec(kind="centroid", part=more.pop("part", "identity"))
    return fit_scorer(own, weight, strangers, spec, **more)


def read(head: LinearHead, vectors: np.ndarray) -> np.ndarray:
    return head.logits({"identity": vectors})[:, 0]


@pytest.mark.parametrize("fit", [neuron, centroid])
def test_unseen_photos_score_above_unseen_strangers(fit: Fit) -> None:
    head = fit(OWN[:6], np.ones(6), STRANGERS[:300], name="Ann Lee")
    assert (head.parts, head.labels, head.activation) == (("identity",), ("Ann Lee",), "none")
    assert auc(read(head, OWN[6:]), read(head, STRANGERS[300:])) > 0.98


@pytest.mark.parametrize("fit", [neuron, centroid])
def test_it_survives_being_saved(fit: Fit) -> None:
    from facekit.heads.kinds import load_head

    head = fit(OWN[:6], np.ones(6), STRANGERS[:300])
    again = load_head(head.to_bytes())
    np.testing.assert_array_equal(read(again, OWN), read(head, OWN))  # type: ignore[arg-type]


def test_a_view_of_twice_the_weight_counts_like_two() -> None:
    twice = neuron(np.concatenate([OWN[:3], OWN[:1]]), np.ones(4), STRANGERS)
    weighted = neuron(OWN[:3], np.array([2.0, 1.0, 1.0]), STRANGERS)
    np.testing.assert_allclose(read(twice, OWN), read(weighted, OWN), atol=0.02)
    even = neuron(OWN[:3], np.ones(3), STRANGERS)
    assert np.abs(read(even, OWN) - read(weighted, OWN)).max() > 0.1


def test_the_number_of_strangers_does_not_change_the_balance() -> None:
    """Otherwise thousands of strangers would drown a handful of photos."""
    few, many = neuron(OWN[:5], np.ones(5), STRANGERS[:100]), neuron(OWN[:5], np.ones(5), STRANGERS)
    assert read(few, OWN[:5]).mean() > 0 and read(many, OWN[:5]).mean() > 0


def test_a_stranger_who_counts_more_is_pushed_further_away() -> None:
    look_alike = unit(CENTRE[None] + 0.6 * RNG.normal(size=(1, 16)))
    strangers = np.concatenate([STRANGERS, look_alike])
    weight = np.ones(len(strangers))
    plain = neuron(OWN[:5], np.ones(5), strangers, stranger_weight=weight)
    weight[-1] = 50
    pushed = neuron(OWN[:5], np.ones(5), strangers, stranger_weight=weight)
    assert read(pushed, look_alike)[0] < read(plain, look_alike)[0] - 1


def test_the_centroid_is_measured_in_strangers_standard_deviations() -> None:
    scores = read(centroid(OWN[:5], np.ones(5), STRANGERS), STRANGERS)
    assert scores.mean() == pytest.approx(0, abs=1e-4) and scores.std() == pytest.approx(
        1, abs=1e-4
    )
    cosine = STRANGERS @ unit(OWN[:5].mean(0, keepdims=True))[0]
    assert np.corrcoef(scores, cosine)[0, 1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("fit", [neuron, centroid])
def test_nothing_to_learn_from_is_refused(fit: Fit) -> None:
    for own, strangers in ((OWN[:0], STRANGERS), (OWN, STRANGERS[:0]), (OWN, STRANGERS[:, :3])):
        with pytest.raises(DataError, match="shape"):
            fit(own, np.ones(len(own)), strangers)


@pytest.mark.parametrize("fit", [neuron, centroid])
def test_they_read_the_part_they_are_told(fit: Fit) -> None:
    assert fit(OWN[:5], np.ones(5), STRANGERS).parts == ("identity",)
    assert fit(OWN[:5], np.ones(5), STRANGERS, part="pooled").parts == ("pooled",)
