"""What a pretraining recipe may say, and the range of every number in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from facekit.frame import FaceFrame

__all__ = [
    "AugmentSpec",
    "BackboneSpec",
    "Count",
    "DataSpec",
    "ExpectedSpec",
    "FrameSpec",
    "Name",
    "NonNegative",
    "OptimizerSpec",
    "PretrainRecipe",
    "ScheduleSpec",
    "Share",
    "Spec",
    "TargetSpec",
    "TrainingSpec",
]

Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
TargetName = Literal["attributes", "identity"]
#: The same as a bundle's name, because the bundle is named after its recipe.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Spec(BaseModel):
    """What all tables of a recipe share: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSpec(Spec):
    """Which images: CelebA from a folder or from TensorFlow Datasets."""

    source: Literal["celeba", "tfds"] = "celeba"
    limit: Annotated[int, Field(ge=0)] = 0  # first images of each split; 0 takes all


class FrameSpec(Spec):
    """The face frame; see ``facekit.frame.FaceFrame``."""

    side: Annotated[int, Field(ge=32, le=256)] = 80
    eye_y: Annotated[float, Field(ge=0.2, le=0.6)] = 0.45
    eye_distance: Annotated[float, Field(ge=0.15, le=0.6)] = 0.33

    def build(self) -> FaceFrame:
        """The frame these numbers describe."""
        return FaceFrame(self.side, self.eye_y, self.eye_distance)


class BackboneSpec(Spec):
    """Which network; ``widths`` and ``blocks`` belong to the compact family."""

    family: str = "compact"
    widths: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (32, 64, 128, 256)
    blocks: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (1, 2, 2, 2)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    identity_size: Annotated[int, Field(ge=0, le=1024)] = 128

    @model_validator(mode="after")
    def _same_length(self) -> BackboneSpec:
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"widths has {len(self.widths)} stages and blocks {len(self.blocks)}: "
                "give both the same number"
            )
        return self


class TargetSpec(Spec):
    """One target of the trunk: a loss and its weight; 0 switches it off."""

    weight: NonNegative = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    teacher: Literal["none", "dlib"] = "none"
    relation_weight: NonNegative = 0.0  # squared error of the batch's similarity matrix


class AugmentSpec(Spec):
    """Strength of each augmentation; shares are probabilities.

    Geometry is uniform in plus or minus the given amount and is gentle, so that
    expressions survive. The rest closes the gap to FER-2013 (grey, 48 px, tight)
    and to photos (light, blur, noise, low resolution).
    """

    mirror: Share = 0.5
    rotation: NonNegative = 6.0  # degrees
    zoom: Share = 0.15
    tighten: Share = 0.2  # share of crops seen tight, their outside edge-filled
    shift: Share = 0.04  # of the side
    stretch: Share = 0.06
    light: Share = 0.25  # brightness, contrast and gamma
    colour: Share = 0.1
    grey: Share = 0.3
    low_resolution: Share = 0.3
    blur: Share = 0.1
    noise: Share = 0.15
    erase: Share = 0.25


class OptimizerSpec(Spec):
    """AdamW (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2.5e-3
    weight_decay: NonNegative = 0.02
    clip_norm: NonNegative = 5.0


class ScheduleSpec(Spec):
    """Warm-up, then cosine to zero, constant, or reduction on a plateau."""

    kind: Literal["cosine", "constant", "plateau"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Count = 3


class TrainingSpec(Spec):
    """Length and bookkeeping of a run."""

    epochs: Count = 40
    batch_size: Annotated[int, Field(ge=2)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0  # decay of averaged weights; 0 is off
    patience: Annotated[int, Field(ge=0)] = 0  # early stopping; 0 is off
    checkpoint_minutes: NonNegative = 2.0


class ExpectedSpec(Spec):
    """A metric with its range, from a run that was really made."""

    metric: str
    low: float
    high: float
    command: str = ""


def _attributes_alone() -> dict[TargetName, TargetSpec]:
    return {"attributes": TargetSpec()}


class PretrainRecipe(Spec):
    """A whole pretraining recipe."""

    name: Name
    kind: Literal["pretrain"] = "pretrain"
    summary: str = ""
    data: DataSpec = DataSpec()
    frame: FrameSpec = FrameSpec()
    backbone: BackboneSpec = BackboneSpec()
    targets: dict[TargetName, TargetSpec] = Field(default_factory=_attributes_alone)
    augment: AugmentSpec = AugmentSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    training: TrainingSpec = TrainingSpec()
    expected: tuple[ExpectedSpec, ...] = ()

    @model_validator(mode="after")
    def _attributes_always(self) -> PretrainRecipe:
        if "attributes" not in self.targets:
            raise ValueError("targets.attributes is missing: the 40 attributes are always there")
        return self
