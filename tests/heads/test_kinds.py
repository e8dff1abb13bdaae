"""Heads as functions: scores, decisions, files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import BundleError
from facekit.heads.head import activate
from facekit.heads.kinds import LinearHead, MlpHead, load_head

RNG = np.random.default_rng(0)


def linear(**change: object) -> LinearHead:
    """Two parts of 2 and 1x2x2 numbers, three labels."""
    head = LinearHead(
        parts=("a", "b"),
        labels=("x", "y", "z"),
        weight=RNG.normal(size=(6, 3)),
        bias=np.array([0.5, -1.0, 0.0]),
    )
    return replace(head, **change)  # type: ignore[arg-type]


def embedding(n: int = 4) -> dict[str, np.ndarray]:
    return {"b": RNG.normal(size=(n, 1, 2, 2)), "a": RNG.normal(size=(n, 2)), "c": np.ones((n, 9))}


def test_parts_are_flattened_and_joined_in_the_heads_order() -> None:
    head, parts = linear(activation="none"), embedding()
    x = np.concatenate([parts["a"], parts["b"].reshape(4, 4)], axis=1)
    np.testing.assert_allclose(head.scores(parts), x @ head.weight + head.bias, rtol=1e-5)
    swapped = replace(head, parts=("b", "a"))
    assert not np.allclose(swapped.scores(parts), head.scores(parts))


def test_standardisation_and_calibration_come_before_the_activation() -> None:
    mean, scale = RNG.normal(size=6), RNG.uniform(1, 2, size=6)
    calibration = np.array([(2.0, 1.0), (1.0, 0.0), (0.5, -1.0)])
    head, parts = linear(mean=mean, scale=scale, calibration=calibration), embedding()
    x = np.concatenate([parts["a"], parts["b"].reshape(4, 4)], axis=1)
    raw = ((x - mean) / scale) @ head.weight + head.bias
    np.testing.assert_allclose(head.logits(parts, calibrated=False), raw, rtol=1e-4, atol=1e-5)
    expected = 1 / (1 + np.exp(-(raw * calibration[:, 0] + calibration[:, 1])))
    np.testing.assert_allclose(head.scores(parts), expected, rtol=1e-4)


def test_no_rows_give_no_scores() -> None:
    assert linear().scores(embedding(0)).shape == (0, 3)


def test_activations_stay_finite_at_huge_logits() -> None:
    logits = np.array([[-1e30, 0.0, 1e30]], np.float32)
    np.testing.assert_allclose(activate(logits, "sigmoid"), [[0, 0.5, 1]], atol=1e-30)
    np.testing.assert_allclose(activate(logits, "softmax"), [[0, 0, 1]])
    assert activate(logits, "none").dtype == np.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ("x", "y")}, "2 labels for 3 outputs"),
        ({"labels": ("x", "x", "z")}, "differ"),
        ({"bias": np.zeros(2)}, "weight has shape"),
        ({"mean": np.zeros(5)}, "mean has shape"),
        ({"scale": np.zeros(6)}, "above 0"),
        ({"activation": "tanh"}, "allowed are sigmoid"),
        ({"weight": np.full((6, 3), np.nan)}, "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        linear(**change)


def test_a_foreign_embedding_is_refused() -> None:
    with pytest.raises(BundleError, match="no part 'a', only b"):
        linear().scores({"b": np.zeros((1, 4))})
    with pytest.raises(BundleError, match="hold 7 numbers, the head reads 6"):
        linear().scores({"a": np.zeros((1, 3)), "b": np.zeros((1, 4))})


def mlp() -> MlpHead:
    sizes = [(6, 5), (5, 4), (4, 3)]
    layers = tuple((RNG.normal(size=s), RNG.normal(size=s[1])) for s in sizes)
    return MlpHead(parts=("a", "b"), labels=("x", "y", "z"), layers=layers, activation="softmax")


def test_mlp_is_relu_layers() -> None:
    head, parts = mlp(), embedding()
    x = np.concatenate([parts["a"], parts["b"].reshape(4, 4)], axis=1)
    for weight, bias in head.layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    logits = x @ head.layers[-1][0] + head.layers[-1][1]
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(head.scores(parts), expected, rtol=1e-4)


def test_mlp_layers_must_chain() -> None:
    layers = ((np.zeros((6, 5)), np.zeros(5)), (np.zeros((4, 3)), np.zeros(3)))
    with pytest.raises(ValueError, match="layer 1"):
        MlpHead(parts=("a",), labels=("x", "y", "z"), layers=layers)


def channelled() -> LinearHead:
    """Reads part "b" (1x2x2) through one channel of two."""
    return LinearHead(
        parts=("a", "b"),
        labels=("x", "y", "z"),
        weight=RNG.normal(size=(4, 3)),
        bias=np.zeros(3),
        channels={"b": np.array([[0.6], [0.8]])},
        activation="softmax",
    )


def test_channels_reduce_a_part_at_every_place() -> None:
    head, parts = channelled(), embedding()
    x = np.concatenate([parts["a"], (parts["b"] @ [[0.6], [0.8]]).reshape(4, 2)], axis=1)
    np.testing.assert_allclose(head.logits(parts), x @ head.weight, rtol=1e-4, atol=1e-5)
    assert head.parameters == 4 * 3 + 3 + 2
    assert head.width({"a": (2,), "b": (1, 2, 2)}) == 4 == head.sizes[0]
    assert head.width({"a": (2,), "b": (3, 3, 2)}) == 11
    assert head.width({"a": (2,), "b": (1, 2, 5)}) == -1
    assert head.width({"b": (1, 2, 2)}) == 2
    assert linear().width({"a": (2,), "b": (1, 2, 2), "c": (9,)}) == 6
    with pytest.raises(BundleError, match="other channels than the head reads"):
        head.scores({"a": np.zeros((1, 2)), "b": np.zeros((1, 2, 2, 3))})


@pytest.mark.parametrize("channels", [{"c": np.eye(2)}, {"b": np.ones(2)}])
def test_channels_are_matrices_of_parts_that_are_read(channels: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"channels need a matrix"):
        replace(channelled(), channels=channels)


def test_half_precision_keeps_the_channels() -> None:
    head, parts = channelled(), embedding()
    again = load_head(head.to_bytes(half=True))
    assert again.channels["b"].dtype == np.float32
    np.testing.assert_allclose(again.scores(parts), head.scores(parts), atol=2e-3)


@pytest.mark.parametrize("make", [linear, mlp, channelled])
def test_files_give_back_the_same_head(make: object, tmp_path: Path) -> None:
    head = replace(make(), calibration=RNG.normal(size=(3, 2)))  # type: ignore[operator]
    head = replace(head, mean=RNG.normal(size=head.sizes[0]))
    head.save(tmp_path / "head.npz")
    again, parts = load_head(tmp_path / "head.npz"), embedding()
    assert type(again) is type(head)
    assert (again.parts, again.labels, again.activation) == (
        head.parts,
        head.labels,
        head.activation,
    )
    np.testing.assert_array_equal(again.scores(parts), head.scores(parts))
    assert again.to_bytes() == head.to_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["head.npz"]


def test_half_precision_halves_the_file_and_hardly_moves_the_scores() -> None:
    shape = (2000, 3)
    labels = ("x", "y", "z")
    head = LinearHead(
        parts=("a",), labels=labels, weight=RNG.normal(size=shape) / 40, bias=np.zeros(3)
    )
    whole, half = head.to_bytes(), head.to_bytes(half=True)
    assert len(half) < 0.6 * len(whole)
    parts = {"a": RNG.normal(size=(5, 2000))}
    again = load_head(half)
    assert again.weight.dtype == np.float32  # type: ignore[attr-defined]
    np.testing.assert_allclose(again.scores(parts), head.scores(parts), atol=2e-3)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    linear().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BundleError, match=r"head\.npz is not a readable"):
        load_head(path)
    with pytest.raises(BundleError, match=r"missing\.npz"):
        load_head(tmp_path / "missing.npz")
    np.savez(path, kind="forest")
    with pytest.raises(BundleError, match="kind is 'forest', known are linear, mlp"):
        load_head(path)
    np.savez(path, kind="linear", parts=["a"], labels=["x"])
    with pytest.raises(BundleError, match="lacks the array 'activation'"):
        load_head(path)
    np.savez(path, kind=np.array([print], dtype=object))
    with pytest.raises(BundleError, match=r"head\.npz is not a readable"):
        load_head(path)
    np.save(tmp_path / "bare.npy", np.zeros(3))
    with pytest.raises(BundleError, match="no zip archive"):
        load_head(tmp_path / "bare.npy")


def test_numpy_reads_the_file_too(tmp_path: Path) -> None:
    linear().save(tmp_path / "head.npz")
    assert zipfile.ZipFile(tmp_path / "head.npz").testzip() is None
    with np.load(tmp_path / "head.npz") as file:
        assert file["weight"].shape == (6, 3)
