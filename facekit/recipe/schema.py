"""What all tables of a recipe share, and the types of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from facekit.datasets.registry import names
from facekit.frame import FaceFrame

Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
#: The same as a bundle's name, because the bundle is named after its recipe.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Spec(BaseModel):
    """What all tables of a recipe share: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, given: Any) -> Any:
        for key, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                raise ValueError(f"{key}={str(value).lower()}: this is no yes or no")
        return given


# What a recipe may say about a network: its backbone, and the layers on top.

#: How the last grid becomes one row of numbers.
Pool = Literal["average", "flatten"]


class BackboneSpec(Spec):
    """Which network; ``facekit.backbones.catalog.FAMILIES`` says which family reads what.

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


# What a pretraining recipe may say, and the range of every number in it.

TargetName = Literal["attributes", "identity"]


def one_of(choices: Callable[[], Iterable[str]]) -> AfterValidator:
    """A validator of names in a list that may grow; its fault reads like a literal's.

    Args:
        choices: Gives the names that are allowed.
    """

    def check(value: str) -> str:
        allowed = tuple(choices())
        if value not in allowed:
            expected = ", ".join(map(repr, allowed))
            raise PydanticCustomError("literal_error", "not allowed", {"expected": expected})
        return value

    return AfterValidator(check)


AttributeSource = Annotated[str, one_of(lambda: names("attributes"))]
ClassSource = Annotated[str, one_of(lambda: names("classes"))]


class DataSpec(Spec):
    """Which images: CelebA from a folder or from TensorFlow Datasets."""

    source: AttributeSource = "celeba"
    limit: Annotated[int, Field(ge=0)] = 0  # first images of each split; 0 takes all


class FrameSpec(Spec):
    """The face frame; see ``facekit.frame.FaceFrame``."""

    side: Annotated[int, Field(ge=32, le=256)] = 80
    eye_y: Annotated[float, Field(ge=0.2, le=0.6)] = 0.45
    eye_distance: Annotated[float, Field(ge=0.15, le=0.6)] = 0.33

    def build(self) -> FaceFrame:
        """The frame these numbers describe."""
        return FaceFrame(self.side, self.eye_y, self.eye_distance)


class TargetSpec(Spec):
    """One target of the trunk: a loss and its weight; 0 switches it off.

    ``views`` is how many views of each image the teacher sees: the image itself, then
    mirrored, shifted, turned and lit ones; their mean is what is learned.
    """

    weight: NonNegative = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    teacher: Literal["none", "dlib"] = "none"
    views: Annotated[int, Field(ge=1, le=100)] = 1
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
    brightness: Share = 0.0  # added to every pixel, of the whole range; beside ``light``

    def stronger(self, factor: float) -> AugmentSpec:
        """The same with every strength and share multiplied, the mirror left alone.

        Args:
            factor: 1 or more; shares end at 1.
        """
        grown = {key: factor * value for key, value in self if key not in ("mirror", "rotation")}
        shares = {key: min(1.0, value) for key, value in grown.items()}
        return self.model_copy(update={**shares, "rotation": factor * self.rotation})


class MixSpec(Spec):
    """Augmentations that join images, and RandAugment; all off by default.

    Attributes name the layers of keras-cv (on TensorFlow) or Keras (elsewhere).
    A batch is mixed with probability ``share``: half of the time each where
    both alphas are set.
    """

    share: Share = 0.0
    mixup: NonNegative = 0.0  # alpha of the Beta distribution (Zhang et al., 2018)
    cutmix: NonNegative = 0.0  # alpha (Yun et al., 2019)
    randaugment: Annotated[float, Field(ge=0, le=1)] = 0.0  # magnitude (Cubuk et al., 2020)
    randaugment_layers: Count = 2


def needs_alpha(mix: MixSpec) -> None:
    """Refuse a share of batches that nothing mixes."""
    if mix.share and not (mix.mixup or mix.cutmix):
        raise ValueError("mix.share is set but neither mix.mixup nor mix.cutmix: give an alpha")


class OptimizerSpec(Spec):
    """AdamW (Loshchilov and Hutter, 2019), or one of Keras' plain optimisers.

    ``weight_decay`` is AdamW's alone (and 0 for the others where it is not given);
    ``momentum`` belongs to rmsprop and sgd; ``clip_norm`` limits the global norm of
    the gradient, 0 does not.
    """

    name: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2.5e-3
    weight_decay: NonNegative = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_norm: NonNegative = 5.0

    @model_validator(mode="before")
    @classmethod
    def _decay_of_adamw(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("name", "adamw") != "adamw":
            return {"weight_decay": 0.0, **given}
        return given

    @model_validator(mode="after")
    def _own_keys(self) -> OptimizerSpec:
        if self.weight_decay and self.name != "adamw":
            raise ValueError(
                f"weight_decay is for adamw, not for {self.name}: set it to 0 and take "
                "backbone.l2 and top.l2"
            )
        if self.momentum and self.name not in ("rmsprop", "sgd"):
            raise ValueError(f"momentum is for rmsprop and sgd, not for {self.name}: set it to 0")
        return self


class ScheduleSpec(Spec):
    """Warm-up, then cosine to zero, constant, reduction on a plateau, or steps.

    A plateau is ``patience`` epochs without a better one: the rate is multiplied by
    ``factor``. Steps multiply it after the epochs ``at``, by ``factors`` one by one
    or by ``factor`` each time; ``on_plateau`` reduces it on a plateau besides.
    Neither takes the rate below ``floor``.
    """

    kind: Literal["cosine", "constant", "plateau", "steps"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Count = 3
    at: tuple[Count, ...] = ()
    factors: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    on_plateau: bool = False
    floor: NonNegative = 0.0

    @model_validator(mode="after")
    def _steps(self) -> ScheduleSpec:
        if self.kind == "steps" and not self.at:
            raise ValueError("at is missing: kind='steps' needs the epochs, such as [80, 120]")
        if list(self.at) != sorted(set(self.at)):
            raise ValueError(f"at={list(self.at)}: each epoch must be above the one before")
        if self.factors and len(self.factors) != len(self.at):
            raise ValueError(
                f"factors has {len(self.factors)} numbers and at {len(self.at)}: give as many, "
                "or none and factor alone"
            )
        return self

    @property
    def reduces_on_plateau(self) -> bool:
        """Whether epochs without a better one lower the rate."""
        return self.kind == "plateau" or (self.kind == "steps" and self.on_plateau)


class TrainingSpec(Spec):
    """Length and bookkeeping of a run; no epochs package published weights as they are.

    ``engine`` is where batches are made: on the host, a step at a time, or on the device
    that trains (JAX alone), an epoch at a time; "auto" is the device where JAX has an
    accelerator. ``precision`` "auto" is mixed_bfloat16 there and float32 elsewhere.
    """

    epochs: Annotated[int, Field(ge=0)] = 40
    batch_size: Annotated[int, Field(ge=2)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    engine: Literal["auto", "host", "device"] = "auto"
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0  # decay of averaged weights; 0 is off
    patience: Annotated[int, Field(ge=0)] = 0  # early stopping; 0 is off
    checkpoint_minutes: NonNegative = 2.0
    keras_file: bool = False  # transfer: leave ``model.keras`` in the run folder as well


class DistillSpec(Spec):
    """Other bundles that teach, on the very images the network sees; none by default.

    ``teachers`` are installed names, or paths of bundles or of runs. ``weight`` is the
    share of the loss that is theirs: ``temperature`` squared times the divergence from
    the mean of their softened probabilities (Hinton et al., 2015); the labels keep the
    rest. ``identity`` is the weight, in pretraining, of one minus the cosine to the mean
    of their identity vectors, beside what the recipe's own identity target costs.
    """

    teachers: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    weight: Share = 0.7
    temperature: Annotated[float, Field(gt=0, le=100)] = 2.0
    identity: NonNegative = 0.0

    @model_validator(mode="after")
    def _somebody_teaches(self) -> DistillSpec:
        if self.identity and not self.teachers:
            raise ValueError("identity has a weight and teachers names none: name a model")
        return self

    @property
    def active(self) -> bool:
        """Whether anything is learned from a teacher."""
        return bool(self.teachers) and bool(self.weight or self.identity)


class ExpectedSpec(Spec):
    """A metric: what others published, what a run of ours gave, its range.

    ``reported`` is the published number and never ours; ``measured`` is that of a
    run that was really made with ``command``, and ``budget`` says in words how long
    it was and on what. ``low`` to ``high`` is where a run with ``command`` ends.
    """

    metric: str
    low: float | None = None
    high: float | None = None
    reported: float | None = None
    measured: float | None = None
    budget: str = ""
    command: str = ""

    @model_validator(mode="after")
    def _whole(self) -> ExpectedSpec:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together: give both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}")
        if self.low is None and self.reported is None and self.measured is None:
            raise ValueError("no number: give reported, measured, or low and high")
        if self.measured is not None and not (self.budget and self.command):
            raise ValueError("measured needs the budget of its run in words, and its command")
        return self


class PretrainRecipe(Spec):
    """A whole pretraining recipe."""

    name: Name
    kind: Literal["pretrain"] = "pretrain"
    summary: str = ""
    data: DataSpec = DataSpec()
    frame: FrameSpec = FrameSpec()
    backbone: BackboneSpec = BackboneSpec()
    targets: dict[TargetName, TargetSpec] = {"attributes": TargetSpec()}
    augment: AugmentSpec = AugmentSpec()
    mix: MixSpec = MixSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    training: TrainingSpec = TrainingSpec()
    distill: DistillSpec = DistillSpec()
    expected: tuple[ExpectedSpec, ...] = ()

    @model_validator(mode="after")
    def _attributes_always(self) -> PretrainRecipe:
        if "attributes" not in self.targets:
            raise ValueError("targets.attributes is missing: the 40 attributes are always there")
        return self

    @model_validator(mode="after")
    def _mixing(self) -> PretrainRecipe:
        needs_alpha(self.mix)
        return self

    @model_validator(mode="after")
    def _weights_for_no_epochs(self) -> PretrainRecipe:
        if self.training.epochs == 0 and self.backbone.weights == "none":
            raise ValueError("training.epochs=0 trains nothing: name backbone.weights, or train")
        return self
