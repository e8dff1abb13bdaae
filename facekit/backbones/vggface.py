"""VGG-16 without its dense layers, as the face networks of Oxford have it.

Parkhi et al., "Deep Face Recognition", BMVC 2015; layers are named as in the Keras
port keras-vggface, whose weights fit. Colour order and mean are inside the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facekit.arrays import Float32
from facekit.errors import RecipeError

if TYPE_CHECKING:
    import keras

    from facekit.recipe.schema import BackboneSpec

#: Mean blue, green and red of the training faces (keras-vggface, version 1).
_MEAN: Final = (93.5940, 104.7624, 129.1863)


def build_parts(crops: keras.KerasTensor, spec: BackboneSpec) -> dict[str, keras.KerasTensor]:
    """Stack the five blocks.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.
        spec: Nothing of it is read.

    Returns:
        ``grid``: what ``pool5`` gives, a thirty-second of the side.
    """
    from keras import layers  # late: the file of weights is checked without Keras

    from facekit.backbones.layers import to_bgr

    x = to_bgr(crops, _MEAN)
    for block, (width, count) in enumerate(BLOCKS, 1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                width, 3, padding="same", activation="relu", name=f"conv{block}_{conv}"
            )(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    return {"grid": x}


# The published weights of VGGFace, out of the file that the user has.
#
# keras-vggface publishes them without the dense layers, laid out as Keras 2 wrote
# weights (HDF5): the root, or the group ``model_weights`` in it, lists the layers in
# its attribute ``layer_names``; the group of each layer lists its arrays in
# ``weight_names``, kernel first. Nothing is downloaded and nothing is unpickled.

#: Channels and convolutions of the five blocks.
BLOCKS: Final = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
#: What keras-vggface calls the file.
NAME: Final = "rcmalli_vggface_tf_notop_vgg16.h5"

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Arrays = tuple[Float32, Float32]

#: What h5py raises of a damaged file, by where it is damaged.
_FAULTS: Final = (AttributeError, OSError, KeyError, RuntimeError, TypeError, ValueError)
#: How files begin that are often given instead.
_OTHERS: Final = {b"PK": "a zip archive, as .keras files are", b"\x80": "a pickle"}


def _layers() -> dict[str, Shapes]:
    found: dict[str, Shapes] = {}
    inputs = 3
    for block, (width, count) in enumerate(BLOCKS, 1):
        for conv in range(1, count + 1):
            found[f"conv{block}_{conv}"] = (3, 3, inputs, width), (width,)
            inputs = width
    return found


#: Shapes of kernel and bias of every convolution, input to output.
LAYERS: Final = _layers()


def read_file(path: Path) -> dict[str, Arrays]:
    """Read and check the whole file.

    Args:
        path: The user's copy.

    Returns:
        Kernel (3, 3, inputs, outputs) and bias (outputs,) of every convolution,
        float32, by the layer's name, input to output.

    Raises:
        RecipeError: It is no such file, a layer is missing or has another shape, or
            there are others.
    """
    import h5py  # late: comes with Keras

    try:
        _require_hdf5(path, h5py)
        with h5py.File(path, "r") as file:
            return _read_layers(file.get("model_weights", file))
    except _FAULTS as error:
        said = getattr(error, "strerror", None) or (error.args[0] if error.args else "")
        reason = (str(said).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise RecipeError(
            f"backbone.weights={str(path)!r} cannot be read as {NAME} ({reason}): "
            "give your copy of that file, or --set backbone.weights=none to try it at random"
        ) from None


def _require_hdf5(path: Path, h5py: Any) -> None:
    with path.open("rb") as file:
        begin = file.read(2)
    for magic, what in _OTHERS.items():
        if begin.startswith(magic):
            raise ValueError(f"it is {what}")
    if not h5py.is_hdf5(path):
        raise ValueError("it is no HDF5 file")


def _read_layers(root: Any) -> dict[str, Arrays]:
    if "layer_names" not in root.attrs:
        raise ValueError("it is HDF5, but has no layer_names: Keras 2 did not write it")
    stored = {}
    for name in map(_text, root.attrs["layer_names"]):
        arrays = [root[name][_text(one)] for one in root[name].attrs["weight_names"]]
        if arrays:
            stored[name] = arrays
    if missing := [name for name in LAYERS if name not in stored]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if others := [name for name in stored if name not in LAYERS]:
        raise ValueError(f"it has weights of {', '.join(others)} too")
    return {name: _checked(name, stored[name], shapes) for name, shapes in LAYERS.items()}


def _checked(name: str, arrays: list[Any], shapes: Shapes) -> Arrays:
    """Shapes and type are compared before anything is read."""
    found = [tuple(array.shape) for array in arrays]
    if found != list(shapes):
        wanted = " and ".join(map(str, shapes))
        raise ValueError(f"{name} has {' and '.join(map(str, found))}, not {wanted}")
    kernel, bias = (_floats(name, array) for array in arrays)
    return kernel, bias


def _floats(name: str, array: Any) -> Float32:
    if array.dtype.kind != "f":
        raise ValueError(f"{name} holds {array.dtype} and no decimal numbers")
    value = np.asarray(array[()], np.float32)
    if not np.isfinite(value).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return value


def _text(name: str | bytes) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
