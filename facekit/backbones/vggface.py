"""VGG-16 without its dense layers, as the face networks of Oxford have it.

Parkhi et al., "Deep Face Recognition", BMVC 2015; layers are named as in the Keras
port keras-vggface, whose weights fit. Colour order and mean are inside the network.
"""

from __future__ import annotations

from typing import Final

import keras
from keras import layers

from facekit.backbones.inputs import to_bgr
from facekit.backbones.vggface_file import BLOCKS

__all__ = ["build_parts"]

#: Mean blue, green and red of the training faces (keras-vggface, version 1).
_MEAN: Final = (93.5940, 104.7624, 129.1863)


def build_parts(crops: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Stack the five blocks.

    Args:
        crops: uint8 RGB tensor of shape (n, side, side, 3), 0 to 255.

    Returns:
        ``grid``: what ``pool5`` gives, a thirty-second of the side.
    """
    x = to_bgr(crops, _MEAN)
    for block, (width, count) in enumerate(BLOCKS, 1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                width, 3, padding="same", activation="relu", name=f"conv{block}_{conv}"
            )(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    return {"grid": x}
