"""What a recipe may say about a network: its backbone, and the layers on top."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from facekit.recipe.spec import Count, NonNegative, Spec

__all__ = ["BackboneSpec", "Pool", "TopSpec"]

#: How the last grid becomes one row of numbers.
Pool = Literal["average", "flatten"]


class BackboneSpec(Spec):
    """Which network; ``facekit.backbones.catalog.KEYS`` says which family reads what.

    ``widths`` and ``blocks`` are the channels and the blocks (convolutions, of the
    plain family) of each stage; ``alpha`` multiplies MobileNetV2's widths; ``depth``
    counts layers as the papers do, 0 takes the family's own; ``growth`` and
    ``compression`` are DenseNet's. A grey network has one input channel. ``weights``
    is where training starts: "none", "imagenet" or a file of Keras weights; "" leaves
    the file to whoever runs it. ``l2`` is what a squared weight of a convolution costs
    in the loss.
    """

    family: str = "compact"
    widths: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (32, 64, 128, 256)
    blocks: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (1, 2, 2, 2)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    identity_size: Annotated[int, Field(ge=0, le=1024)] = 128
    alpha: Annotated[float, Field(ge=0.1, le=2)] = 1.0
    depth: Annotated[int, Field(ge=0, le=1000)] = 0
    growth: Annotated[int, Field(ge=1, le=256)] = 12
    compression: Annotated[float, Field(gt=0, le=1)] = 0.5
    colour: Literal["rgb", "grey"] = "rgb"
    weights: str = "none"
    l2: NonNegative = 0.0

    @model_validator(mode="after")
    def _same_length(self) -> BackboneSpec:
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"widths has {len(self.widths)} stages and blocks {len(self.blocks)}: "
                "give both the same number"
            )
        return self


class TopSpec(Spec):
    """The layers between the backbone and the answer, as a plain Keras model has them.

    ``pool`` says what is read: averages, or the last grid whole. ``widths`` are
    those of dense layers with ReLU, ``l2`` is what a squared weight of them costs in
    the loss. Dropout comes after each of them; without any, before the answer.
    """

    pool: Pool = "average"
    widths: Annotated[tuple[Count, ...], Field(max_length=3)] = ()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2: NonNegative = 0.0
