"""MixUp, CutMix and RandAugment of whole batches.

On TensorFlow the layers are keras-cv's, on other backends Keras' own. They are
made anew for every epoch with a seed that follows from the recipe's, so a resumed
run sees the same pictures.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from facekit.arrays import Float32, UInt8
from facekit.errors import MissingExtraError, RecipeError
from facekit.recipe.schema import MixSpec

Batch = tuple[UInt8, Float32]
Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Step = Callable[[UInt8, Float32], Batch]
Data = dict[str, Any]
Call = Callable[[Data], Data]


def require_layers(spec: MixSpec, backend: str) -> None:
    """Say early, without importing Keras, whether the layers can be had.

    Args:
        spec: Which layers.
        backend: Of Keras, such as ``tensorflow``.

    Raises:
        MissingExtraError: keras-cv is needed and not installed.
        RecipeError: Keras' own CutMix is needed and has no such alpha.
    """
    if not Mixer(spec, 0).active:
        return
    if backend != "tensorflow":
        if spec.cutmix > 1:
            raise RecipeError(
                f"mix.cutmix is {spec.cutmix:g}: at most 1 on {backend}, whose layer Keras has"
            )
    elif importlib.util.find_spec("keras_cv") is None:
        raise MissingExtraError("keras-cv", "train", "or set mix.share and mix.randaugment to 0")


class Mixer:
    """Joins the images of a batch, and their targets with them.

    Call ``begin``, then ``mix`` for the epoch's batches in order.

    Args:
        spec: Which layers, how strong and how often; see ``require_layers``.
        seed: The recipe's seed.
    """

    def __init__(self, spec: MixSpec, seed: int) -> None:
        self.spec, self.seed = spec, seed
        self._steps: dict[str, Step] = {}

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return bool(self.spec.share or self.spec.randaugment)

    def begin(self, epoch: int, start: int, shape: tuple[int, ...], classes: int) -> None:
        """Get ready for an epoch.

        Args:
            epoch: From 0.
            start: Batches of it that were made before a resume; the generators
                are brought to where they were by mixing as many blank ones.
            shape: Of a batch of images, (n, side, side, 3).
            classes: k, columns of the targets.
        """
        seed = int(np.random.default_rng([self.seed, epoch, 3]).integers(1 << 31))
        self._steps = _build_steps(self.spec, seed, (shape, (shape[0], classes)))
        blank = np.zeros(shape, np.uint8), np.zeros((shape[0], classes), np.float32)
        for step in range(start):
            self.mix(*blank, epoch, step)

    def mix(self, images: UInt8, targets: Float32, epoch: int, step: int) -> Batch:
        """Augment and mix one batch.

        Args:
            images: uint8 RGB array of shape (n, side, side, 3).
            targets: float32 array of shape (n, k).
            epoch: From 0.
            step: Of the epoch, from 0.

        Returns:
            Arrays of the same shapes and types.
        """
        rng = np.random.default_rng([self.seed, epoch, step, 2])
        if "RandAugment" in self._steps:
            images, targets = self._steps["RandAugment"](images, targets)
        if rng.random() >= self.spec.share:
            return images, targets
        options = [name for name in ("MixUp", "CutMix") if name in self._steps]
        return self._steps[options[int(rng.integers(len(options)))]](images, targets)


def _build_steps(spec: MixSpec, seed: int, shapes: Shapes) -> dict[str, Step]:
    """One function a layer, with generators that begin at the seed."""
    import keras

    policy = keras.config.dtype_policy()
    # Half precision would blur pictures and targets; RandAugment's inner layers take
    # the policy that holds when they are made.
    keras.config.set_dtype_policy("float32")
    try:
        if keras.backend.backend() != "tensorflow":
            return {name: _step(call) for name, call in _keras(spec, seed).items()}
        calls = _keras_cv(spec, seed)
        return {name: _step(_graph(call, seed, shapes)) for name, call in calls.items()}
    finally:
        keras.config.set_dtype_policy(policy)


def _keras_cv(spec: MixSpec, seed: int) -> dict[str, Call]:
    import tensorflow as tf
    from keras_cv import layers

    calls: dict[str, Call] = {}
    if spec.randaugment:
        count = {"augmentations_per_image": spec.randaugment_layers}
        rand = layers.RandAugment((0, 255), magnitude=spec.randaugment, **count, seed=seed)

        def one_by_one(data: Data) -> Data:
            """By itself the layer takes images in parallel: its draws have no order then."""
            each = partial(rand, training=True)
            return {**data, "images": tf.map_fn(each, data["images"], parallel_iterations=1)}

        calls["RandAugment"] = one_by_one
    if spec.mixup:
        calls["MixUp"] = partial(layers.MixUp(alpha=spec.mixup, seed=seed), training=True)
    if spec.cutmix:
        calls["CutMix"] = partial(layers.CutMix(alpha=spec.cutmix, seed=seed), training=True)
    return calls


def _keras(spec: MixSpec, seed: int) -> dict[str, Call]:
    from keras import layers

    # MixUp asks JAX for 64 bits, which it has not by default and does not need here.
    warnings.filterwarnings("ignore", "Explicitly requested dtype int64", UserWarning)
    calls: dict[str, Call] = {}
    if spec.randaugment:
        count = {"num_ops": spec.randaugment_layers}
        rand = layers.RandAugment((0, 255), factor=spec.randaugment, **count, seed=seed)
        calls["RandAugment"] = lambda data: {**data, "images": rand(data["images"], training=True)}
    if spec.mixup:
        calls["MixUp"] = partial(layers.MixUp(alpha=spec.mixup, seed=seed), training=True)
    if spec.cutmix:
        between = (spec.cutmix, spec.cutmix)  # the layer draws its alpha from such a range
        calls["CutMix"] = partial(layers.CutMix(factor=between, seed=seed), training=True)
    return calls


def _graph(call: Call, seed: int, shapes: Shapes) -> Call:
    """A layer of keras-cv as a graph with a seed of its own.

    Most of its draws take no seed but that of the graph they stand in. So the graph
    is given one: without, every epoch would mix by the same amounts. (TensorFlow's
    global seed, set anew for every batch, would make it optimise the training step
    again each time.) Eager, RandAugment would take seconds a batch.
    """
    import tensorflow as tf

    def trace(data: Data) -> Data:
        tf.compat.v1.set_random_seed(seed)  # within a graph: of this graph alone
        return call(data)

    names = ("images", "labels")
    signature = {n: tf.TensorSpec(s, tf.float32) for n, s in zip(names, shapes, strict=True)}
    graph: Call = tf.function(trace).get_concrete_function(signature)
    return graph


def _step(call: Call) -> Step:
    """A layer as a function of arrays."""
    from keras import ops

    def run(images: UInt8, targets: Float32) -> Batch:
        shown = ops.convert_to_tensor(images.astype(np.float32))
        made = call({"images": shown, "labels": ops.convert_to_tensor(targets)})
        pixels = np.rint(_to_numpy(made["images"]))
        return np.clip(pixels, 0, 255).astype(np.uint8), _to_numpy(made["labels"])

    return run


def _to_numpy(value: Any) -> Float32:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value), np.float32)
