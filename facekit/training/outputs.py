"""What a network says of rows of crops: batch by batch, or on the device that keeps them."""

from __future__ import annotations

from typing import Any, Final, Protocol

import keras
import numpy as np

from facekit.arrays import Float32, Int64, UInt8

#: Crops at once; bounds the memory.
BLOCK: Final = 256


class Predict(Protocol):
    """Gives the outputs of a model for rows of crops, by name."""

    def __call__(
        self, model: keras.Model, crops: UInt8, rows: Int64, *, mirror: bool = False
    ) -> dict[str, Float32]:
        """As ``predict_rows``."""
        ...


def predict_rows(
    model: keras.Model, crops: UInt8, rows: Int64, *, mirror: bool = False
) -> dict[str, Float32]:
    """Outputs of a model for some rows.

    Args:
        model: From crops to named outputs.
        crops: uint8 RGB array of shape (m, side, side, 3).
        rows: int array of shape (n,).
        mirror: Average over the mirror image.

    Returns:
        float32 arrays of shape (n, ...), by output.
    """
    blocks = []
    for start in range(0, len(rows), BLOCK):
        images = crops[rows[start : start + BLOCK]]
        block = model.predict_on_batch(images)
        if mirror:
            other = model.predict_on_batch(np.ascontiguousarray(images[:, :, ::-1]))
            block = {name: (x + other[name]) / 2 for name, x in block.items()}
        blocks.append(block)
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


class DeviceOutputs:
    """The same for the same rows again and again (JAX): they stay in the device's memory.

    All blocks are one program, but not on a processor (``training.device`` says why).
    Rows that would take more than a quarter of the memory go the other way.
    """

    def __init__(self) -> None:
        self._rows: Int64 | None = None
        self._images: Any = None
        self._program: Any = None

    def __call__(
        self, model: keras.Model, crops: UInt8, rows: Int64, *, mirror: bool = False
    ) -> dict[str, Float32]:
        """As ``predict_rows``; always of one model and one way to see it."""
        if not self._keep(crops, rows):
            return predict_rows(model, crops, rows, mirror=mirror)
        if self._program is None:
            self._program = _program(model, mirror)
        moving = [variable.value for variable in model.trainable_variables]
        still = [variable.value for variable in model.non_trainable_variables]
        outputs = self._program(moving, still, self._images)
        return {name: np.concatenate(x)[: len(rows)] for name, x in outputs.items()}

    def _keep(self, crops: UInt8, rows: Int64) -> bool:
        """Bring rows to the device unless they are there; whether there is room for them."""
        import jax

        from facekit.training.device import device_memory

        if crops[0].nbytes * len(rows) > device_memory() // 4:
            return False
        if self._rows is None or not np.array_equal(self._rows, rows):
            padded = np.pad(rows, (0, -len(rows) % min(BLOCK, len(rows))), mode="edge")
            blocks = padded.reshape(-1, min(BLOCK, len(rows)))
            self._rows, self._images = rows, jax.device_put(crops[blocks])
        return True


def _program(model: keras.Model, mirror: bool) -> Any:
    """From weights and blocks of images to outputs of each block."""
    import jax

    from facekit.training.device import is_processor

    def one(moving: Any, still: Any, images: Any) -> Any:
        outputs = model.stateless_call(moving, still, images, training=False)[0]
        if mirror:
            other = model.stateless_call(moving, still, images[:, :, ::-1], training=False)[0]
            outputs = {name: (x + other[name]) / 2 for name, x in outputs.items()}
        return outputs

    if not is_processor():
        return jax.jit(
            lambda moving, still, blocks: jax.lax.map(lambda x: one(moving, still, x), blocks)
        )
    single = jax.jit(one)

    def each(moving: Any, still: Any, blocks: Any) -> Any:
        made = [single(moving, still, block) for block in blocks]
        return {name: [out[name] for out in made] for name in made[0]}

    return each
