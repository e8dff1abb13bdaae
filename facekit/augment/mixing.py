"""MixUp, CutMix and RandAugment of whole batches.

On TensorFlow the layers are keras-cv's, on other backends Keras' own. They are
made anew for every epoch with a seed that follows from the recipe's, so a resumed
run sees the same pictures; only keras-cv's RandAugment, which draws in parallel,
differs from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import MissingExtraError
from facekit.recipe.transfer import MixSpec

__all__ = ["Mixer"]

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Batch = tuple[Images, Floats]
Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Step = Callable[[Images, Floats], Batch]


class Mixer:
    """Joins the images of a batch, and their targets with them.

    Call ``begin``, then ``mix`` for the epoch's batches in order.

    Args:
        spec: Which layers, how strong and how often.
        seed: The recipe's seed.

    Raises:
        MissingExtraError: keras-cv is needed and not installed.
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

    def mix(self, images: Images, targets: Floats, epoch: int, step: int) -> Batch:
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
    layers, tensorflow = _find_layers()
    rand = {"augmentations_per_image": spec.randaugment_layers, "magnitude": spec.randaugment}
    cutmix = {"alpha": spec.cutmix}
    if not tensorflow:
        rand = {"num_ops": spec.randaugment_layers, "factor": spec.randaugment}
        cutmix = {"factor": spec.cutmix}
    wanted = {
        "RandAugment": (spec.randaugment, {"value_range": (0, 255), **rand}),
        "MixUp": (spec.mixup, {"alpha": spec.mixup}),
        "CutMix": (spec.cutmix, cutmix),
    }
    return {
        name: _step(getattr(layers, name)(**options, seed=seed), tensorflow, shapes)
        for name, (strength, options) in wanted.items()
        if strength
    }


def _step(layer: Any, tensorflow: bool, shapes: Shapes) -> Step:
    """A layer as a function of arrays.

    keras-cv draws from TensorFlow's stateful generators: as a graph of its own,
    with its own seed, a layer gives the same sequence wherever it begins anew.
    (Setting TensorFlow's global seed for every batch would make it optimise the
    training step again each time.) Eager, RandAugment would take seconds a batch.
    """
    from keras import ops

    call: Any = layer
    if tensorflow:
        import tensorflow as tf

        signature = {
            name: tf.TensorSpec(size, tf.float32)
            for name, size in zip(("images", "labels"), shapes, strict=True)
        }
        graph = tf.function(lambda batch: layer(batch, training=True))
        call = graph.get_concrete_function(signature)

    def run(images: Images, targets: Floats) -> Batch:
        batch = {
            "images": ops.convert_to_tensor(images.astype(np.float32)),
            "labels": ops.convert_to_tensor(targets),
        }
        made = call(batch) if tensorflow else _call_keras(layer, batch)
        return _to_uint8(made["images"]), _to_numpy(made["labels"])

    return run


def _call_keras(layer: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Keras' RandAugment takes images alone."""
    if type(layer).__name__ == "RandAugment":
        return {**batch, "images": layer(batch["images"], training=True)}
    made: dict[str, Any] = layer(batch, training=True)
    return made


def _find_layers() -> tuple[Any, bool]:
    """The module that has the layers, and whether it is keras-cv."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.layers, False
    try:
        import keras_cv
    except ImportError as error:
        raise MissingExtraError(
            "keras-cv", "train", "or set mix.share and mix.randaugment to 0"
        ) from error
    return keras_cv.layers, True


def _to_numpy(value: Any) -> Floats:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value), np.float32)


def _to_uint8(value: Any) -> Images:
    return np.clip(np.rint(_to_numpy(value)), 0, 255).astype(np.uint8)
