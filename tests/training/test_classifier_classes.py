"""Targets, loss and validation of a classifier, against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    from facekit.training.backend import start_keras

    start_keras(seed=0)


class Answers:
    """Stands for a model: logits are the mean colour of the left half, times ten."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict_on_batch(self, images: Any) -> dict[str, Any]:
        self.seen.append(len(images))
        left = images[:, :, : images.shape[2] // 2].astype(np.float32)
        return {"classes": left.mean((1, 2)) / 25.5}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_smoothed_weighted_cross_entropy(smoothing: float) -> None:
    from facekit.training.classifier import class_loss

    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5, 4)).astype(np.float32)
    shares = np.zeros((5, 4), np.float32)
    shares[0, 2] = 1  # one class
    shares[1] = (0.5, 0.25, 0.25, 0)  # votes
    shares[2] = 2.5 * np.eye(4)[1]  # a rare class that counts more
    shares[3] = 0.4 * np.eye(4)[0]  # a common one
    # Row 4 teaches nothing.
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    weight = np.array([1, 1, 2.5, 0.4, 0])
    unit = np.divide(shares, weight[:, None], where=weight[:, None] > 0, out=np.zeros((5, 4)))
    wanted = -weight * (((1 - smoothing) * unit + smoothing / 4) * log_p).sum(1)
    found = np.asarray(class_loss(smoothing)(shares, logits))
    assert found.shape == (5,) and found == pytest.approx(wanted, rel=1e-5)
    assert found[4] == 0 and found[2] > 0


def test_far_logits_stay_finite() -> None:
    from facekit.training.classifier import class_loss

    shares = np.eye(2, dtype=np.float32)
    found = np.asarray(class_loss(0.0)(shares, np.array([[-200, 200], [-200, 200]], np.float32)))
    assert found == pytest.approx([400, 0])


def test_the_loss_of_a_batch_is_the_mean_of_its_rows() -> None:
    import keras

    from facekit.training.classifier import class_loss

    inputs = keras.Input((3,))
    model = keras.Model(inputs, {"classes": keras.layers.Activation("linear")(inputs)})
    model.compile("sgd", loss={"classes": class_loss(0.1)})
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    shares = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    rows = np.asarray(class_loss(0.1)(shares, x))
    assert model.test_on_batch(x, {"classes": shares}) == pytest.approx(rows.mean(), rel=1e-5)


def test_targets_are_the_shares_of_the_rows() -> None:
    from facekit.training.classifier import ClassTargets

    shares = np.random.default_rng(0).random((6, 3)).astype(np.float32)
    (found,) = ClassTargets(shares).rows(np.array([4, 0, 4])).values()
    assert np.array_equal(found, shares[[4, 0, 4]])


def test_logits_are_averaged_over_the_mirror_image() -> None:
    from facekit.training.classifier import predict_logits

    crops = np.random.default_rng(0).integers(0, 256, (700, 4, 6, 3), dtype=np.uint8)
    rows = np.random.default_rng(1).permutation(700)[:600]
    model = Answers()
    plain = predict_logits(model, crops, rows, mirror=False)
    assert plain.shape == (600, 3) and max(model.seen) <= 256
    both = predict_logits(model, crops, rows, mirror=True)
    assert plain == pytest.approx(crops[rows][:, :, :3].mean((1, 2)) / 25.5, rel=1e-4)
    assert both == pytest.approx(crops[rows].mean((1, 2)) / 25.5, rel=1e-4)


def test_the_headline_numbers() -> None:
    from facekit.training.classifier import validate_classes

    crops = np.zeros((6, 2, 2, 3), np.uint8)
    for row, channel in enumerate((0, 0, 1, 2, 0, 1)):
        crops[row, ..., channel] = 51  # its logit is 2
    labels = np.array([0, 0, 1, 1, 2])
    found = validate_classes(Answers(), crops, np.arange(1, 6), labels, mirror=True)
    # Answers are 0, 1, 2, 0, 1: of classes 0, 1, 2 these are 1 of 2, 0 of 2 and 0 of 1.
    assert found["val_accuracy"] == pytest.approx(1 / 5)
    assert found["val_macro_f1"] == pytest.approx((0.5 + 0 + 0) / 3)
    norm = np.log(np.exp(2) + 2)
    assert found["val_loss"] == pytest.approx((1 * (norm - 2) + 4 * norm) / 5, rel=1e-5)
