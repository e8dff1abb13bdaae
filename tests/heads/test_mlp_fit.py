"""Fitting an MLP with NumPy: it learns, repeats itself, and weighs what it is told to."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.heads import mlp_fit
from facekit.heads.mlp_fit import Batch, MlpFit, fit_mlp
from facekit.recipe.transfer import HeadSpec

SPEC = HeadSpec(
    widths=(32,), dropout=0.0, input_dropout=0.0, weight_decay=1e-3, learning_rate=1e-2, epochs=30
)


def corners(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """XOR of the signs of the first two of six numbers: no linear head tells it."""
    x = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    return x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(np.int64)


def one_hot(y: np.ndarray, k: int = 2) -> np.ndarray:
    return np.eye(k, dtype=np.float32)[y]


def accuracy(fit: MlpFit, x: np.ndarray, y: np.ndarray) -> float:
    return float((fit.logits(x).argmax(1) == y).mean())


@pytest.mark.parametrize("widths", [(32,), (32, 16), (16, 16, 16)])
def test_it_learns_what_no_line_divides(widths: tuple[int, ...]) -> None:
    x, y = corners()
    fit = fit_mlp([x], one_hot(y), SPEC.model_copy(update={"widths": widths}))
    assert [w.shape for w, _ in fit.layers] == list(zip((6, *widths), (*widths, 2), strict=True))
    assert accuracy(fit, *corners(seed=1)) > 0.9


def test_dropout_costs_little_and_changes_nothing_at_the_end() -> None:
    x, y = corners(2000)
    spec = SPEC.model_copy(update={"dropout": 0.3, "input_dropout": 0.1, "smoothing": 0.1})
    fit = fit_mlp([x.astype(np.float16)], one_hot(y), spec)
    assert accuracy(fit, *corners(seed=1)) > 0.9
    assert np.array_equal(fit.logits(x), fit.logits(x))


def test_a_seed_repeats_itself_and_another_does_not() -> None:
    x, y = corners(100)
    spec = SPEC.model_copy(update={"dropout": 0.5, "input_dropout": 0.2, "epochs": 3})
    views = [x, x * np.float32(1.01)]
    one, same, other = (fit_mlp(views, one_hot(y), spec, seed=seed) for seed in (4, 4, 5))
    for (w1, b1), (w2, b2) in zip(one.layers, same.layers, strict=True):
        assert np.array_equal(w1, w2) and np.array_equal(b1, b2)
    assert not np.allclose(one.layers[0][0], other.layers[0][0])


def test_it_tells_every_epoch_and_the_loss_falls() -> None:
    x, y = corners(300)
    told: list[tuple[int, float]] = []
    fit_mlp([x], one_hot(y), SPEC, report=lambda epoch, loss, fit: told.append((epoch, loss)))
    assert [epoch for epoch, _ in told] == list(range(1, SPEC.epochs + 1))
    assert told[0][1] == pytest.approx(np.log(2), abs=0.25) and told[-1][1] < 0.5 * told[0][1]


def test_the_gradient_is_that_of_the_loss() -> None:
    """Against finite differences, through two hidden layers and unequal weights."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(7, 5)).astype(np.float32)
    goal = (rng.dirichlet(np.ones(3), 7) * rng.uniform(0, 2, (7, 1))).astype(np.float32)
    sizes = [(5, 8), (8, 6), (6, 3)]
    layers = [
        (rng.normal(size=s).astype(np.float32), rng.normal(size=s[1]).astype(np.float32))
        for s in sizes
    ]

    def loss(fit: MlpFit) -> float:
        z = fit.logits(x).astype(np.float64)
        log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
        return float(-(goal * log_p).sum(1).mean())

    spec = SPEC.model_copy(update={"weight_decay": 0.0})
    fit = MlpFit([(w.copy(), b.copy()) for w, b in layers])
    told, gradients = fit.gradients(Batch(x, goal, [None] * 3), spec)
    fit.update(gradients, 1e-3, spec.weight_decay)
    assert told == pytest.approx(loss(MlpFit(layers)), rel=1e-5)
    for i in range(3):
        for part in range(2):
            found = np.sign(layers[i][part] - fit.layers[i][part])  # a first step of Adam: signs
            step = np.zeros(layers[i][part].size)
            for at in range(step.size):
                ends = []
                for shift in (1e-2, -1e-2):
                    moved = [[w.astype(np.float64), b.astype(np.float64)] for w, b in layers]
                    moved[i][part].flat[at] += shift
                    ends.append(loss(MlpFit([tuple(pair) for pair in moved])))  # type: ignore[misc]
                step[at] = ends[0] - ends[1]
            clear = np.abs(step) > 1e-4
            assert clear.any()
            assert np.array_equal(found.ravel()[clear], np.sign(step[clear]))


def test_shares_are_learned_as_shares() -> None:
    """The same picture with two answers gives the share of each."""
    x = np.repeat(np.eye(2, dtype=np.float32), 200, axis=0)
    shares = np.repeat(np.array([[0.7, 0.3], [0.1, 0.9]], np.float32), 200, axis=0)
    z = fit_mlp([x], shares, SPEC).logits(np.eye(2, dtype=np.float32))
    chance = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    assert chance == pytest.approx(np.array([[0.7, 0.3], [0.1, 0.9]]), abs=0.05)


def test_rows_without_a_share_teach_nothing() -> None:
    x, y = corners(300)
    wrong = np.concatenate([one_hot(y), np.zeros((300, 2), np.float32)])
    fit = fit_mlp([np.concatenate([x, -x[:, ::-1]])], wrong, SPEC)
    assert accuracy(fit, x, y) > 0.9


@pytest.mark.parametrize("way", ["weights", "sampling"])
def test_rare_classes_can_be_made_to_count(way: str) -> None:
    """Overlapping classes, one ten times as common: the rare one is found twice as often."""
    rng = np.random.default_rng(3)
    y = (np.arange(1100) >= 1000).astype(np.int64)
    x = (rng.normal(size=(1100, 4)) + y[:, None]).astype(np.float32)
    each = np.where(y == 1, 5.5, 0.55)
    spec = SPEC.model_copy(update={"epochs": 15, "weight_decay": 0.1})
    plain = fit_mlp([x], one_hot(y), spec)
    if way == "weights":
        fit = fit_mlp([x], one_hot(y) * each[:, None].astype(np.float32), spec)
    else:
        fit = fit_mlp([x], one_hot(y), spec, chance=each / each.sum())
    found = [float((f.logits(x).argmax(1) == 1)[y == 1].mean()) for f in (plain, fit)]
    assert found[1] > 0.7 > 0.6 > found[0]


def test_every_view_is_seen() -> None:
    """Each view alone shows half of what there is to know."""
    x, y = corners(800)
    left, right = x.copy(), x.copy()
    left[:, 2:], right[:, :2] = 0, 0
    right[:, 2] = np.where(y == 1, 3, -3)
    fit = fit_mlp([left, right], one_hot(y), SPEC)
    assert accuracy(fit, left, y) > 0.85 and accuracy(fit, right, y) > 0.95


@pytest.mark.parametrize("n", [2, 3, 40])
def test_few_rows_are_enough(n: int) -> None:
    y = np.arange(n) % 2
    x = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    fit = fit_mlp([x], one_hot(y), SPEC.model_copy(update={"epochs": 250}))
    assert accuracy(fit, x, y) == 1.0


def test_views_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="needs the 3 rows"):
        fit_mlp([np.zeros((3, 2)), np.zeros((2, 2))], np.eye(3, dtype=np.float32), SPEC)
    with pytest.raises(ValueError, match="needs the 3 rows"):
        fit_mlp([], np.eye(3, dtype=np.float32), SPEC)


def drawn_batch(rows: int, rng: np.random.Generator) -> Batch:
    """Rows, shares of two classes, and noise for the input and one layer of 32."""
    x, y = corners(rows)
    noise = [rng.random((rows, width), dtype=np.float32) for width in (6, 32)]
    return Batch(x, one_hot(y), noise)


def test_the_parts_of_a_batch_add_up_to_it() -> None:
    """What is dropped, too, stays with its row: of halves, and of parts of unequal length."""
    rng = np.random.default_rng(4)
    batch = drawn_batch(101, rng)
    fit = MlpFit(
        [
            (rng.normal(size=s).astype(np.float32), np.zeros(s[1], np.float32))
            for s in ((6, 32), (32, 2))
        ]
    )
    spec = SPEC.model_copy(update={"dropout": 0.5, "input_dropout": 0.2})
    loss, gradients = fit.gradients(batch, spec)
    for count in (2, 3):
        parts = batch.parts(count)
        assert sum(len(part.x) for part in parts) == 101
        told = [fit.gradients(part, spec, 101) for part in parts]
        assert sum(each for each, _ in told) == pytest.approx(loss, rel=1e-5)
        for i, whole in enumerate(gradients):
            np.testing.assert_allclose(sum(each[i] for _, each in told), whole, atol=1e-6)


@pytest.mark.parametrize("processors", [1, 2, 16])
def test_halves_are_the_whole_within_rounding_on_any_machine(
    monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    x, y = corners(203)
    spec = SPEC.model_copy(update={"dropout": 0.5, "input_dropout": 0.2, "epochs": 4})
    lost: list[float] = []
    whole = fit_mlp([x], one_hot(y), spec, report=lambda _, loss, __: lost.append(loss))
    monkeypatch.setattr(mlp_fit, "_LARGE", 0)
    halves = fit_mlp([x], one_hot(y), spec, report=lambda _, loss, __: lost.append(loss))
    assert lost[:4] == pytest.approx(lost[4:], abs=1e-4)
    monkeypatch.setattr(mlp_fit, "cores", lambda: processors)
    elsewhere = fit_mlp([x], one_hot(y), spec)
    for one, two, other in zip(whole.layers, halves.layers, elsewhere.layers, strict=True):
        for i in range(2):
            np.testing.assert_allclose(two[i], one[i], atol=1e-4)
            assert np.array_equal(two[i], other[i])


def test_one_step_of_adamw_is_that_of_its_authors() -> None:
    """Twice, in float64: rising moments, their bias, and decay of weights alone."""
    rng = np.random.default_rng(5)
    weight, bias = rng.normal(size=(3, 2)), rng.normal(size=2)
    fit = MlpFit([(weight.astype(np.float32), bias.astype(np.float32))])
    moments = [(np.zeros_like(each), np.zeros_like(each)) for each in (weight, bias)]
    for step in (1, 2):
        gradients = [rng.normal(size=(3, 2)), rng.normal(size=2)]
        fit.update([each.astype(np.float32) for each in gradients], 0.01, 0.1)
        for i, (value, gradient) in enumerate(zip((weight, bias), gradients, strict=True)):
            mean, square = moments[i]
            mean[...] = 0.9 * mean + 0.1 * gradient
            square[...] = 0.999 * square + 0.001 * gradient**2
            value *= 1 - 0.01 * 0.1 * (value.ndim == 2)
            value -= 0.01 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(fit.layers[0][0], weight, atol=1e-5)
    np.testing.assert_allclose(fit.layers[0][1], bias, atol=1e-5)
