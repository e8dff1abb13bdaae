"""Losses, averages, batches and checkpoints on a model of a few hundred numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import InterruptedRunError
from facekit.recipe.schema import AugmentSpec

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    from facekit.training.backend import start_keras

    start_keras(seed=0)


def test_attribute_loss_skips_unknown_labels() -> None:
    from facekit.training.trunk import attribute_loss

    logits = np.array([[2.0, -3.0, 50.0]], np.float32)
    known = np.asarray(attribute_loss()(np.array([[1.0, 0.0, -1.0]], np.float32), logits))
    wanted = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-3.0))) / 2
    assert known == pytest.approx(wanted, rel=1e-5)


def test_attribute_loss_of_a_row_without_labels_is_zero() -> None:
    from facekit.training.trunk import attribute_loss

    out = attribute_loss()(np.full((1, 40), -1, np.float32), np.ones((1, 40), np.float32))
    assert float(np.asarray(out)[0]) == 0.0


def test_attribute_loss_of_soft_labels_lies_between_those_of_hard_ones() -> None:
    from facekit.training.trunk import attribute_loss

    logits = np.random.default_rng(0).normal(size=(200, 40)).astype(np.float32)
    labels = np.random.default_rng(1).integers(-1, 2, (200, 40)).astype(np.float32)
    yes, no, soft = (np.full((200, 40), value, np.float32) for value in (1, 0, 0.25))
    for smoothing in (0.0, 0.1):
        loss = attribute_loss(smoothing)
        between = 0.25 * np.asarray(loss(yes, logits)) + 0.75 * np.asarray(loss(no, logits))
        assert np.asarray(loss(soft, logits)) == pytest.approx(between, rel=1e-5)
        # Hard labels are those of a loss that clips them, to the last bit.
        wanted = np.where(labels > 0, np.float32(1 - smoothing), np.float32(smoothing))
        wanted[labels < 0] = 0.5
        clipped = np.where(labels < 0, -1, wanted)
        assert np.array_equal(
            np.asarray(loss(labels, logits)), np.asarray(attribute_loss()(clipped, logits))
        )


def test_losses_of_mixed_targets_are_finite_and_so_are_their_gradients() -> None:
    import tensorflow as tf

    from facekit.augment.targets import joined, summands
    from facekit.training.trunk import attribute_loss, identity_loss

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(8, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[1], vectors[2] = -vectors[0], 0  # one pair cancels out, one is unknown
    labels = rng.integers(-1, 2, (8, 5)).astype(np.float32)
    labels[3] = -1
    parts = summands({"attributes": labels, "identity": vectors})
    made = joined({name: 0.5 * v + 0.5 * v[[1, 0, 3, 2, 5, 4, 7, 6]] for name, v in parts.items()})
    lengths = np.linalg.norm(made["identity"], axis=1)
    assert lengths == pytest.approx([0, 0, 0, 0, 1, 1, 1, 1])
    logits, found = tf.Variable(10 * rng.normal(size=(8, 5))), tf.Variable(np.zeros((8, 6)))
    found.assign(rng.normal(size=(8, 6)))
    with tf.GradientTape() as tape:
        both = attribute_loss(0.1)(tf.constant(made["attributes"], tf.float64), logits)
        both += identity_loss(2.0)(tf.constant(made["identity"], tf.float64), found)
    assert np.isfinite(both).all() and float(both[2]) == 0
    for gradient in tape.gradient(both, [logits, found]):
        assert np.isfinite(gradient).all()


def test_identity_loss_is_zero_at_the_teacher_and_ignores_blank_rows() -> None:
    from facekit.training.trunk import identity_loss

    rng = np.random.default_rng(0)
    teacher = rng.normal(size=(4, 8)).astype(np.float32)
    teacher /= np.linalg.norm(teacher, axis=1, keepdims=True)
    loss = identity_loss(2.0)
    assert np.asarray(loss(teacher, 5 * teacher)) == pytest.approx(np.zeros(4), abs=1e-5)
    opposite = np.asarray(loss(teacher, -teacher))
    assert opposite == pytest.approx(np.full(4, 2), abs=1e-4)
    teacher[1] = 0
    assert float(np.asarray(loss(teacher, rng.normal(size=(4, 8)).astype(np.float32)))[1]) == 0


def test_average_follows_and_gives_the_weights_back() -> None:
    import keras

    from facekit.training.loop import Average

    weight = keras.Variable(np.zeros(3, np.float32))
    average = Average(0.5)
    for step in range(9):
        weight.assign(np.full(3, step, np.float32))
        average.update([weight], step)
    # Taken in at steps 0, 4 and 8 with 0.5 ** 4 of the old kept each time.
    keep = 0.5**4
    wanted = keep * (keep * 0 + (1 - keep) * 4) + (1 - keep) * 8
    with average.applied([weight]):
        assert np.asarray(weight) == pytest.approx(wanted)
    assert np.asarray(weight) == pytest.approx(8)


def test_a_slow_average_soon_forgets_the_first_steps() -> None:
    import keras

    from facekit.training.loop import Average

    weight, average = keras.Variable(np.full(1, 100, np.float32)), Average(0.999)
    seen = []
    for step in range(201):
        average.update([weight], step)
        weight.assign([0.0])
        seen.append(float(average.values[0][0]))
    assert seen[4] == pytest.approx(100 * 2 / 11) and seen[8] == pytest.approx(seen[4] * 3 / 12)
    assert seen[200] < 1 < 100 * 0.999**200
    for step in range(40_000, 40_004):  # in the end it is as slow as it should be
        average.values[0][:] = 100
        average.update([weight], step)
        assert average.values[0][0] == pytest.approx(100 * (0.999**4 if step % 4 == 0 else 1))


def test_no_average_without_a_decay() -> None:
    import keras

    from facekit.training.loop import Average

    average = Average(0.0)
    average.update([keras.Variable(np.ones(2, np.float32))], 0)
    assert average.values == []


def make_batches(seed: int = 0, size: int = 4) -> Any:
    from facekit.training.batches import Batches
    from facekit.training.trunk import Targets

    crops = np.random.default_rng(1).integers(0, 256, (19, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(19 * 40).reshape(19, 40) % 2
    targets = Targets(labels.astype(np.int8))
    return Batches(crops, np.arange(2, 19), targets, AugmentSpec(), size, seed)


def test_batches_follow_from_seed_epoch_and_step_alone() -> None:
    whole = list(make_batches().epoch(3))
    rest = list(make_batches().epoch(3, start=2))
    assert len(whole) == 4 and len(rest) == 2
    for (x, y), (u, v) in zip(whole[2:], rest, strict=True):
        assert np.array_equal(x, u) and np.array_equal(y["attributes"], v["attributes"])
    other = next(iter(make_batches(seed=1).epoch(3)))
    assert not np.array_equal(other[0], whole[0][0])


def test_an_epoch_uses_no_row_twice_and_only_the_given_rows() -> None:
    order = make_batches().order(0)
    assert sorted(order) == list(range(2, 19))


def test_rows_can_be_drawn_by_chance() -> None:
    from facekit.training.batches import Batches

    plain = make_batches()
    chance = np.where(np.arange(17) < 2, 0.35, 0.02)
    drawn = Batches(plain.crops, plain.rows, plain.targets, plain.spec, 4, 0, None, chance)
    order = np.concatenate([drawn.order(epoch) for epoch in range(50)])
    assert drawn.per_epoch == 4 and len(drawn.order(0)) == 17
    assert np.isin(order, [2, 3]).mean() == pytest.approx(0.7, abs=0.05)
    assert set(order) == set(range(2, 19))
    assert np.array_equal(drawn.order(1), drawn.order(1))
    assert not np.array_equal(drawn.order(1), drawn.order(2))
    whole, rest = list(drawn.epoch(2)), list(drawn.epoch(2, start=3))
    assert len(whole) == 4 and np.array_equal(whole[3][0], rest[0][0])


def test_some_rows_can_be_augmented_more() -> None:
    from facekit.training.batches import Batches

    plain = make_batches(size=17)
    still = AugmentSpec(**dict.fromkeys(AugmentSpec.model_fields, 0)).model_copy(
        update={"brightness": 0.05}
    )
    factor = np.where(np.arange(19) < 10, 1.0, 4.0)
    batches = Batches(plain.crops, plain.rows, plain.targets, still, 17, 0, None, None, factor)
    ((images, _),) = batches.epoch(0)
    moved = np.abs(images.astype(int) - plain.crops[2:]).max((1, 2, 3))
    assert moved[:8].max() <= 13 < moved[8:].max()


def test_an_error_in_the_background_reaches_the_trainer() -> None:
    batches = make_batches()
    batches.crops = batches.crops[:3]  # rows point beyond the end
    with pytest.raises(IndexError):
        list(batches.epoch(0))


def tiny_model(width: int = 3) -> Any:
    import keras

    inputs = keras.Input((2,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(width)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.AdamW(0.1), loss="mse")
    return model


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    from facekit.training.checkpoint import load_checkpoint, save_checkpoint
    from facekit.training.keras import to_numpy

    x, y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    model = tiny_model()
    for _ in range(3):
        model.train_on_batch(x, y)
    path = tmp_path / "checkpoint.npz"
    averaged = [np.arange(3, dtype=np.float32)]
    save_checkpoint(path, model, {"epoch": 2, "averaged": averaged})
    again = tiny_model()
    note = load_checkpoint(path, again)
    assert note["epoch"] == 2 and np.array_equal(note["averaged"][0], averaged[0])
    for _ in range(3):  # dropout seeds and moments must continue alike
        assert model.train_on_batch(x, y) == pytest.approx(again.train_on_batch(x, y), rel=1e-6)
    for a, b in zip(model.weights, again.weights, strict=True):
        assert np.allclose(to_numpy(a), to_numpy(b), atol=1e-7)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_foreign_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    from facekit.training.checkpoint import load_checkpoint, save_checkpoint

    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, tiny_model(), {"epoch": 0})
    with pytest.raises(InterruptedRunError, match="cannot be resumed") as caught:
        load_checkpoint(path, tiny_model(width=5))
    assert "\n" not in str(caught.value)
    whole = path.read_bytes()
    at = whole.index(b"\x93NUMPY") + 200
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    odd = whole.replace(b"'descr': '<f4'", b"'descr': '|O8'")
    for broken in (flipped, odd, whole[:200], b""):
        path.write_bytes(broken)
        with pytest.raises(InterruptedRunError, match="cannot be resumed"):
            load_checkpoint(path, tiny_model())
